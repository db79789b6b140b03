"""Operations of the review: hits and what is done to them, saved views, exports, the assessment sheet."""

from __future__ import annotations

from typing import Final

from exporters.console.review import (
    assessment,
    changes,
    exports,
    groups,
    listing,
    onehit,
    views,
)
from exporters.console.review.filters import HitFilter
from exporters.console.web.routing import Nothing, Operation, Reply

_HIT: Final = "/hits/{id}"
_VIEW: Final = "/views/{id}"

# paths without {id} first: /hits/groups is no hit
OPERATIONS: Final = (
    Operation(
        "assessment.get",
        "GET",
        "/assessment/sheet",
        "view",
        assessment.assessment,
        assessment.Asked,
        assessment.Sheet,
    ),
    Operation("hits.list", "GET", "/hits", "view", listing.listing, HitFilter, listing.Listing),
    Operation(
        "hits.groups", "GET", "/hits/groups", "view", groups.groups, HitFilter, groups.Groups
    ),
    Operation(
        "hits.csv",
        "GET",
        "/hits/export.csv",
        "view",
        exports.as_csv,
        HitFilter,
        Reply,
        "text/csv",
    ),
    Operation(
        "hits.ocsf",
        "GET",
        "/hits/export.ocsf",
        "view",
        exports.as_ocsf,
        HitFilter,
        Reply,
        "application/x-ndjson",
    ),
    Operation(
        "hits.bulk", "POST", "/hits/bulk", "review", changes.bulk, changes.Bulk, changes.Changed
    ),
    Operation("hits.get", "GET", _HIT, "view", onehit.one, onehit.ById, onehit.WholeHit),
    Operation(
        "hits.events", "GET", f"{_HIT}/events", "view", onehit.events, onehit.ById, onehit.Events
    ),
    Operation(
        "hits.acknowledge",
        "POST",
        f"{_HIT}/acknowledge",
        "review",
        changes.acknowledge,
        changes.Acknowledge,
        changes.Version,
    ),
    Operation(
        "hits.assign",
        "POST",
        f"{_HIT}/assign",
        "review",
        changes.assign,
        changes.Assign,
        changes.Version,
    ),
    Operation(
        "hits.comment",
        "POST",
        f"{_HIT}/comments",
        "review",
        changes.comment,
        changes.Comment,
        onehit.Events,
    ),
    Operation(
        "hits.set_ticket",
        "PUT",
        f"{_HIT}/ticket",
        "review",
        changes.ticket,
        changes.Ticket,
        changes.Version,
    ),
    Operation("views.list", "GET", "/views", "view", views.views, gives=views.Views),
    Operation("views.save", "POST", "/views", "view", views.save, views.Save, views.View),
    Operation("views.change", "PUT", _VIEW, "view", views.change, views.Change, views.View),
    Operation("views.remove", "DELETE", _VIEW, "view", views.remove, onehit.ById, Nothing),
)
