"""Writes dashboards/*.json from boards.py: python deploy/grafana/build.py"""

from __future__ import annotations

import json
from pathlib import Path

from boards import BOARDS
from panels import model


def written() -> dict[str, str]:
    """The files by name, as they are to be."""
    return {
        f"{board.uid}.json": json.dumps(model(board), ensure_ascii=False, indent=1) + "\n"
        for board in BOARDS
    }


if __name__ == "__main__":
    for name, text in written().items():
        (Path(__file__).parent / "dashboards" / name).write_text(text, encoding="utf-8")
