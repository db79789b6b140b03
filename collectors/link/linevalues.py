"""Values that people write of a line: its bandwidth, and its DSCP.

DSCP names: RFC 2474 (CS), RFC 2597 (AF), RFC 3246 (EF), RFC 5865 (VOICE-ADMIT), RFC 8622 (LE).
"""

from __future__ import annotations

import re
from typing import Final

_BANDWIDTH = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:bit/s|bps|b/s|bit)?", re.IGNORECASE)
_FACTORS: Final = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
LEAST, MOST = 1e3, 1e14  # bit/s; what is beyond is a slip of the pen

DSCP_NAMES: Final[dict[str, int]] = {
    "BE": 0,
    "DF": 0,
    "LE": 1,
    **{f"CS{i}": 8 * i for i in range(8)},
    **{f"AF{i}{j}": 8 * i + 2 * j for i in range(1, 5) for j in range(1, 4)},
    "VOICE-ADMIT": 44,
    "EF": 46,
}


class Bandwidth(float):
    """Bit/s, written `100M`, `1G`, `2.5G` or as a plain number of bit/s; from 1k to 100T."""

    @classmethod
    def parse(cls, text: object) -> Bandwidth:
        match = None
        if isinstance(text, (str, int, float)) and not isinstance(text, bool):
            match = _BANDWIDTH.fullmatch(str(text).strip().replace("兆", "M"))
        if not match:
            hint = "; B is byte: write bit/s" if re.search(r"\dB|[kKMGT]i?B", str(text)) else ""
            raise ValueError(
                f"{text!r:.60} is not a bandwidth; write for example 100M, 1G, 2.5G{hint}"
            )
        rate = float(match[1]) * _FACTORS[match[2].lower()]
        if not LEAST <= rate <= MOST:
            raise ValueError(
                f"the bandwidth {text!s:.40} is {rate:g} bit/s, and must be from 1k to 100T; "
                "write for example 100M"
            )
        return cls(rate)


class Dscp(int):
    """0 to 63, or a name: EF, AF41, CS1, BE …"""

    @classmethod
    def parse(cls, text: object) -> Dscp:
        if isinstance(text, str):
            text = text.strip()
            number = int(text) if re.fullmatch(r"\d{1,2}", text) else DSCP_NAMES.get(text.upper())
        else:
            number = text if isinstance(text, int) and not isinstance(text, bool) else None
        if number is None or not 0 <= number <= 63:
            raise ValueError(
                f"{text!r:.60} is not a DSCP; write 0 to 63, or a name such as EF, AF41, CS1"
            )
        return cls(number)
