"""Numbers that come with a request, within what the columns of both databases hold (and JSON's numbers: RFC 8259 6)."""

from __future__ import annotations

from typing import Annotated

import msgspec

Id = Annotated[int, msgspec.Meta(ge=1, le=(1 << 31) - 1)]  # of a row, or its version
BigId = Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)]  # of a hit, a message, the log
Natural = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)]  # a count, or an id: 0 for none
