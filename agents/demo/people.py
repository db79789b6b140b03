"""The people of the example city and what they did in the console this month, each through what the pages call."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import bcrypt
from sqlalchemy import Connection, select

from agents.demo import city
from agents.demo.audits import BACK
from exporters.console.attest import manual, waivers, windowstore
from exporters.console.attest.manual import ManualAnswer
from exporters.console.attest.waivers import WaiverAsked, WaiverDecision
from exporters.console.attest.windowwanted import WindowWanted
from exporters.console.codes import OUTCOME, SEVERITY, STATE
from exporters.console.database import Database
from exporters.console.people import sessions
from exporters.console.review import changes
from exporters.console.review.changes import Acknowledge, Assign, Comment
from exporters.console.schema import department, hit, host, outcome_tally, rule, user
from exporters.console.services import Services
from exporters.console.web.asker import Asker, Person, Role

ANALYST, APPROVER = "chenjing", "liumin"
# name, what people call them, role, departments (None: all)
USERS: Final[tuple[tuple[str, str, Role, tuple[str, ...] | None], ...]] = (
    ("admin", "周凯", "administrator", None),
    (ANALYST, "陈静", "analyst", None),
    (APPROVER, "刘敏", "approver", None),
    ("zhaolei", "赵磊", "viewer", (city.REGRESSED, city.IDLE)),
    ("wangfang", "王芳", "auditor", None),
)
NOTED: Final = 60  # hits that somebody works on
ANSWERED: Final = 40  # questions


def write(database: Database, services: Services) -> str:
    """Returns the password that all of them have."""
    password = secrets.token_urlsafe(9) + "-Lj7"
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()
    now = datetime.now(UTC)
    with database.writing() as connection:
        for name, full_name, role, departments in USERS:
            connection.execute(
                user.insert().values(
                    name=name,
                    full_name=full_name,
                    role=role,
                    departments=None if departments is None else list(departments),
                    password_hash=hashed,
                    password_changed=now,
                    created=now,
                )
            )
    act(database, services, now)
    return password


def act(database: Database, services: Services, now: datetime) -> None:
    analyst, approver = (_as(database, services, name, now) for name in (ANALYST, APPROVER))
    _review(analyst)
    _waive(analyst, approver)
    _answer(approver)
    _plan(analyst)


def _as(database: Database, services: Services, name: str, now: datetime) -> Asker:
    with database.reading() as connection:
        row = connection.execute(select(user).where(user.c.name == name)).one()
        scope = sessions.scope_of(connection, row.departments)
    person = Person(row.id, row.name, row.full_name, row.role)
    return Asker(
        database=database,
        services=services,
        now=now,
        zone=ZoneInfo(services.settings.zone),
        language="zh",
        person=person,
        scope=scope,
        stage="full",
    )


def _read(
    asker: Asker, find: Callable[[Connection], list[tuple[int, ...]]]
) -> list[tuple[int, ...]]:
    with asker.database.reading() as connection:
        return find(connection)


def _review(analyst: Asker) -> None:
    """The worst are acknowledged and have an owner, one that came back is talked about."""
    worst = (
        select(hit.c.id, hit.c.version)
        .where(hit.c.severity >= SEVERITY["high"], hit.c.state == STATE["new"])
        .order_by(hit.c.severity.desc(), hit.c.first_seen, hit.c.id)
        .limit(NOTED)
    )
    for id, version in _read(analyst, lambda c: [tuple(row) for row in c.execute(worst)]):
        changes.acknowledge(analyst, Acknowledge(id, version, "已通知系统运维单位整改"))
        if id % 2:
            changes.assign(analyst, Assign(id, version + 1, "me"))
    back = (
        select(hit.c.id)
        .join(rule, rule.c.id == hit.c.rule_id)
        .where(rule.c.name == BACK, hit.c.state == STATE["regressed"])
        .order_by(hit.c.id)
        .limit(1)
    )
    for (id,) in _read(analyst, lambda c: [tuple(row) for row in c.execute(back)]):
        changes.comment(
            analyst,
            Comment(id, "上周已整改，昨晚升级镜像后又恢复成默认配置，请镜像维护人修正模板。"),
        )


def _waive(analyst: Asker, approver: Asker) -> None:
    """One is in force, one waits for the second person, one ends soon."""
    today = analyst.now.astimezone(analyst.zone).date()
    for days, hosts, reason in (
        (180, ("zfb-*",), "门户厂商安装程序依赖该配置，迁移前由堡垒机限制访问"),
        (14, ("czj-db-*",), "年终决算期间不做变更，决算后整改"),
    ):
        asked = WaiverAsked(
            rule=_common(analyst, hosts[0]),
            hosts=hosts,
            reason=reason,
            owner="张伟",
            expires=today + timedelta(days=days),
        )
        made = waivers.requested(analyst, asked)
        waivers.approved(approver, WaiverDecision(made.id, 1, "同意，到期复核"))
    waivers.requested(
        analyst,
        WaiverAsked(
            rule=_common(analyst, "wjw-*"),
            hosts=("wjw-*",),
            reason="预约挂号系统停机窗口在下月，先行豁免",
            owner="孙丽",
            expires=today + timedelta(days=60),
        ),
    )


def _common(asker: Asker, pattern: str) -> str:
    """A rule of medium severity with open hits on such hosts."""
    statement = (
        select(rule.c.name)
        .join(hit, hit.c.rule_id == rule.c.id)
        .join(host, host.c.id == hit.c.host_id)
        .where(
            host.c.name.startswith(pattern.rstrip("*"), autoescape=True),
            hit.c.severity == SEVERITY["medium"],
            hit.c.state == STATE["new"],
            hit.c.waiver == "",
        )
        .order_by(hit.c.id)
        .limit(1)
    )
    with asker.database.reading() as connection:
        return str(connection.execute(statement).scalar_one())


def _answer(approver: Asker) -> None:
    today = approver.now.astimezone(approver.zone).date()
    questions = (
        select(outcome_tally.c.rule_id, outcome_tally.c.department_id)
        .join(department, department.c.id == outcome_tally.c.department_id)
        .where(
            outcome_tally.c.outcome == OUTCOME["manual"],
            outcome_tally.c.hosts > 0,
            department.c.name != "",
        )
        .order_by(outcome_tally.c.rule_id, outcome_tally.c.department_id)
        .limit(ANSWERED)
    )
    for n, (of, where) in enumerate(
        _read(approver, lambda c: [tuple(row) for row in c.execute(questions)])
    ):
        answer = ManualAnswer(
            rule_id=of,
            department_id=where,
            answer="fail" if n % 9 == 4 else "pass",
            text="现场核查机房与制度文件，记录见附件编号 2026-11。",
            expires=today + timedelta(days=20 if n % 5 == 0 else 180),
        )
        manual.answered(approver, answer)


def _plan(analyst: Asker) -> None:
    """Maintenance of the network every Wednesday night, and a silence while a system moves."""
    local = analyst.now.astimezone(analyst.zone).replace(
        minute=0, second=0, microsecond=0, tzinfo=None
    )
    night = local.replace(hour=23) + timedelta(days=(3 - local.isoweekday()) % 7)
    windowstore.made(
        analyst,
        WindowWanted(
            kind="maintenance",
            reason="骨干网例行割接",
            begins=night.isoformat(timespec="minutes"),
            ends=(night + timedelta(hours=3)).isoformat(timespec="minutes"),
            lines=(f"{city.COUNTY}-*",),
            every="week",
            weekdays=(night.isoweekday(),),
        ),
    )
    windowstore.made(
        analyst,
        WindowWanted(
            kind="silence",
            reason="文旅云整体搬迁，期间告警不通知",
            begins=local.isoformat(timespec="minutes"),
            ends=(local + timedelta(days=2)).isoformat(timespec="minutes"),
            departments=(city.IDLE,),
        ),
    )
