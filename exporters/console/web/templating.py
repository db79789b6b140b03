"""Templates (Jinja2, always escaped) with what every page has: words, times in the site's zone, who asks."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy import Row

from exporters.console.web.asker import Asker
from exporters.console.web.navigation import entries
from exporters.console.words import say
from exporters.findings.text import words as in_words
from rules.model import SEVERITIES, WORKFLOWS


@functools.cache
def environment() -> Environment:
    made = Environment(
        loader=PackageLoader("exporters.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["value"] = value
    made.filters["severity"] = lambda code: SEVERITIES[code]
    made.filters["state"] = lambda code: WORKFLOWS[code]
    return made


def page(template: str, asker: Asker, path: str, notice: str, context: Mapping[str, Any]) -> str:
    """The page as HTML. In a template: `t("key", name=…)` says a word, `when(time)` a time by the site's clock,
    `asker` who asks, `path` this page's path and `notice` what was just done."""
    say_it = functools.partial(_say, asker.language)
    return (
        environment()
        .get_template(template)
        .render(
            {
                "t": say_it,
                "when": functools.partial(when, zone=asker.zone),
                "text": functools.partial(_text, asker.language),
                "asker": asker,
                "path": path,
                "notice": notice,
                "entries": entries(asker),
                "example": asker.services.settings.example,
                **context,
            }
        )
    )


def _say(language: str, key: str, **values: Any) -> str:
    return say(key, language, **values)


def _text(language: str, row: Row[Any] | Mapping[str, Any], name: str = "title") -> str:
    """Of a row with `title_zh` and `title_en` the one in this language."""
    mapping = row._mapping if isinstance(row, Row) else row
    return str(mapping[f"{name}_{'en' if language == 'en' else 'zh'}"])


def when(time: datetime | None, zone: ZoneInfo, empty: str = "—") -> str:
    return empty if time is None else time.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def value(document: str) -> str:
    """A value that a table keeps as JSON, in few characters."""
    return in_words(json.loads(document))
