"""The life of a hit: what each audit, each waiver and each person makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.strictyaml import DocumentError
from rules import hits, waivers
from rules.evidence import evidence_of
from rules.hits import Ledger, after
from rules.model import AuditResult, Hit, Host, Outcome, PackResult, Text, Verdict, fingerprint
from rules.waivers import Waiver

HOST = Host("h1", "gov-node-01")
DAY = timedelta(days=1)
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
RULE = "linux.sshd.no-root-login"


def verdict(outcome: Outcome, instance: str = "", actual: Any = "yes", **more: Any) -> Verdict:
    return Verdict(
        more.pop("rule", RULE),
        outcome,
        "high",
        Text("标题", "Title"),
        instance=instance,
        actual=actual,
        fingerprint=fingerprint(HOST.id, more.get("rule", RULE), instance),
        evidence=evidence_of(actual, ()) if outcome == "fail" else "",
        **more,
    )


def audit(day: int, *verdicts: Verdict, pack: str = "p") -> AuditResult:
    result = PackResult(pack, Text("包", "Pack"), {}, None, {}, verdicts)
    return AuditResult(HOST, START + day * DAY, 0.1, (result,))


def walk(*audits: AuditResult, waive: tuple[Waiver, ...] = ()) -> Ledger:
    ledger = Ledger(HOST)
    for result in audits:
        ledger = after(ledger, result, waive)
    return ledger


def only(ledger: Ledger) -> Hit:
    [hit] = ledger.hits
    return hit


def told(ledger: Ledger) -> list[tuple[str | None, str]]:
    return [(change.before, change.hit.state) for change in ledger.untold]


def waiver(**more: Any) -> Waiver:
    fields: dict[str, Any] = {
        "id": "W1",
        "rule": RULE,
        "hosts": ("gov-*",),
        "reason": "r",
        "owner": "a",
        "approver": "b",
        "expires": (START + 10 * DAY).date(),
    }
    return Waiver(**{**fields, **more})


def test_first_and_last_seen() -> None:
    hit = only(walk(audit(0, verdict("fail")), audit(1, verdict("fail"))))
    assert (hit.state, hit.first_seen, hit.last_seen) == ("new", START, START + DAY)
    assert hit.changed == START


def test_fixed_and_regressed() -> None:
    ledger = walk(audit(0, verdict("fail")), audit(1, verdict("pass")), audit(2, verdict("fail")))
    hit = only(ledger)
    assert (hit.state, hit.first_seen, hit.last_seen) == ("regressed", START, START + 2 * DAY)
    assert told(ledger) == [(None, "new"), ("new", "fixed"), ("fixed", "regressed")]
    assert [change.number for change in ledger.untold] == [1, 2, 3]


@pytest.mark.parametrize(
    "second",
    [
        verdict("unknown"),
        verdict("manual"),
        verdict("not_applicable", reason="off: not here"),
        verdict("pass", rule="another.rule"),
        verdict("unknown", "a row that could not be read"),
    ],
    ids=["unknown", "manual", "off", "not-judged", "unknown-row"],
)
def test_what_closes_nothing(second: Verdict) -> None:
    hit = only(walk(audit(0, verdict("fail")), audit(1, second), audit(2, second)))
    assert (hit.state, hit.last_seen, hit.unseen_since) == ("new", START, START + DAY)
    again = only(walk(audit(0, verdict("fail")), audit(1, second), audit(2, verdict("fail"))))
    assert (again.state, again.unseen_since) == ("new", None)


def test_one_offender_is_mended_and_another_is_not() -> None:
    ledger = walk(
        audit(0, verdict("fail", "a"), verdict("fail", "b")), audit(1, verdict("fail", "b"))
    )
    assert {hit.instance: hit.state for hit in ledger.hits} == {"a": "fixed", "b": "new"}


def test_what_is_no_longer_there_is_fixed() -> None:
    assert (
        only(walk(audit(0, verdict("fail")), audit(1, verdict("not_applicable")))).state == "fixed"
    )


def test_one_hit_of_two_packs() -> None:
    first, second = (audit(0, verdict("fail"), pack=pack).packs[0] for pack in ("p", "q"))
    result = msgspec.structs.replace(audit(0), packs=(first, second))
    assert only(walk(result)).packs == ("p", "q")


def both(day: int, p: tuple[Verdict, ...], q: tuple[Verdict, ...]) -> AuditResult:
    packs = (audit(0, *p, pack="p").packs[0], audit(0, *q, pack="q").packs[0])
    return msgspec.structs.replace(audit(day), packs=packs)


FAIL, PASS = (verdict("fail"),), (verdict("pass"),)
OFF_HERE = (verdict("not_applicable", reason="off: not here"),)


@pytest.mark.parametrize("q", [PASS, FAIL, OFF_HERE, (verdict("unknown"),), (verdict("manual"),)])
def test_a_pack_closes_nothing_of_another(q: tuple[Verdict, ...]) -> None:
    ledger = walk(audit(0, *FAIL, pack="p"), audit(1, *PASS, pack="q"))
    assert (only(ledger).state, only(ledger).packs) == ("new", ("p",))
    assert only(ledger).unseen_since == START + DAY
    assert only(after(ledger, audit(2, *PASS, pack="p"))).state == "fixed"
    ledger = walk(both(0, FAIL, FAIL), both(1, PASS, q))
    closes = q in (PASS, OFF_HERE)
    assert only(ledger).state == ("fixed" if closes else "new")
    assert only(ledger).packs == (("p", "q") if closes else ("q",))


def test_each_of_its_packs_has_to_pass() -> None:
    ledger = walk(both(0, FAIL, FAIL), audit(1, *PASS, pack="p"))
    assert (only(ledger).state, only(ledger).packs) == ("new", ("q",))
    assert only(after(ledger, audit(2, *PASS, pack="q"))).state == "fixed"
    # failing in one does not make the other forget
    ledger = walk(audit(0, *FAIL, pack="p"), audit(1, *FAIL, pack="q"))
    assert only(ledger).packs == ("q", "p")
    assert only(after(ledger, audit(2, *PASS, pack="q"))).state == "new"
    assert only(walk(both(0, FAIL, FAIL), both(1, PASS, FAIL))).packs == ("q",)


def test_what_is_not_told_one_by_one_may_be_there() -> None:
    """With more offenders than are told, a hit after the last of them may be among the rest."""
    ledger = walk(audit(0, *(verdict("fail", name) for name in "acz")))
    ledger = after(ledger, audit(1, *(verdict("fail", name) for name in ("b", "d", "…"))))
    assert {hit.instance: (hit.state, hit.unseen_since is None) for hit in ledger.hits} == {
        "a": ("fixed", True),
        "b": ("new", True),
        "c": ("fixed", True),
        "d": ("new", True),
        "z": ("new", False),
        "…": ("new", True),
    }
    ledger = after(ledger, audit(2, verdict("pass")))
    assert {hit.state for hit in ledger.hits} == {"fixed"}


def test_names_made_without_end_fill_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hits, "MAX_PAST", 5)
    ledger = walk(*(audit(day, verdict("fail", f"{day:02}")) for day in range(20)))
    fixed = {hit.instance for hit in ledger.hits if hit.state == "fixed"}
    assert fixed == {"14", "15", "16", "17", "18"}
    assert ledger.lost == 0  # they were told
    names = [*"abcdefgh"]
    failing = audit(21, *(verdict("fail", f"y{name}") for name in names))
    ledger = after(ledger, failing)
    ledger = after(ledger, audit(22, verdict("unknown")))
    assert len([hit for hit in ledger.hits if hit.state != "fixed"]) == 5
    assert ledger.lost == 3


def test_changes_that_nobody_takes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hits, "MAX_UNTOLD", 3)
    ledger = walk(audit(0, *(verdict("fail", name) for name in "abcde")))
    assert ([change.number for change in ledger.untold], ledger.lost) == ([3, 4, 5], 2)


def test_acknowledged_stays_so_until_it_is_fixed() -> None:
    ledger = walk(audit(0, verdict("fail")))
    mark = ledger.hits[0].fingerprint
    ledger = hits.acknowledge(ledger, [mark], "zhang", "4711", START + DAY)
    ledger = after(ledger, audit(2, verdict("fail")))
    hit = only(ledger)
    assert (hit.state, hit.by, hit.note, hit.changed) == (
        "acknowledged",
        "zhang",
        "4711",
        START + DAY,
    )
    assert only(after(ledger, audit(3, verdict("pass")))).state == "fixed"
    with pytest.raises(KeyError):
        hits.acknowledge(after(ledger, audit(3, verdict("pass"))), [mark], "zhang", "", START)
    with pytest.raises(KeyError):
        hits.acknowledge(ledger, ["nobody's"], "zhang", "", START)


def test_a_waiver_holds_until_its_last_day_has_passed() -> None:
    failing = [audit(day, verdict("fail")) for day in (0, 9, 12)]
    assert only(walk(*failing[:2], waive=(waiver(),))).state == "waived"
    hit = only(walk(*failing, waive=(waiver(),)))
    assert (hit.state, hit.waiver) == ("new", "")
    assert "expired on 2026-03-11" in hit.note


def test_a_waiver_lapses_when_the_evidence_changes_and_is_not_bound_again() -> None:
    changed = [audit(day, verdict("fail", actual="without-password")) for day in (1, 2, 3)]
    ledger = walk(audit(0, verdict("fail")), *changed, waive=(waiver(),))
    assert only(ledger).state == "new"
    assert "the evidence changed" in only(ledger).note
    assert told(ledger) == [(None, "waived"), ("waived", "new")]
    back = after(ledger, audit(4, verdict("pass")), (waiver(),))
    back = after(back, changed[0], (waiver(),))
    assert only(back).state == "regressed"


def test_a_lapsed_waiver_does_not_come_back() -> None:
    first, other = verdict("fail"), verdict("fail", actual="without-password")
    ledger = walk(audit(0, first), audit(1, other), waive=(waiver(),))
    ledger = hits.acknowledge(ledger, [first.fingerprint], "zhang", "4711", START + DAY)
    for waived in (waiver(), waiver(evidence=first.evidence)):
        assert only(after(ledger, audit(2, first), (waived,))).state == "acknowledged"
    renewed = after(ledger, audit(2, first), (waiver(), waiver(id="W2")))
    assert (only(renewed).state, only(renewed).waiver) == ("waived", "W2")
    # evidence that changes while the waiver has expired counts as well
    late = [audit(day, one) for day, one in ((0, first), (12, other), (13, first))]
    ledger = walk(*late, waive=(waiver(),))
    longer = waiver(expires=(START + 30 * DAY).date())
    assert only(after(ledger, audit(14, first), (longer,))).state == "new"
    ledger = walk(late[0], audit(12, first), waive=(waiver(),))
    assert only(after(ledger, audit(13, first), (longer,))).state == "waived"


def test_a_waiver_ends_when_the_hit_is_fixed() -> None:
    ledger = walk(
        *(audit(0, verdict("fail")), audit(1, verdict("pass")), audit(2, verdict("fail"))),
        waive=(waiver(),),
    )
    assert only(ledger).state == "regressed"
    assert told(ledger)[-1] == ("fixed", "regressed")
    assert only(after(ledger, audit(3, verdict("fail")), (waiver(),))).state == "regressed"
    renewed = after(ledger, audit(3, verdict("fail")), (waiver(id="W2"),))
    assert only(renewed).state == "waived"


def test_a_bracket_is_a_bracket() -> None:
    failing = audit(0, verdict("fail", "/srv/[a-z]?x"))
    for scope, state in (
        ("/srv/[a-z]*", "waived"),
        ("/srv/[[]*", "new"),
        ("/srv/?a-z]?x", "waived"),
    ):
        assert only(walk(failing, waive=(waiver(instance=scope),))).state == state
    assert (
        only(walk(audit(0, verdict("fail", "b")), waive=(waiver(instance="[a-z]"),))).state == "new"
    )


def test_a_waiver_for_other_evidence_is_not_in_force() -> None:
    right = evidence_of("yes", ())
    assert only(walk(audit(0, verdict("fail")), waive=(waiver(evidence=right),))).state == "waived"
    assert only(walk(audit(0, verdict("fail")), waive=(waiver(evidence="00"),))).state == "new"


@pytest.mark.parametrize(
    "scope", [{"hosts": ("db-*",)}, {"rule": "another"}, {"instance": "x*"}], ids=str
)
def test_out_of_scope(scope: dict[str, Any]) -> None:
    assert only(walk(audit(0, verdict("fail")), waive=(waiver(**scope),))).state == "new"


def test_a_waiver_that_is_taken_back() -> None:
    ledger = walk(audit(0, verdict("fail")), waive=(waiver(),))
    assert only(after(ledger, audit(1, verdict("fail")))).state == "new"


def test_a_waived_hit_that_is_mended_is_fixed() -> None:
    ledger = walk(audit(0, verdict("fail")), audit(1, verdict("pass")), waive=(waiver(),))
    assert (only(ledger).state, only(ledger).waiver) == ("fixed", "")


def test_changed_evidence_is_told() -> None:
    ledger = walk(audit(0, verdict("fail")), audit(1, verdict("fail", actual="no")))
    assert told(ledger) == [(None, "new"), ("new", "new")]


def test_told_changes_leave_and_numbers_go_on() -> None:
    ledger = walk(audit(0, verdict("fail"))).told(1)
    assert ledger.untold == ()
    assert [c.number for c in after(ledger, audit(1, verdict("pass"))).untold] == [2]


def test_old_fixed_hits_are_forgotten() -> None:
    ledger = walk(audit(0, verdict("fail")), audit(1, verdict("pass")), audit(500, verdict("pass")))
    assert ledger.hits == ()


def test_what_changes_by_itself_is_no_evidence() -> None:
    assert evidence_of({"a": 1, "age": 5}, ("age",)) == evidence_of({"a": 1, "age": 6}, ("age",))
    assert evidence_of({"a": 1}, ("age",)) != evidence_of({"a": 2}, ("age",))
    assert evidence_of(5, ("actual",)) == evidence_of(6, ("actual",))


OUTCOMES = st.sampled_from(["pass", "fail", "unknown", "manual", "not_applicable"])


@given(st.lists(OUTCOMES, max_size=8), st.booleans())
def test_any_life(outcomes: list[Outcome], with_waiver: bool) -> None:
    """Fixed only after a pass or where it does not apply; the file says the same as the struct."""
    ledger = Ledger(HOST)
    for day, outcome in enumerate(outcomes):
        ledger = after(ledger, audit(day, verdict(outcome)), (waiver(),) if with_waiver else ())
    judged = [o for o in outcomes if o not in ("unknown", "manual")]
    if "fail" in outcomes:
        assert (only(ledger).state == "fixed") == (judged[-1] != "fail")
        assert [c.number for c in ledger.untold] == list(range(1, ledger.number + 1))
    else:
        assert ledger.hits == ()
    assert msgspec.json.decode(msgspec.json.encode(ledger), type=Ledger) == ledger


# --- the file of waivers --------------------------------------------------------------------------

RIGHT = """\
waivers:
  - id: W1
    rule: linux.sshd.no-root-login
    hosts: [bastion-*]
    reason: until the migration
    owner: 张伟
    approver: 李敏
    expires: 2027-03-31
"""


def test_a_right_file(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(RIGHT)
    [one] = waivers.load(str(path))
    assert (one.owner, one.expires.isoformat(), one.instance) == ("张伟", "2027-03-31", "*")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            RIGHT.replace("    expires: 2027-03-31\n", ""),
            ":2: waivers[0]: the key 'expires' is missing",
        ),
        (RIGHT.replace("2027-03-31", "soon"), ":8: waivers[0].expires: "),
        (RIGHT.replace("    owner: 张伟\n", ""), "the key 'owner' is missing"),
        (
            RIGHT.replace("    reason: until the migration\n", '    reason: ""\n'),
            ":5: waivers[0].reason: is empty",
        ),
        (
            RIGHT.replace("李敏", "张伟"),
            ":7: waivers[0].approver: nobody approves a waiver of their own",
        ),
        (
            RIGHT.replace("张伟", "Wang Wei").replace("李敏", "'ＷANG wei '"),
            ":7: waivers[0].approver: nobody approves a waiver of their own",
        ),
        (RIGHT.replace("[bastion-*]", "[]"), 'names no host; write ["*"]'),
        (RIGHT + RIGHT.partition("\n")[2], "'W1' is on line 2 already"),
        (RIGHT.replace("reason", "reasons"), "unknown key; did you mean 'reason'?"),
    ],
)
def test_a_wrong_file(tmp_path: Path, wrong: str, message: str) -> None:
    path = tmp_path / "waivers.yaml"
    path.write_text(wrong)
    with pytest.raises(DocumentError) as error:
        waivers.load(str(path))
    assert message in str(error.value)
