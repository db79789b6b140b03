"""`python -m deploy.grafana` writes dashboards/*.json anew."""

from __future__ import annotations

from deploy.grafana.build import FOLDER, written

for name, text in written().items():
    (FOLDER / name).write_text(text, encoding="utf-8")
