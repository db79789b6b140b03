"""The report's part on the baseline: out of real audits and made-up ones; hosts that nobody audited; hits; waivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from agents.cli import main
from agents.fleet.audit import HostResult
from collectors.strictyaml import DocumentError
from exporters.report.document import BaselineDepartment, BaselinePart
from exporters.report.sections import auditfiles
from exporters.report.sections.audited import Hosts, instance_host
from exporters.report.sections.baseline import baseline_from_files, baseline_from_prometheus
from exporters.report.sections.gaps import gaps
from exporters.report.sections.ofmonth import window
from exporters.report.sections.settings import BaselineSettings
from exporters.usage.period import Period
from rules.hits import Ledger
from rules.model import OUTCOMES, AuditResult, Hit, Host, PackResult, Text, Workflow, fingerprint
from rules.score import worst_by_rule
from tests.exporters.findingsamples import verdict

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN = datetime(2026, 10, 1, tzinfo=ZONE)
END = datetime(2026, 11, 1, tzinfo=ZONE)
PERIOD = Period("2026-10", BEGIN.timestamp(), END.timestamp())
MACHINES = Path(__file__).parents[1] / "fixtures/machines"
ESTATE = """
hosts:
  - {name: web-01, host: "ssh://ops@10.0.0.1", department: 甲局}
  - {name: web-02, host: "ssh://ops@10.0.0.2:2222", department: 甲局}
  - {name: db-01, host: "ssh://ops@[2001:db8::3]", department: 乙局}
  - {name: cold, host: "ssh://ops@10.0.0.4", department: 丙局}
"""
NO = dict.fromkeys(OUTCOMES, 0)


def pack(name: str = "mlps-l3", score: float | None = 0.5, **counts: int) -> PackResult:
    return PackResult(name, Text("", ""), {}, score, {**NO, **counts}, ())  # type: ignore[dict-item]


def audit(name: str, *packs: PackResult, day: int = 15, **more: Any) -> AuditResult:
    time = datetime(2026, 10, day, tzinfo=UTC)
    return AuditResult(Host(f"id-{name}", name), time, 1.0, packs, **more)


def hit(host: str, rule: str = "r", state: Workflow = "new", days: float = 10, **more: Any) -> Hit:
    first = END - timedelta(days=days)
    mark = fingerprint(host, rule, more.get("instance", ""))
    return Hit(
        *(mark, Host(f"id-{host}", host), rule, Text("标题", "title"), "high", state),
        *(first, END, END),
        packs=("mlps-l3",),
        **more,
    )


def about(value: float) -> Any:
    return pytest.approx(value)


def lines(path: Path, *told: Any) -> str:
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in told))
    return str(path)


@pytest.fixture
def estate(tmp_path: Path) -> str:
    (tmp_path / "hosts.yaml").write_text(ESTATE)
    return str(tmp_path / "hosts.yaml")


def by_name(part: BaselinePart) -> dict[str, BaselineDepartment]:
    return {one.name: one for one in part.departments}


def test_departments_from_audits_of_hosts_and_of_inventories(tmp_path: Path, estate: str) -> None:
    (tmp_path / "now").mkdir()
    lines(
        tmp_path / "now" / "1.json",
        audit("web-01", pack(score=0.2), day=3),
        audit("web-01", pack(score=0.8, fail=2, unknown=1, manual=3), day=9),
        audit("web-01", pack("ipv6-readiness", 0.0, fail=50), day=9),
    )
    lines(
        tmp_path / "now" / "2.jsonl",
        HostResult(
            "web-02", "ssh://ops@10.0.0.2", "甲局", "", audit("vm-7", pack(score=0.4, fail=5))
        ),
        HostResult("db-01", "ssh://ops@[2001:db8::3]", "乙局", "", None, "no route"),
        HostResult(
            "new", "ssh://ops@10.0.0.9", "丁局", "", audit("new", pack(score=None, manual=1))
        ),
        audit("stranger", pack(score=1.0)),
    )
    then = {"day": 1}
    before = lines(
        tmp_path / "b.json",
        audit("web-01", pack(score=0.5), **then),
        audit("db-01", pack(), **then),
    )
    settings = BaselineSettings(estate=estate, audits=str(tmp_path / "now"), before=before)
    part = baseline_from_files(settings, PERIOD, ZONE, "now")
    found = by_name(part)
    assert found["甲局"] == BaselineDepartment(
        "甲局",
        2,
        2,
        about(60),
        about(50),
        7,
        1,
        3,
        None,
        datetime(2026, 10, 9, tzinfo=UTC),
        datetime(2026, 10, 15, tzinfo=UTC),
    )
    at = [datetime(2026, 10, 15, tzinfo=UTC)] * 2
    assert found["乙局"] == BaselineDepartment("乙局", 1, 0, None, 50, 0, 0, 0, None)
    assert found["丙局"] == BaselineDepartment("丙局", 1, 0, None, None, 0, 0, 0, None)
    assert found["丁局"] == BaselineDepartment("丁局", 1, 1, None, None, 0, 0, 1, None, *at)
    assert found[""] == BaselineDepartment("", 1, 1, 100, None, 0, 0, 0, None, *at)
    assert [one.name for one in part.departments][:3] == ["丁局", "丙局", "乙局"]
    assert not part.oldest
    assert not part.waivers


def test_a_rule_of_two_packs_counts_once(tmp_path: Path, estate: str) -> None:
    one = verdict("fail", rule="a"), verdict("unknown", rule="b")
    other = verdict("fail", rule="a"), verdict("fail", rule="b"), verdict("manual", rule="c")
    packs = [
        msgspec.structs.replace(pack(name, score), verdicts=its)
        for name, score, its in (("mlps-l2", 0.4, one), ("mlps-l3", 0.6, other))
    ]
    audits = lines(tmp_path / "a.json", audit("web-01", *packs))
    part = baseline_from_files(BaselineSettings(estate=estate, audits=audits), PERIOD, ZONE)
    it = by_name(part)["甲局"]
    assert (it.score, it.failed, it.unknown, it.manual) == (about(50), 2, 0, 1)
    alone = BaselineSettings(estate=estate, audits=audits, packs=("mlps-l3",))
    assert by_name(baseline_from_files(alone, PERIOD, ZONE))["甲局"].score == about(60)


def test_hits_the_oldest_first(tmp_path: Path, estate: str) -> None:
    audits = lines(
        tmp_path / "a.json", HostResult("web-02", "", "甲局", "", audit("vm-7", pack(score=0.4)))
    )
    hits = lines(
        tmp_path / "h.json",
        [
            hit("web-01", "one", days=30.5),
            hit("web-01", "two", "acknowledged", days=400),
            hit("web-01", "three", "waived", days=500, waiver="W-1"),
            hit("web-01", "four", "fixed", days=600),
            hit("web-01", "later", days=-2),
            msgspec.structs.replace(hit("web-01", "v6", days=900), packs=("ipv6-readiness",)),
        ],
        hit("vm-7", "five", "regressed", days=50),
    )
    settings = BaselineSettings(estate=estate, audits=audits, hits=hits, oldest=3)
    part = baseline_from_files(settings, PERIOD, ZONE)
    assert [(one.host, one.rule, one.days, one.department) for one in part.oldest] == [
        ("web-01", "two", 400, "甲局"), ("web-02", "five", 50, "甲局"), ("web-01", "one", 30, "甲局"),
    ]  # fmt: skip
    found = by_name(part)
    assert [found[name].open_hits for name in ("甲局", "乙局", "丙局")] == [3, None, None]
    assert {one.code: one.examples for one in gaps(None, None, part)}["no_hits"] == ("丙局", "乙局")
    # hits that audits kept count where no file has any
    kept = lines(tmp_path / "k.json", audit("web-01", pack(), hits=(hit("web-01", "one"),)))
    part = baseline_from_files(BaselineSettings(estate=estate, audits=kept), PERIOD, ZONE)
    assert by_name(part)["甲局"].open_hits == 1


def test_audits_of_another_time_are_none_of_the_month(tmp_path: Path, estate: str) -> None:
    def audited(name: str, time: datetime, score: float = 0.9) -> AuditResult:
        return msgspec.structs.replace(audit(name, pack(score=score)), time=time)

    old, soon, late = BEGIN - timedelta(days=5), END + timedelta(days=6), END + timedelta(days=8)
    audits = lines(
        tmp_path / "a.json",
        audited("web-01", datetime(2025, 3, 1)),  # without a zone
        audited("web-02", datetime(2025, 3, 1, tzinfo=UTC), 0.1),
        audited("web-02", soon, 0.5),
        audited("web-02", late),
        audited("db-01", late),
        audited("cold", old),
    )
    settings = BaselineSettings(estate=estate, audits=audits)
    part = baseline_from_files(settings, PERIOD, ZONE)
    found = by_name(part)
    its = found["甲局"]
    assert (its.hosts, its.audited, its.score, its.since, its.until) == (2, 1, 50, soon, soon)
    assert (found["乙局"].audited, found["乙局"].score, found["乙局"].since) == (0, None, None)
    assert (found["丙局"].audited, found["丙局"].score) == (0, None)
    assert [(one.name, one.department, one.time) for one in part.outdated] == [
        ("web-01", "甲局", datetime(2025, 3, 1, tzinfo=UTC)),
        ("cold", "丙局", old),
        ("db-01", "乙局", late),
    ]
    # as clocks at the site show them
    assert {it.time.utcoffset() for it in (*part.outdated,)} == {timedelta(hours=8)}
    assert its.since
    assert its.since.utcoffset() == timedelta(hours=8)
    gap = {one.code: one for one in gaps(None, None, part)}["audits_outdated"]
    assert (gap.count, gap.examples[0]) == (3, "web-01 2025-03-01")


def test_hits_are_known_of_whom_anybody_looked_at(tmp_path: Path, estate: str) -> None:
    audits = lines(tmp_path / "a.json", audit("web-01", pack(fail=2)), audit("db-01", pack()))
    settings = BaselineSettings(estate=estate, audits=audits)

    def told(settings: BaselineSettings) -> list[int | None]:
        found = by_name(baseline_from_files(settings, PERIOD, ZONE))
        return [found[name].open_hits for name in ("甲局", "乙局", "丙局")]

    assert told(settings) == [None, None, None]  # nobody keeps any
    hits = lines(tmp_path / "h.json", hit("web-01", state="fixed"), hit("cold", days=-10))
    # first seen after the month: nothing was open then
    assert told(msgspec.structs.replace(settings, hits=hits)) == [0, 0, 0]
    none = lines(tmp_path / "none.json", [])
    assert told(msgspec.structs.replace(settings, hits=none)) == [0, 0, None]
    kept = lines(
        *(tmp_path / "k.json", audit("web-01", pack(fail=1), hits=(hit("web-01"),))),
        *(audit("db-01", pack()), audit("cold", pack(fail=1))),
    )
    # what fails and keeps no hits is not known
    assert told(BaselineSettings(estate=estate, audits=kept)) == [1, 0, None]


def test_hits_as_agents_keep_them(tmp_path: Path) -> None:
    newer = msgspec.structs.replace(hit("a"), state="fixed", last_seen=END + timedelta(1))
    path = lines(tmp_path / "h.json", Ledger(Host("id-a", "a"), (hit("a"),)), [newer])
    assert [one.state for one in auditfiles.hits(path)] == ["fixed"]


def test_waivers_that_expire(tmp_path: Path, estate: str) -> None:
    def waiver(id: str, hosts: str, expires: date) -> str:
        return (
            f"  - {{id: {id}, rule: r, hosts: [{hosts}], reason: 迁移, owner: 张伟, approver: 李敏,"
            f" expires: {expires}}}\n"
        )

    path = tmp_path / "waivers.yaml"
    path.write_text(
        "waivers:\n"
        + waiver("past", "web-01", date(2026, 9, 30))
        + waiver("W-1", "web-*", date(2026, 10, 20))
        + waiver("W-2", "'*'", date(2026, 11, 30))
        + waiver("W-3", "gone", date(2026, 12, 1))
        + waiver("W-4", "id-vm-7", date(2026, 12, 2))
        + waiver("far", "web-01", date(2027, 3, 1))
    )
    audits = lines(
        tmp_path / "a.json", HostResult("web-02", "", "甲局", "", audit("vm-7", pack(score=0.4)))
    )
    hits = lines(tmp_path / "h.json", [hit("web-01", "r", "waived", waiver="W-1")])
    settings = BaselineSettings(estate=estate, audits=audits, hits=hits, waivers=str(path))
    part = baseline_from_files(settings, PERIOD, ZONE)
    assert [(one.id, one.department, one.days_left, one.hits) for one in part.waivers] == [
        ("W-1", "甲局", -12, 1),
        *[("W-2", department, 29, 0) for department in ("丙局", "乙局", "甲局")],
        ("W-3", "", 30, 0),
        ("W-4", "甲局", 31, 0),
    ]
    without = msgspec.structs.replace(settings, hits="")
    assert {one.hits for one in baseline_from_files(without, PERIOD, ZONE).waivers} == {None}


def test_a_real_audit(tmp_path: Path) -> None:
    run = CliRunner().invoke(
        main,
        [
            "audit",
            "--recorded",
            str(MACHINES / "hardened"),
            "--pack",
            "mlps-l3",
            "--format",
            "json",
        ],
    )
    assert run.exit_code == 0, run.output
    (tmp_path / "a.json").write_bytes(run.stdout_bytes)
    result = msgspec.json.decode(run.stdout_bytes, type=AuditResult)
    (tmp_path / "hosts.yaml").write_text(
        f"hosts: [{{name: {result.host.name or result.host.id}, host: local, department: 甲局}}]"
    )
    settings = BaselineSettings(
        estate=str(tmp_path / "hosts.yaml"), audits=str(tmp_path / "a.json")
    )
    month = PERIOD._replace(until=result.time.timestamp())
    [it] = baseline_from_files(settings, month, ZONE).departments
    [judged] = result.packs
    worst = [v.verdict for v in worst_by_rule(judged.verdicts).values()]
    assert judged.score is not None
    assert (it.hosts, it.audited, it.score) == (1, 1, about(100 * judged.score))
    assert (it.failed, it.unknown, it.manual) == tuple(
        worst.count(one) for one in ("fail", "unknown", "manual")
    )


def test_mistakes_are_told_with_their_lines(tmp_path: Path, estate: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(msgspec.json.encode(audit("web-01", pack())) + b"\n{\n[]\n")
    with pytest.raises(DocumentError) as caught:
        baseline_from_files(BaselineSettings(estate=estate, audits=str(path)), PERIOD, ZONE)
    assert [line.partition(": is no audit")[0] for line in str(caught.value).splitlines()] == [
        f"{path}:2", f"{path}:3",
    ]  # fmt: skip
    settings = BaselineSettings(estate=estate, audits=str(tmp_path / "none.json"))
    with pytest.raises(DocumentError, match="cannot be read"):
        baseline_from_files(settings, PERIOD, ZONE)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    ).map(lambda v: msgspec.json.encode(v))
)
@example(b'{"name": "a"}')
@example(b'{"host": {"id": "a"}, "time": "2026-10-01T00:00:00", "duration": 1, "packs": []}')
def test_anything_may_be_in_the_files(content: bytes) -> None:
    import tempfile

    def audits(path: str) -> object:
        return auditfiles.audits(path, Hosts([]), window(PERIOD.until), ZONE)

    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        file.write(content)
        file.flush()
        for read in (audits, auditfiles.hits):
            try:
                read(file.name)
            except DocumentError as error:
                problem = str(error)
                assert file.name in problem


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("web-01:9100", "web-01"),
        ("web-01", "web-01"),
        ("[2001:db8::3]:9100", "2001:db8::3"),
        ("2001:db8::3", "2001:db8::3"),
        ("", ""),
    ],
)
def test_hosts_of_instances(instance: str, host: str) -> None:
    assert instance_host(instance) == host


class One(NamedTuple):
    labels: Mapping[str, str]
    value: float


class Database:
    def __init__(self, answers: Mapping[tuple[str, float], Sequence[One]]) -> None:
        self.answers = answers

    def instant(self, query: str, at: float) -> Sequence[One]:
        return self.answers.get((query.partition("(")[2].partition("[")[0] or query, at), ())

    def over(self, query: str, since: float, until: float, step: float) -> Sequence[One]:
        raise AssertionError(query)


def test_from_a_time_series_database(estate: str) -> None:
    def one(instance: str, value: float, **labels: str) -> One:
        return One({"instance": instance, "pack": "mlps-l3", **labels}, value)

    metric = "jianwei_hit_oldest_open_seconds"
    old = PERIOD.until - 36 * 86400.0
    database = Database(
        {
            ("jianwei_pack_score_ratio", PERIOD.until): [
                one("10.0.0.1:9100", 0.6),
                one("WEB-02:9100", 0.8),
                one("web-02:9100", 0.1, pack="link-quality"),
                one("other:9100", 0.3),
                one("10.0.0.4:9100", 0.9),
            ],
            ("jianwei_audit_timestamp_seconds", PERIOD.until): [one("10.0.0.4:9100", old)],
            ("jianwei_pack_score_ratio", PERIOD.since): [one("web-01", 0.5)],
            ("jianwei_pack_verdicts", PERIOD.until): [
                one("10.0.0.1:9100", 4, verdict="fail"),
                one("10.0.0.1:9100", 2, verdict="unknown"),
                one("web-02:9100", 1, verdict="manual"),
                one("[2001:db8::3]:9100", 5, verdict="manual"),
            ],
            ("jianwei_hits", PERIOD.until): [
                one("web-02:9100", 3, state="new", severity="high"),
                one("web-02:9100", 2, state="acknowledged", severity="high"),
                one("web-02:9100", 9, state="waived", severity="high"),
            ],
            (metric, PERIOD.until): [
                one("web-02:9100", 3 * 86400.0, severity="high"),
                one("web-01:9100", 86400.0, severity="low"),
            ],
            (f"{metric}) - {metric}", PERIOD.until): [
                one("web-01:9100", PERIOD.until - 40 * 86400.0, severity="low")
            ],
        }
    )
    settings = BaselineSettings(estate=estate)
    part = baseline_from_prometheus(database, PERIOD, settings, ZONE, "p")  # type: ignore[arg-type]
    found = by_name(part)
    assert found["甲局"] == BaselineDepartment(
        "甲局",
        2,
        2,
        about(70),
        about(50),
        4,
        2,
        1,
        5,
    )
    assert found["乙局"] == BaselineDepartment("乙局", 1, 1, None, None, 0, 0, 5, None)
    assert (found["丙局"].audited, found["丙局"].score) == (0, None)
    assert [(it.name, it.time.timestamp()) for it in part.outdated] == [("cold", old)]
    assert (found[""].hosts, found[""].score) == (1, about(30))
    assert [(one.host, one.severity, one.days) for one in part.oldest] == [
        ("web-01", "low", 40), ("web-02", "high", 3),
    ]  # fmt: skip
