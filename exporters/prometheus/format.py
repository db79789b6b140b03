"""Parts of the text formats: values, label values, names, as prometheus_client writes them."""

from __future__ import annotations

import re

import msgspec

_SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_EXPONENTS = {digits: f"e+{digits - 1:02d}" for digits in range(7, 17)}
# Of 0 and between 0.0001 and 1e6 it writes what repr() does, several times faster.
shortest = msgspec.json.Encoder().encode


def number(value: float) -> bytes:
    """A value as prometheus_client writes it: `1.0`, `1e+06`, `+Inf`, `NaN`."""
    value = float(value)
    if 1e-4 <= value < 1e6 or not value:
        return shortest(value)
    if 1e6 <= value < 1e16:  # Go changes to an exponent earlier than Python
        whole = str(int(value))
        digits = whole if value.is_integer() else repr(value).replace(".", "")
        fraction = f".{digits[1:]}".rstrip("0.")
        return f"{digits[0]}{fraction}{_EXPONENTS[len(whole)]}".encode()
    text = repr(value)
    return _SPECIAL.get(text, text).encode()


def escaped(text: str) -> str:
    """A label's value between its quotes."""
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def valid(name: str, also: str) -> str:
    """The name with `_` for what is not allowed in it: one bad name would cost the whole page."""
    if name.isascii() and name.isidentifier():
        return name
    return re.sub(rf"^[0-9]|[^a-zA-Z0-9_{also}]", "_", name)
