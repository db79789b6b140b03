"""How series and states look: told apart with colour, by who sees some colours alike, and in black and white.

Colours are near those of M. Okabe and K. Ito (2008), darker where a line has to be seen on white.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from exporters.report.html.svg import INK, Fill

BLUE: Final = "#0a5c96"
VERMILLION: Final = "#c8500a"
GREEN: Final = "#00805f"
ORANGE: Final = "#eaa81e"
PURPLE: Final = "#b4588c"
SKY: Final = "#8cc6ec"
PALE: Final = "#dcebf5"
GREY: Final = "#aab4bd"


class Stroke(NamedTuple):
    """How a line looks: colour, dashes and marker, each enough to tell it."""

    colour: str
    dash: str
    marker: str


CPU: Final = Stroke(BLUE, "", "circle")
MEMORY: Final = Stroke(VERMILLION, "6 3", "square")
PEAK: Final = Stroke(VERMILLION, "2 3", "diamond")

GRANTED: Final = Fill(PALE, "/", "#5f8fb3", step=7)
USED: Final = Fill(BLUE, "", BLUE)
UNKNOWN: Final = Fill("#ffffff", "", "#5f8fb3", dash="3 2")
ABSENT: Final = Fill("#f6f7f8", "\\", "#b9c2ca", dash="3 2", step=6)
STATES: Final[Mapping[str, Fill]] = {
    "idle": Fill("#e58a4f", "/", "#7a2e00", step=5),
    "low": Fill("#f6d58a", "-", "#8a5c00", step=5),
    "right-sized": Fill(GREEN, "", "#004f3b"),
    "busy": Fill("#0a3d66", "", INK),
    "insufficient": Fill("#ffffff", "", "#52606d", dash="3 2"),
    "exempt": Fill("#dfe4e8", "|", "#6b7883", step=5),
    "stopped": Fill("#e3b3d0", "\\", "#6d2350", step=5),
    "detached": Fill("#cfe3f2", "/\\", "#33658a", step=6),
    "in-use": Fill("#6f8494", "", "#3d4c58"),
}
PLAIN: Final = Fill(GREY, "", "#52606d")
