"""The pages of what people decide: waivers, manual items, windows."""

from __future__ import annotations

from typing import Final

from exporters.console.attest import manualpages, waiverpages, windowpages

PAGES: Final = (*manualpages.PAGES, *waiverpages.PAGES, *windowpages.PAGES)
