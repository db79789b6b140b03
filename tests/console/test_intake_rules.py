"""What one agent tells of rules: its own hosts' affair, and no more of them than there is room for."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from sqlalchemy import func, select

from exporters.console.intake import foreign
from exporters.console.intake.decode import MAX_RULES, Refused, decoded
from exporters.console.schema import host_pack, rule, rule_clause, rule_pack
from rules import clauses
from rules.model import AuditResult, Verdict
from tests.console.intakelab import (
    BEGUN,
    DATABASES,
    TITLE,
    Lab,
    audit,
    emptied,
    hours,
    kept_console,
    together,
)
from tests.consolelab import Console

OWN = "linux.sshd.no-root-login"
PACK = "mlps-l3"


@pytest.fixture(scope="module", params=DATABASES)
def kept(request: pytest.FixtureRequest) -> Iterator[Console]:
    yield from kept_console(request)


@pytest.fixture
def lab(kept: Console) -> Lab:
    return Lab(emptied(kept))


def mapped(result: AuditResult, *where: str) -> AuditResult:
    """Each of its rules is of these clauses, it says."""
    maps = {clauses.STANDARD: where}
    packs = []
    for pack in result.packs:
        verdicts = tuple(msgspec.structs.replace(one, maps=maps) for one in pack.verdicts)
        packs.append(msgspec.structs.replace(pack, verdicts=verdicts))
    return msgspec.structs.replace(result, packs=tuple(packs))


def clauses_of(lab: Lab, name: str) -> set[tuple[str, str]]:
    told = select(rule_clause.c.standard, rule_clause.c.clause).join(rule)
    with lab.console.database.reading() as connection:
        return {(one, two) for one, two in connection.execute(told.where(rule.c.name == name))}


def packs_of(lab: Lab, name: str) -> set[str]:
    told = select(rule_pack.c.pack).join(rule).where(rule.c.name == name)
    with lab.console.database.reading() as connection:
        return set(connection.execute(told).scalars())


def own_clauses(lab: Lab) -> set[tuple[str, str]]:
    maps = lab.console.services.rules[OWN].maps
    return {(standard, one) for standard, ones in maps.items() for one in ones}


def test_clauses_are_those_of_the_consoles_own_rules_whatever_an_agent_says(lab: Lab) -> None:
    everything = [one for one in clauses.catalogue() if one.startswith("8.")]
    lab.take(mapped(audit(BEGUN, {OWN: "pass", "x.a": "pass"}, PACK), *everything))
    assert own_clauses(lab)
    assert clauses_of(lab, OWN) == own_clauses(lab)
    assert clauses_of(lab, "x.a") == set()


def test_one_host_does_not_change_the_sheet_of_another_department(each_console: Console) -> None:
    lab = Lab(each_console)
    lab.take(audit(BEGUN, {OWN: "pass"}, PACK), "财政局")
    reader = lab.console.client("viewer", ("财政局",), "reader")
    before = reader.get("/api/v1/assessment/sheet").json()["verdicts"]
    assert before["pass"] < 10 < before["not_assessed"]
    everything = [one for one in clauses.catalogue() if one.startswith("8.")]
    lab.take(mapped(audit(hours(1), {OWN: "pass"}, PACK, "h2"), *everything), "住建局")
    assert reader.get("/api/v1/assessment/sheet").json()["verdicts"] == before


def test_what_the_tables_have_of_own_rules_is_put_right(lab: Lab) -> None:
    lab.take(audit(BEGUN, {OWN: "pass"}, PACK))
    with lab.console.database.writing() as connection:
        number = connection.execute(select(rule.c.id).where(rule.c.name == OWN)).scalar_one()
        wrong = {"rule_id": number, "standard": clauses.STANDARD, "clause": "8.1.10.1"}
        connection.execute(rule_clause.insert().values(**wrong))
        connection.execute(rule_pack.insert().values(rule_id=number, pack="sm-crypto"))
    lab.console.database.rules.clear()  # as a new process has it
    lab.take(audit(hours(1), {OWN: "pass"}, PACK))
    assert clauses_of(lab, OWN) == own_clauses(lab)
    assert packs_of(lab, OWN) == {PACK}


def test_a_pack_has_no_other_rules_of_ours_but_a_site_may_have_packs_of_its_own(lab: Lab) -> None:
    lab.take(together(audit(BEGUN, {OWN: "pass"}, "sm-crypto"), audit(BEGUN, {OWN: "pass"}, "q")))
    lab.take(audit(hours(1), {OWN: "pass", "x.a": "pass"}, PACK))
    lab.take(audit(hours(2), {"x.a": "pass"}, "q"))
    assert packs_of(lab, OWN) == {PACK, "q"}
    assert packs_of(lab, "x.a") == {PACK, "q"}


def test_there_is_room_for_so_many_rules_that_the_console_does_not_have(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(foreign, "MOST", 3)
    lab.take(audit(BEGUN, {"x.a": [("", "e")], "x.b": "pass"}))
    assert lab.host().left_out == 0
    flood = {f"y.{n}": [("", "e")] for n in range(9)}
    lab.take(audit(BEGUN, flood, key="evil"), "住建局")
    assert (lab.host("evil").left_out, len(lab.hits("y.0")), len(lab.hits("y.1"))) == (8, 1, 0)
    assert "evil: 8 rules" in caplog.text
    for number in range(3):  # nor for packs of any name, be they empty
        more = audit(hours(number + 1), {OWN: "pass"}, f"p{number}", "evil")
        lab.take(together(more, audit(hours(number + 1), {}, f"q{number}", "evil")), "住建局")
    with lab.console.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(rule)).scalar() == 3
        assert set(connection.execute(select(host_pack.c.pack)).scalars()) == {"p"}
    # what was known is judged on, and so are the console's own
    lab.take(
        together(
            audit(hours(1), {"x.a": "pass", "x.b": [("", "e")]}),
            audit(hours(1), {OWN: [("", "e")]}, PACK),
        )
    )
    assert lab.states("x.a") == {"": "fixed"}
    assert lab.states("x.b") == lab.states(OWN) == {"": "new"}
    # nothing is closed by what was left out
    late = {"x.b": "pass", "z.new": "pass"}
    lab.take(audit(hours(2), late))  # type: ignore[arg-type]
    assert lab.states("x.b") == {"": "new"}


def test_an_audit_has_so_many_rules() -> None:
    pack = audit(BEGUN, {}).packs[0]
    verdicts = tuple(Verdict(f"x.{n}", "pass", "low", TITLE) for n in range(MAX_RULES + 1))
    result = audit(BEGUN, {})

    def sent(count: int) -> bytes:
        packs = (msgspec.structs.replace(pack, verdicts=verdicts[:count]),)
        return msgspec.json.encode(msgspec.structs.replace(result, packs=packs))

    assert len(decoded(sent(MAX_RULES), hours(1)).packs[0].verdicts) == MAX_RULES
    with pytest.raises(Refused, match=f"more than {MAX_RULES} rules"):
        decoded(sent(MAX_RULES + 1), hours(1))
