"""What a ticket says, from the template of the configuration, and where its number is in the answer.

Values are put into the template's texts as values of JSON, never as JSON: no name of a hit or host breaks out of its
place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, select

from exporters.console.notify import outbox
from exporters.console.notify.events import short
from exporters.console.schema import department, hit, host, rule
from exporters.console.services import Services
from exporters.console.words import say
from exporters.findings.text import words
from exporters.findings.told import harmless, line
from rules.model import SEVERITIES, WORKFLOWS

_NAMED: Final = 50  # hits that a ticket's text names
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_]+)\}")


class Refusal(Exception):
    """A ticket that was not made. `refused`: the system said no; `hopeless`: to ask again would be wrong."""

    def __init__(self, why: str, *, refused: bool = False, hopeless: bool = False) -> None:
        super().__init__(why)
        self.refused, self.hopeless = refused, hopeless


def number_of(body: bytes, path: str) -> str:
    """Raises Refusal where it is not there: the ticket may have been made, so nobody asks for a second one."""
    try:
        value: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(f"its answer is not JSON, so there is no {path}", hopeless=True) from error
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            value = None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise Refusal(f"there is no {path} in its answer", hopeless=True)
    return line(value.strip())[:100]


def filled(template: Any, given: Mapping[str, Any]) -> Any:
    """The template with its placeholders replaced, in values only; one that is nothing but a placeholder becomes the
    value itself, a number or a list."""
    if isinstance(template, str):
        if (whole := _PLACEHOLDER.fullmatch(template)) and whole[1] in given:
            return given[whole[1]]
        # one pass: what was put in is not looked at again
        return _PLACEHOLDER.sub(lambda found: _text(given.get(found[1], found[0])), template)
    if isinstance(template, Mapping):
        return {key: filled(value, given) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [filled(value, given) for value in template]
    return template


def _text(value: Any) -> str:
    return value if isinstance(value, str) else words(value)


def values(
    rows: Sequence[Row[Any]],
    services: Services,
    language: str,
    due: outbox.Due,
    number: str = "",
) -> dict[str, Any]:
    """What a template may say; of several hits the first one's, beside `hosts`, `count` and `text`."""
    settings = services.settings
    key = idempotency(due.key)
    if not rows:
        return {"key": key, "number": number, "count": 0, "by": due.content.get("by", "")}
    first = rows[0]
    title = short(first.title_en if language == "en" else first.title_zh)
    names = list(dict.fromkeys(short(row.name) for row in rows))[:_NAMED]
    urls = [f"{settings.public_url.rstrip('/')}/hits/{row.id}" for row in rows[:_NAMED]]
    listed = [
        f"{short(row.name)} {short(row.instance)} {url}"
        for row, url in zip(rows[:_NAMED], urls, strict=True)
    ]
    one = len(rows) == 1
    return {
        "key": key,
        "number": number,
        "title": title if one else say("tickets.several", language, title=title, count=len(rows)),
        "rule_title": title,
        "severity": SEVERITIES[max(row.severity for row in rows)],
        "state": WORKFLOWS[first.state],
        "rule": first.rule,
        "host": names[0] if len(names) == 1 else ", ".join(names),
        "hosts": names,
        "department": ", ".join(dict.fromkeys(row.department for row in rows)),
        "instance": short(first.instance),
        "actual": words(harmless(_json(first.actual))),
        "expected": words(harmless(_json(first.expected))),
        "source": short(first.source),
        "first_seen": first.first_seen.isoformat(),
        "url": urls[0],
        "count": len(rows),
        "by": str(due.content.get("by", "")),
        "text": "\n".join(listed),
    }


def _json(document: str) -> Any:
    return msgspec.json.decode(document)


def idempotency(key: str) -> str:
    """The same for the same message each time it is sent."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def rows_of(connection: Connection, ids: Sequence[int]) -> list[Row[Any]]:
    return list(
        connection.execute(
            select(
                hit.c.id,
                hit.c.ticket,
                hit.c.severity,
                hit.c.state,
                hit.c.instance,
                hit.c.actual,
                hit.c.expected,
                hit.c.source,
                hit.c.first_seen,
                rule.c.name.label("rule"),
                rule.c.title_zh,
                rule.c.title_en,
                host.c.name,
                department.c.name.label("department"),
            )
            .join(rule, rule.c.id == hit.c.rule_id)
            .join(host, host.c.id == hit.c.host_id)
            .join(department, department.c.id == hit.c.department_id)
            .where(hit.c.id.in_(ids))
            .order_by(hit.c.severity.desc(), hit.c.id)
        )
    )
