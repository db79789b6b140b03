"""The pages of the console that are measured, with what each may take, and the keys of pages deep in a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx
from sqlalchemy import func, select

from benchmarks.consoledata import DEPARTMENTS
from exporters.console.database import Database
from exporters.console.schema import hit_tally, host, rule

LIST: Final = 150.0  # ms
OVERVIEW: Final = 400.0

_WHOLE: Final = ("/", "/api/v1/overview", "/clauses")
_LISTS: Final = (
    *("/hits", "/hits?size=200", "/hits?state=all", "/hits?state=regressed"),
    *(f"/hits?sort={one}" for one in ("age", "last_seen", "host", "rule", "changed")),
    *(
        f"/hits?sort={one}&direction={way}"
        for one, way in (("severity", "asc"), ("age", "asc"), ("host", "desc"), ("rule", "desc"))
    ),
    *("/hits?state=regressed&sort=age", "/hits?state=fixed&sort=changed"),
    *("/hits?severity=critical&sort=age", "/hits?severity=info&sort=host"),
    *("/hits?verdict=unknown", "/hits?pack=mlps-l3", "/hits?clause=8.1.4.1&sort=last_seen"),
    *("/hits?clause=8.1.4.1.a&sort=host", "/hits?department={department}"),
    *("/hits?department={department}&sort=host", "/hits?system={system}"),
    *("/hits?system={system}&clause=8.1.4.1", "/hits?region={region}&sort=age"),
    *("/hits?region={region}&max_age=7", "/hits?host=vm-01234", "/hits?rule={rule}"),
    *("/hits?rule={rule}&department={department}&sort=changed", "/hits?owner=analyst"),
    *("/hits?owner=none&sort=last_seen", "/hits?min_age=60", "/hits?max_age=2&sort=host"),
    *("/hits?max_age=2&sort=last_seen", "/hits?ticket=T-77", "/hits?text=口令"),
    *("/hits?text=张伟", "/hits?text=zabbix3", "/hits?text=nowhere-at-all"),
    *("/hits?text=nowhere-at-all&department={department}", "/hits?group=rule"),
    *("/hits?group=host", "/hits?group=host&clause=8.1.4.1"),
    *("/hits?group=host&state=regressed", "/hits?group=rule&region={region}"),
    *("/hits?group=rule&department={department}", "/hits?group=rule&text=zabbix"),
    *("/hosts", "/hosts?sort=score", "/hosts?sort=audit&silent=yes", "/hosts?text=vm-04"),
    *("/rules", "/rules?pack=mlps-l3&outcome=fail", "/rules/{rule}"),
    *("/lines", "/lines?state=down&level=county"),
    *("/fleet", "/fleet?q=vm-049", "/fleet?state=silent", "/fleet/targets"),
    *("/waivers", "/waivers?state=requested", "/waivers?within=30", "/waivers?text=nowhere"),
    *("/manual", "/windows"),
)
_DEEP: Final = ("severity", "age", "last_seen", "host", "rule", "changed")
_DEPTH: Final = 30  # pages of 200


def urls(database: Database, client: httpx.Client) -> Iterator[tuple[str, str, float]]:
    """What it is called, the URL, the target in ms."""
    yield from ((one, one, OVERVIEW) for one in _WHOLE)
    of = _examples(database)
    for one in _LISTS:
        url = one.format(**of)
        yield url, url, LIST
    for sort in _DEEP:
        cursor = ""
        for _ in range(_DEPTH):
            answer = client.get(f"/api/v1/hits?sort={sort}&size=200&cursor={cursor}").json()
            cursor = answer["next"] or cursor
        yield f"/hits?sort={sort}, page 120", f"/hits?sort={sort}&cursor={cursor}", LIST
    mine = client.get("/api/v1/hits?size=1").json()["hits"][0]
    yield "one hit", f"/hits/{mine['id']}", LIST
    yield "one host", f"/hosts/{of['host']}", LIST
    yield "one agent", f"/fleet/{of['host']}", LIST


def _examples(database: Database) -> dict[str, Any]:
    with database.reading() as connection:
        most = (
            select(rule.c.name)
            .join(hit_tally, hit_tally.c.rule_id == rule.c.id)
            .group_by(rule.c.id, rule.c.name)
            .order_by(func.sum(hit_tally.c.hits).desc())
            .limit(1)
        )
        name = connection.execute(most).scalar_one()
        statement = select(host.c.id, host.c.system, host.c.region).where(host.c.name == "vm-00002")
        row = connection.execute(statement).one()
    return {
        "department": DEPARTMENTS[2],
        "host": row.id,
        "region": row.region,
        "rule": name,
        "system": row.system,
    }
