"""The fleet as people see it: agents, when they were last heard and how, what each tells of; targets and their files."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from sqlalchemy import Connection, Row, Select, case, func, or_, select, tuple_, update

from exporters.console.pull import known, targetlist
from exporters.console.pull.targetlist import PAGE, Limit, NoNul
from exporters.console.pull.targets import FileState
from exporters.console.schema import (
    agent_token,
    department,
    host,
    host_pack,
    line,
    target,
    unjudged,
)
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import NotFound

Id = Annotated[int, msgspec.Meta(ge=1, le=(1 << 31) - 1)]


class AgentsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`q` is of the name, id or address; `after` the last host of the page before."""

    q: Annotated[str, NoNul] = ""
    department: Annotated[str, NoNul] | None = None
    state: Literal["", "silent", "problem"] = ""
    source: Literal["", "pull", "push"] = ""
    after: Id | None = None
    limit: Limit = PAGE


class Agent(msgspec.Struct, frozen=True):
    """`version` is empty where it is not known. `packs` are those that its last audits were by."""

    id: int
    key: str
    name: str
    department: str
    system: str
    region: str
    level: str
    source: str
    target: str
    version: str
    heard: datetime | None
    last_audit: datetime | None
    silent_since: datetime | None
    problem: str
    packs: tuple[str, ...] = ()


class Agents(msgspec.Struct, frozen=True):
    """A page of them; `next` is the `after` of the next one."""

    agents: tuple[Agent, ...]
    next: int | None


class Summary(msgspec.Struct, frozen=True):
    agents: int
    silent: int
    problems: int
    targets: int
    unanswered: int  # targets that never answered well
    files: tuple[FileState, ...]


class Which(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Id


class Pack(msgspec.Struct, frozen=True):
    """`counts` are rules by outcome."""

    pack: str
    time: datetime
    score: float | None
    counts: dict[str, int]


class AgentToken(msgspec.Struct, frozen=True):
    id: int
    created: datetime
    used: datetime | None
    revoked: datetime | None


class AgentView(msgspec.Struct, frozen=True):
    """`unjudged` counts rules that it could not see enough for; `lines` those that it watches."""

    agent: Agent
    labels: dict[str, str]
    first_seen: datetime
    received: datetime | None
    packs: tuple[Pack, ...]
    unjudged: int
    lines: tuple[str, ...]
    tokens: tuple[AgentToken, ...]


class Revoked(msgspec.Struct, frozen=True):
    revoked: bool


def agents(asker: Asker, given: AgentsQuery) -> Agents:
    statement = _of_hosts(asker)
    if text := given.q.strip():
        statement = statement.where(
            or_(
                *(
                    column.contains(text, autoescape=True)
                    for column in (host.c.name, host.c.key, host.c.target)
                )
            )
        )
    if given.department is not None:
        statement = statement.where(department.c.name == given.department)
    if given.state == "silent":
        statement = statement.where(host.c.silent_since.is_not(None))
    if given.state == "problem":
        statement = statement.where(host.c.problem != "")
    if given.source:
        statement = statement.where(host.c.source == given.source)
    with asker.database.reading() as connection:
        if given.after is not None:
            of_last = select(host.c.name).where(host.c.id == given.after)
            last = connection.execute(asker.scoped(of_last, host.c.department_id)).scalar()
            statement = statement.where(tuple_(host.c.name, host.c.id) > (last or "", given.after))
        ordered = statement.order_by(host.c.name, host.c.id).limit(given.limit + 1)
        rows = connection.execute(ordered).all()
        more, rows = len(rows) > given.limit, rows[: given.limit]
        packs = _packs(connection, [row.id for row in rows])
    found = tuple(_agent(row, packs.get(row.id, ())) for row in rows)
    return Agents(found, found[-1].id if more else None)


def summary(asker: Asker) -> Summary:
    hosts = asker.scoped(
        select(
            func.count(),
            func.count(host.c.silent_since),
            func.coalesce(func.sum(case((host.c.problem != "", 1), else_=0)), 0),
        ).select_from(host),
        host.c.department_id,
    )
    of_targets = targetlist.seen(
        asker, select(func.count(), func.count(target.c.heard)).select_from(target)
    )
    with asker.database.reading() as connection:
        total, silent, problems = connection.execute(hosts).one()
        all_targets, answered = connection.execute(of_targets).one()
        # a path of the console's machine is for those who see all of it
        files = known.files(connection) if asker.scope is None else ()
    return Summary(total, silent, int(problems), all_targets, all_targets - answered, files)


def agent(asker: Asker, given: Which) -> AgentView:
    with asker.database.reading() as connection:
        row = connection.execute(_of_hosts(asker).where(host.c.id == given.id)).first()
        if row is None:
            raise NotFound("not_found")
        packs = connection.execute(
            select(host_pack.c.pack, host_pack.c.time, host_pack.c.score, host_pack.c.counts)
            .where(host_pack.c.host_id == row.id)
            .order_by(host_pack.c.pack)
        ).all()
        unseen = connection.execute(
            select(func.count()).select_from(unjudged).where(unjudged.c.host_id == row.id)
        ).scalar_one()
        lines = connection.execute(
            select(line.c.name).where(line.c.host_id == row.id).distinct().order_by(line.c.name)
        ).scalars()
        tokens = connection.execute(
            select(agent_token)
            .where(agent_token.c.host_key == row.key)
            .order_by(agent_token.c.id.desc())
            .limit(20)
        ).all()
        return AgentView(
            agent=_agent(row, tuple(it.pack for it in packs)),
            labels=row.labels,
            first_seen=row.first_seen,
            received=row.received,
            packs=tuple(Pack(it.pack, it.time, it.score, it.counts) for it in packs),
            unjudged=unseen,
            lines=tuple(lines),
            tokens=tuple(AgentToken(it.id, it.created, it.used, it.revoked) for it in tokens),
        )


def revoke(asker: Asker, given: Which) -> Revoked:
    """A token by its number: the agent that has it is refused from now."""
    with asker.database.writing() as connection:
        row = connection.execute(
            select(agent_token.c.host_key, agent_token.c.labels, host.c.department_id)
            .outerjoin(host, host.c.key == agent_token.c.host_key)
            .where(agent_token.c.id == given.id)
        ).first()
        if row is None or not _may_revoke(asker, row):
            raise NotFound("not_found")
        done = connection.execute(
            update(agent_token)
            .where(agent_token.c.id == given.id, agent_token.c.revoked.is_(None))
            .values(revoked=asker.now)
        ).rowcount
        if done:
            asker.record(connection, "fleet.revoke", row.host_key, {"token": given.id})
    return Revoked(bool(done))


def departments(asker: Asker) -> list[str]:
    statement = select(department.c.name).order_by(department.c.name)
    with asker.database.reading() as connection:
        return list(connection.execute(asker.scoped(statement, department.c.id)).scalars())


def _may_revoke(asker: Asker, row: Any) -> bool:
    if row.department_id is not None:
        return asker.sees(row.department_id)
    mine = asker.person.departments if asker.person else None
    return mine is None or row.labels.get("department", "") in mine


def _of_hosts(asker: Asker) -> Select[Any]:
    statement = select(host, department.c.name.label("department")).join(
        department, department.c.id == host.c.department_id
    )
    return asker.scoped(statement, host.c.department_id)


def _packs(connection: Connection, ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    rows = connection.execute(
        select(host_pack.c.host_id, host_pack.c.pack)
        .where(host_pack.c.host_id.in_(list(ids)))
        .order_by(host_pack.c.pack)
    )
    for row in rows:
        found[row.host_id] = (*found.get(row.host_id, ()), row.pack)
    return found


def _agent(row: Row[Any], packs: tuple[str, ...]) -> Agent:
    names = [name for name in Agent.__struct_fields__ if name != "packs"]
    return Agent(**{name: getattr(row, name) for name in names}, packs=packs)
