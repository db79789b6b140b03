"""Waivers, manual items and windows in the JSON API."""

from __future__ import annotations

from typing import Final

import msgspec

from exporters.console.attest import (
    coverage,
    maintenancefile,
    manual,
    manuallist,
    manualpages,
    waiverlist,
    waiverpages,
    waivers,
    windowpages,
    windowstore,
    windowwanted,
)
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.routing import Nothing, Operation, Reply


class WaiverId(msgspec.Struct, frozen=True):
    id: Id


def _waiver(asker: Asker, given: WaiverId) -> waiverlist.WaiverShown:
    return waiverlist.one(asker, given.id)


def _approve(asker: Asker, given: waivers.WaiverDecision) -> waiverlist.WaiverShown:
    waivers.approved(asker, given)
    return waiverlist.one(asker, given.id)


def _refuse(asker: Asker, given: waivers.WaiverDecision) -> waiverlist.WaiverShown:
    waivers.refused(asker, given)
    return waiverlist.one(asker, given.id)


def _withdraw(asker: Asker, given: waivers.WaiverDecision) -> waiverlist.WaiverShown:
    waivers.withdrawn(asker, given)
    return waiverlist.one(asker, given.id)


WAIVERS: Final = (
    Operation(
        "waivers.list", "GET", "/waivers", "view",
        waiverlist.listed, waiverlist.WaiverFilter, waiverlist.WaiverPage,
    ),
    Operation(
        "waivers.request", "POST", "/waivers", "review",
        waivers.requested, waivers.WaiverAsked, waivers.WaiverRequested,
    ),
    Operation(
        "waivers.request_of_hits", "POST", "/waivers/of-hits", "review",
        waiverpages.request_of_hits, waiverpages.WaiverOfHits, tuple[waivers.WaiverRequested, ...],
    ),
    Operation(
        "waivers.preview", "POST", "/waivers/preview", "review",
        coverage.covered, coverage.WaiverScope, coverage.WaiverCoverage,
    ),
    Operation(
        "waivers.file", "GET", "/waivers.yaml", "view",
        waiverpages.file, Nothing, Reply, "application/yaml",
    ),
    Operation("waivers.get", "GET", "/waivers/{id}", "view", _waiver, WaiverId, waiverlist.WaiverShown),
    Operation(
        "waivers.approve", "POST", "/waivers/{id}/approve", "approve",
        _approve, waivers.WaiverDecision, waiverlist.WaiverShown,
    ),
    Operation(
        "waivers.refuse", "POST", "/waivers/{id}/refuse", "approve",
        _refuse, waivers.WaiverDecision, waiverlist.WaiverShown,
    ),
    Operation(
        "waivers.withdraw", "POST", "/waivers/{id}/withdraw", "review",
        _withdraw, waivers.WaiverDecision, waiverlist.WaiverShown,
    ),
)  # fmt: skip


def _window(asker: Asker, given: windowpages.WindowId) -> windowstore.WindowShown:
    return windowstore.one(asker, given.id)


WINDOWS: Final = (
    Operation(
        "windows.list", "GET", "/windows", "view",
        windowstore.listed, windowstore.WindowFilter, windowstore.WindowPage,
    ),
    Operation(
        "windows.create", "POST", "/windows", "review",
        windowpages.create, windowwanted.WindowWanted, windowstore.WindowShown,
    ),
    Operation(
        "windows.yaml", "GET", "/windows.yaml", "view",
        windowpages.as_yaml, maintenancefile.WindowMonth, Reply, "application/yaml",
    ),
    Operation(
        "windows.csv", "GET", "/windows.csv", "view",
        windowpages.as_csv, maintenancefile.WindowMonth, Reply, "text/csv",
    ),
    Operation(
        "windows.get", "GET", "/windows/{id}", "view",
        _window, windowpages.WindowId, windowstore.WindowShown,
    ),
    Operation(
        "windows.cancel", "POST", "/windows/{id}/cancel", "review",
        windowpages.cancel, windowstore.WindowCancelled, windowstore.WindowShown,
    ),
)  # fmt: skip

MANUAL: Final = (
    Operation(
        "manual.list", "GET", "/manual", "view",
        manuallist.listed, manuallist.ManualFilter, manuallist.ManualPage,
    ),
    Operation(
        "manual.attachment", "GET", "/manual/attachments/{id}", "view",
        manualpages.download, manualpages.ManualFileId, Reply, "application/octet-stream",
    ),
    Operation(
        "manual.withdraw", "POST", "/manual/answers/{id}/withdraw", "review",
        manualpages.withdraw, manual.ManualWithdrawal, manual.ManualShown,
    ),
    Operation(
        "manual.get", "GET", "/manual/{rule_id}/{department_id}", "view",
        manual.shown, manuallist.ManualKey, manual.ManualShown,
    ),
    Operation(
        "manual.answer", "POST", "/manual/{rule_id}/{department_id}", "review",
        manualpages.answer, manual.ManualAnswer, manual.ManualShown, body_limit=16 << 20,
    ),
)  # fmt: skip

OPERATIONS: Final = (*MANUAL, *WAIVERS, *WINDOWS)
