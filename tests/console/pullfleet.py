"""For tests of pulling and pushing: audits that a test makes, agents' own web servers over them, consoles that ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from collectors.strictyaml import Duration
from exporters.console.pull.puller import Puller
from exporters.console.pull.settings import PullSettings
from exporters.console.schema import hit, host, target
from exporters.console.settings import ConsoleSettings
from rules.model import Host, fingerprint
from tests.consolelab import Console
from tests.exporters.findingsamples import RULE, audited, verdict
from tests.exporters.httpserver import SmallBackend

NOW = datetime.now(UTC).replace(microsecond=0)
EVERY = 60.0  # seconds


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def audit(key: str = "host-1", minutes: float = 0, instances: tuple[str, ...] = ("toor",)) -> bytes:
    """An audit of a host, so many minutes after the others, in which these fail."""
    verdicts = [
        verdict("fail", one, fingerprint=fingerprint(key, RULE.id, one)) for one in instances
    ] or [verdict("pass")]
    result = msgspec.structs.replace(
        audited(*verdicts), host=Host(key, key.title()), time=later(60 * minutes), hits=()
    )
    return msgspec.json.encode(result)


def agent_of(content: bytes | None) -> SmallBackend:
    made = SmallBackend()
    made.audit = content
    return made


def pulling(path: Path, **more: Any) -> ConsoleSettings:
    return ConsoleSettings(
        pull=PullSettings(
            targets_files=(str(path),), interval=Duration(EVERY), timeout=Duration(5), **more
        )
    )


def write_targets(path: Path, *groups: tuple[list[str], Mapping[str, str]]) -> None:
    """In one move, as a file is written that somebody reads meanwhile."""
    aside = path.with_suffix(".new")
    aside.write_bytes(
        msgspec.json.encode([{"targets": it, "labels": labels} for it, labels in groups])
    )
    aside.replace(path)


@contextmanager
def puller_of(console: Console, **more: Any) -> Iterator[Puller]:
    made = Puller(console.database, console.services, **more)
    try:
        yield made
    finally:
        made.close()


def rows(console: Console, table: Any) -> list[Any]:
    with console.database.reading() as connection:
        return list(connection.execute(select(table).order_by(*table.primary_key)).all())


def hosts(console: Console) -> list[Any]:
    return rows(console, host)


def hits(console: Console) -> list[Any]:
    return rows(console, hit)


def targets(console: Console) -> list[Any]:
    return rows(console, target)
