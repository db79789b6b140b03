"""The pages of what people decide: waivers, manual items, windows."""

from __future__ import annotations

from typing import Final

from exporters.console.attest import waiverpages, windowpages

PAGES: Final = (*waiverpages.PAGES, *windowpages.PAGES)
