"""Operations of the review: hits, their groups, and one of them."""

from __future__ import annotations

from typing import Final

from exporters.console.review import groups, listing, onehit
from exporters.console.review.filters import HitFilter
from exporters.console.web.routing import Operation

OPERATIONS: Final = (
    Operation("hits.list", "GET", "/hits", "view", listing.listing, HitFilter, listing.Listing),
    Operation("hits.groups", "GET", "/hits/groups", "view", groups.groups, HitFilter, groups.Groups),
    Operation("hits.get", "GET", "/hits/{id}", "view", onehit.one, onehit.ById, onehit.WholeHit),
    Operation(
        "hits.events", "GET", "/hits/{id}/events", "view", onehit.events, onehit.ById, onehit.Events
    ),
)
