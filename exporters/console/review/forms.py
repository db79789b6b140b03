"""What the forms of the review take, and what pressing their buttons does."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec

from exporters.console.notify import tickets
from exporters.console.review import changes, filters, views
from exporters.console.review.changes import Name, Note
from exporters.console.review.changing import MOST, Action, Seen
from exporters.console.web.asker import Asker
from exporters.console.web.ids import BigId, Id, Natural
from exporters.console.web.refusals import Invalid
from exporters.console.web.routing import Answer, Redirect, Shown

Query = Annotated[str, msgspec.Meta(max_length=4000)]


class HitForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the page of one hit: `action` is the button."""

    id: BigId
    action: Literal["acknowledge", "unacknowledge", "assign", "unassign", "comment", "ticket"]
    version: Natural = 0
    note: Note = ""
    to: Name = ""
    ticket: Name = ""


class BulkForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the list: `chosen` are `id:version`; `everything`: all that `query` finds, which were `count` when it was
    asked whether that is meant."""

    action: Action | Literal["waive", "unwaive", "ticket"]
    chosen: tuple[Annotated[str, msgspec.Meta(pattern=r"^\d{1,15}:\d{1,9}$")], ...] = ()
    everything: bool = False
    query: Query = ""
    count: Natural | None = None
    to: Name = ""
    note: Note = ""


class ViewForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`id` of one that is changed, none for a new one."""

    action: Literal["save", "rename", "share", "unshare", "remove"]
    id: Id | None = None
    name: Annotated[str, msgspec.Meta(max_length=80)] = ""
    query: Query = ""
    shared: bool = False


def hit_form(asker: Asker, given: HitForm) -> Answer:
    note = _lines(given.note)
    if given.action == "comment":
        if not note.strip():
            raise Invalid("review.comment_empty", "note")
        changes.comment(asker, changes.Comment(given.id, note))
    elif given.action == "ticket":
        changes.ticket(asker, changes.Ticket(given.id, given.version, given.ticket))
    elif given.action in ("assign", "unassign"):
        if given.action == "assign" and not given.to.strip():
            raise Invalid("review.no_such_owner", "to", name="")
        to = given.to.strip() if given.action == "assign" else ""
        changes.assign(asker, changes.Assign(given.id, given.version, to))
    else:
        undo = given.action == "unacknowledge"
        changes.acknowledge(asker, changes.Acknowledge(given.id, given.version, note, undo))
    return Redirect(f"/hits/{given.id}", "review.done")


def bulk_form(asker: Asker, given: BulkForm) -> Answer:
    asked = filters.parsed(given.query)
    seen = tuple(Seen(*map(int, one.split(":"))) for one in given.chosen)
    if given.action == "waive" or given.action == "unwaive":
        return _waivers(given, asked, seen)
    if given.action == "ticket":
        return _ticket(asker, given, asked, seen)
    to = given.to.strip()
    if given.action == "assign" and not to:
        raise Invalid("review.no_such_owner", "to", name="")
    if not given.everything:
        done = changes.bulk(asker, changes.Bulk(given.action, seen, to=to, note=_lines(given.note)))
    elif given.count is None:
        return confirmation(asker, given, asked)
    else:
        whole = changes.Bulk(
            given.action, query=given.query, count=given.count, to=to, note=_lines(given.note)
        )
        done = changes.bulk(asker, whole)
    numbers = {"changed": f"{done.changed:,}", "of": f"{done.of:,}"}
    return Redirect(f"/hits{filters.query(asked)}", "review.done_many", numbers)


def confirmation(asker: Asker, given: BulkForm, asked: filters.HitFilter) -> Answer:
    """Asks whether all of so many are meant."""
    count = changes.matching(asker, asked)
    if count > MOST:
        raise Invalid("review.too_many", "query", most=MOST)
    return Shown(
        "review/confirm.html.j2",
        {"given": given, "count": count, "list": f"/hits{filters.query(asked)}"},
    )


def view_form(asker: Asker, given: ViewForm) -> Answer:
    if given.action == "save":
        if not given.name.strip():
            raise Invalid("review.view_nameless", "name")
        made = views.save(asker, views.Save(given.name, given.query, given.shared))
        return Redirect(f"/hits{made.query}", "review.view_saved", {"name": made.name})
    if given.id is None:
        raise Invalid("review.view_nameless", "id")
    if given.action == "remove":
        views.remove(asker, views.ViewId(given.id))
        return Redirect("/hits", "review.view_removed")
    if given.action == "rename":
        if not given.name.strip():
            raise Invalid("review.view_nameless", "name")
        made = views.change(asker, views.Change(given.id, name=given.name))
    else:
        made = views.change(asker, views.Change(given.id, shared=given.action == "share"))
    return Redirect(f"/hits{made.query}", "review.view_saved", {"name": made.name})


def _waivers(given: BulkForm, asked: filters.HitFilter, seen: tuple[Seen, ...]) -> Answer:
    """To the pages where a waiver of these hits is asked for, or taken back."""
    if given.everything:
        if given.action == "unwaive":
            return Redirect("/waivers")
        if not asked.rule:
            raise Invalid("review.waive_one_rule", "query")
        of = {"rule": asked.rule, "hosts": [asked.host or "*"]}
        return Redirect(f"/waivers/new?{urlencode(of, True)}")
    if not seen:
        raise Invalid("review.none_chosen", "chosen")
    ids = [one.id for one in seen]
    if given.action == "unwaive":
        return Shown("review/unwaive.html.j2", {"ids": ids, "list": f"/hits{filters.query(asked)}"})
    return Redirect(f"/waivers/new?{urlencode({'ids': ids}, True)}")


def _ticket(
    asker: Asker, given: BulkForm, asked: filters.HitFilter, seen: tuple[Seen, ...]
) -> Answer:
    if given.everything or len(seen) > tickets.MOST:
        raise Invalid("tickets.many", "chosen", most=tickets.MOST)
    if not seen:
        raise Invalid("review.none_chosen", "chosen")
    found = tickets.ask(asker, tickets.Wanted(tuple(one.id for one in seen)))
    return Redirect(f"/hits{filters.query(asked)}", found.notice)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
