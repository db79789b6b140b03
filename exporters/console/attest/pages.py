"""The pages of what people decide: waivers, manual items, windows."""

from __future__ import annotations

from typing import Final

from exporters.console.attest import waiverpages

PAGES: Final = (*waiverpages.PAGES,)
