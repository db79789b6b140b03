"""Small pure functions that write SVG 1.1 as text: escaped, finite, with one digit behind the point at most.

Colours and fonts stand in attributes, since a converter to PDF does not apply the page's style to a picture, and a
Content-Security-Policy forbids style attributes.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from exporters.findings.text import cut, neutral, width
from exporters.report.fonts import FAMILY

FONT: Final = f"'{FAMILY}','PingFang SC','Microsoft YaHei',sans-serif"
INK: Final = "#17232f"
SOFT: Final = "#52606d"
RULE: Final = "#dde3e8"
PAPER: Final = "#ffffff"
MAX_COLUMNS: Final = 200
MAX_DESCRIPTION: Final = 2000
LARGE: Final = 1e15  # a coordinate is computed from nothing larger


class Fill(NamedTuple):
    """How an area looks: in colour, and by its hatching without."""

    colour: str
    hatch: str = ""  # of "/", "\\", "-", "|"; each one a set of lines
    line: str = INK  # of hatching and edge
    dash: str = ""
    step: float = 6.0


def coordinate(value: float) -> str:
    """`12`, `12.5`; nothing that is no number."""
    if not math.isfinite(value):
        raise ValueError("a coordinate has to be a number")
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def escaped(text: str) -> str:
    return html.escape(_line(text))


def fitted(text: str, size: float, room: float) -> str:
    """The text cut to what has room, a column being half of the size of the type and a little."""
    return cut(_line(text), max(int(room / (size * 0.56)), 2))


def _line(text: str) -> str:
    return neutral(text[: MAX_COLUMNS + 1].replace("\N{NO-BREAK SPACE}", " "))


def room_of(text: str, size: float) -> float:
    """How wide a text is at most, nearly."""
    return width(text) * size * 0.56


def attributes(**values: str | float) -> str:
    """` x="1" stroke-width="2"`; nothing for empty text."""
    return "".join(
        f' {name.rstrip("_").replace("_", "-")}="'
        f'{html.escape(value) if isinstance(value, str) else coordinate(value)}"'
        for name, value in values.items()
        if value != ""
    )


def text(x: float, y: float, content: str, size: float = 12, **more: str | float) -> str:
    more = {"fill": INK, **more}
    return f"<text{attributes(x=x, y=y, font_size=size, **more)}>{escaped(content)}</text>"


def line(x1: float, y1: float, x2: float, y2: float, **more: str | float) -> str:
    more = {"stroke": RULE, **more}
    return f"<line{attributes(x1=x1, y1=y1, x2=x2, y2=y2, **more)}/>"


def path(d: str, **more: str | float) -> str:
    return f"<path{attributes(d=d, **more)}/>" if d else ""


def area(x: float, y: float, wide: float, high: float, fill: Fill, title: str = "") -> str:
    """A rectangle with its hatching and edge; nothing where it has no size."""
    if wide <= 0 or high <= 0:
        return ""
    shape = attributes(x=x, y=y, width=wide, height=high, fill=fill.colour)
    edge = attributes(stroke=fill.line, stroke_width=0.8, stroke_dasharray=fill.dash)
    told = f"<title>{escaped(title)}</title>" if title else ""
    lines = hatching(x, y, wide, high, fill.hatch, fill.step)
    shaded = path(lines, stroke=fill.line, stroke_width=0.8, fill="none")
    return f"<g>{told}<rect{shape}{edge}/>{shaded}</g>"


def hatching(x: float, y: float, wide: float, high: float, kinds: str, step: float) -> str:
    """The `d` of lines within a rectangle."""
    found: list[str] = []
    for kind in kinds:
        if kind == "-":
            found += (f"M{_pair(x, at)}h{coordinate(wide)}" for at in _steps(y, high, step))
        elif kind == "|":
            found += (f"M{_pair(at, y)}v{coordinate(high)}" for at in _steps(x, wide, step))
        else:
            found += _slanted(x, y, wide, high, kind == "/", step)
    return "".join(found)


def _slanted(x: float, y: float, wide: float, high: float, rising: bool, step: float) -> list[str]:
    found = []
    for at in _steps(0.0, wide + high, step):
        # from the left or upper edge to the upper or right one, or the same upside down
        x1, y1 = max(at - high, 0.0), min(at, high)
        x2, y2 = min(at, wide), max(at - wide, 0.0)
        if not rising:
            y1, y2 = high - y1, high - y2
        found.append(f"M{_pair(x + x1, y + y1)}L{_pair(x + x2, y + y2)}")
    return found


def _steps(start: float, length: float, step: float) -> list[float]:
    return [start + step * (i + 0.5) for i in range(min(int(length / step + 0.5), 2000))]


def _pair(x: float, y: float) -> str:
    return f"{coordinate(x)} {coordinate(y)}"


def runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Stretches without a gap."""
    found: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            found.append([])
        else:
            found[-1].append(point)
    return [run for run in found if run]


def polyline(points: Sequence[tuple[float, float] | None], **more: str | float) -> str:
    """A line that is broken where a point is missing."""
    d = "".join("M" + "L".join(_pair(*p) for p in run) for run in runs(points) if len(run) > 1)
    return path(d, fill="none", stroke_linejoin="round", **more)


def marker(kind: str, x: float, y: float, colour: str, size: float = 3.4) -> str:
    """A `circle`, `square` or `diamond`: series are told apart by it without colour."""
    shape: dict[str, str | float] = {
        "stroke": colour,
        "stroke_width": 1.4,
        "fill": PAPER if kind != "circle" else colour,
    }
    if kind == "circle":
        return f"<circle{attributes(cx=x, cy=y, r=size * 0.9, **shape)}/>"
    if kind == "square":
        a = size * 0.9
        return f"<rect{attributes(x=x - a, y=y - a, width=2 * a, height=2 * a, **shape)}/>"
    d = f"M{_pair(x, y - size)}L{_pair(x + size, y)}L{_pair(x, y + size)}L{_pair(x - size, y)}Z"
    return path(d, **shape)


def picture(wide: float, high: float, title: str, description: str, body: Sequence[str]) -> str:
    """The whole. It is read out by its title and description."""
    size = f"0 0 {coordinate(wide)} {coordinate(high)}"
    head = attributes(viewBox=size, width=wide, height=high, role="img", font_family=FONT)
    plain = neutral(description[:MAX_DESCRIPTION].replace("\N{NO-BREAK SPACE}", " "))
    told = f"<title>{escaped(title)}</title><desc>{html.escape(plain)}</desc>"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"{head} font-size="12">{told}{"".join(body)}</svg>'
    )


def set_in(drawn: str, family: str) -> str:
    """A picture in another font: no text of it is touched, where quotes are escaped."""
    named = attributes(font_family=FONT)
    return drawn.replace(named, attributes(font_family=FONT.replace(FAMILY, family)), 1)


def clean(value: float | None) -> float | None:
    """A value that can be drawn; None for what is none."""
    if value is None or not math.isfinite(value):
        return None
    return min(max(value, -LARGE), LARGE)


def ticks(top: float, most: int = 5) -> list[float]:
    """From 0 up to at least `top`, at most so many steps of 1, 2, 2.5 or 5 times a power of ten."""
    if not 1e-9 <= top <= LARGE:
        return [0.0, 1.0]
    rough = top / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10, 20) if s * power * most >= top * (1 - 1e-9))
    count = math.ceil(top / step - 1e-9)
    return [step * i for i in range(count + 1)]
