"""The files of dashboards/, as the modules of this folder say they are to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from deploy.grafana.boards import BOARDS
from deploy.grafana.panels import model

FOLDER: Final = Path(__file__).parent / "dashboards"


def written() -> dict[str, str]:
    """Text by name of a file."""
    return {
        f"{board.uid}.json": json.dumps(model(board), ensure_ascii=False, indent=1) + "\n"
        for board in BOARDS
    }
