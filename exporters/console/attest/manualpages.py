"""Pages of manual items, and their attachments as downloads."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from sqlalchemy import Select, select

from exporters.console.attest import manual, manuallist, texts
from exporters.console.attest.answers import SAID
from exporters.console.attest.manual import ManualAnswer, ManualShown, ManualWithdrawal
from exporters.console.attest.manuallist import ManualFilter, ManualKey
from exporters.console.schema import department
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.routing import Answer, Page, Redirect, Reply, Shown

_ACCEPT: Final = ".png,.jpg,.jpeg,.pdf,.txt,.log,.csv,.md,.docx,.xlsx"


class ManualFileId(msgspec.Struct, frozen=True):
    id: Id


def answer(asker: Asker, given: ManualAnswer) -> ManualShown:
    """Answer a question; the answer before is kept as history."""
    manual.answered(asker, given)
    return manual.shown(asker, ManualKey(given.rule_id, given.department_id))


def withdraw(asker: Asker, given: ManualWithdrawal) -> ManualShown:
    """The item is open again."""
    return manual.shown(asker, manual.withdrawn(asker, given))


def download(asker: Asker, given: ManualFileId) -> Reply:
    """An attachment. Nothing shows it in a page of ours, and what opens it all the same may run nothing."""
    row = manual.file(asker, given.id)
    headers = {"Content-Security-Policy": "sandbox; default-src 'none'"}
    return Reply(row.content, row.media_type, row.name, headers=headers)


def _list(asker: Asker, given: ManualFilter) -> Answer:
    names: Select[Any] = select(department.c.name).order_by(department.c.name)
    with asker.database.reading() as connection:
        departments = connection.execute(asker.scoped(names, department.c.id)).scalars().all()
    query = {k: v for k, v in msgspec.to_builtins(given).items() if v and k != "after"}
    context = {
        "page": manuallist.listed(asker, given),
        "given": given,
        "query": query,
        "states": manuallist.STATES,
        "departments": [(name, name) for name in departments if name],
    }
    return Shown("attest/manual.html.j2", context)


def _one(asker: Asker, given: ManualKey) -> Answer:
    today = texts.today(asker)
    context = {
        "shown": manual.shown(asker, given),
        "said": SAID,
        "accept": _ACCEPT,
        "first": today.isoformat(),
        "last": (today + texts.LONGEST).isoformat(),
        "limit": asker.services.settings.upload_bytes >> 20,
    }
    return Shown("attest/manual_item.html.j2", context)


def _answer(asker: Asker, given: ManualAnswer) -> Answer:
    manual.answered(asker, given)
    return Redirect(f"/manual/{given.rule_id}/{given.department_id}", "manual.answered_now")


def _withdraw(asker: Asker, given: ManualWithdrawal) -> Answer:
    key = manual.withdrawn(asker, given)
    return Redirect(f"/manual/{key.rule_id}/{key.department_id}", "manual.withdrawn_now")


PAGES: Final = (
    Page("/manual", "view", _list, ManualFilter),
    Page("/manual/attachments/{id}", "view", download, ManualFileId),
    Page("/manual/answers/{id}/withdraw", "review", _withdraw, ManualWithdrawal, "POST"),
    Page("/manual/{rule_id}/{department_id}", "view", _one, ManualKey),
    Page("/manual/{rule_id}/{department_id}", "review", _answer, ManualAnswer, "POST"),
)
