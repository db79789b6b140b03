"""Waivers, manual items and windows in the JSON API."""

from __future__ import annotations

from typing import Final

import msgspec

from exporters.console.attest import coverage, texts, waiverlist, waiverpages, waivers
from exporters.console.web.asker import Asker
from exporters.console.web.routing import Nothing, Operation, Reply


class _Id(msgspec.Struct, frozen=True):
    id: texts.Id


def _waiver(asker: Asker, given: _Id) -> waiverlist.Told:
    return waiverlist.one(asker, given.id)


def _approve(asker: Asker, given: waivers.Decision) -> waiverlist.Told:
    waivers.approved(asker, given)
    return waiverlist.one(asker, given.id)


def _refuse(asker: Asker, given: waivers.Decision) -> waiverlist.Told:
    waivers.refused(asker, given)
    return waiverlist.one(asker, given.id)


def _withdraw(asker: Asker, given: waivers.Decision) -> waiverlist.Told:
    waivers.withdrawn(asker, given)
    return waiverlist.one(asker, given.id)


WAIVERS: Final = (
    Operation(
        "waivers.list", "GET", "/waivers", "view",
        waiverlist.listed, waiverlist.Listed, waiverlist.Page,
    ),
    Operation(
        "waivers.request", "POST", "/waivers", "review",
        waivers.requested, waivers.Asked, waivers.Requested,
    ),
    Operation(
        "waivers.request_of_hits", "POST", "/waivers/of-hits", "review",
        waiverpages.request_of_hits, waiverpages.OfHits, tuple[waivers.Requested, ...],
    ),
    Operation(
        "waivers.preview", "POST", "/waivers/preview", "review",
        coverage.covered, coverage.Scope, coverage.Covered,
    ),
    Operation(
        "waivers.file", "GET", "/waivers.yaml", "view",
        waiverpages.file, Nothing, Reply, "application/yaml",
    ),
    Operation("waivers.get", "GET", "/waivers/{id}", "view", _waiver, _Id, waiverlist.Told),
    Operation(
        "waivers.approve", "POST", "/waivers/{id}/approve", "approve",
        _approve, waivers.Decision, waiverlist.Told,
    ),
    Operation(
        "waivers.refuse", "POST", "/waivers/{id}/refuse", "approve",
        _refuse, waivers.Decision, waiverlist.Told,
    ),
    Operation(
        "waivers.withdraw", "POST", "/waivers/{id}/withdraw", "review",
        _withdraw, waivers.Decision, waiverlist.Told,
    ),
)  # fmt: skip

OPERATIONS: Final = (*WAIVERS,)
