"""What the agent is handed of an audit stays small, however many hits somebody made."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from exporters.findings import digest as digests
from exporters.findings.digest import BATCH, Digest, Untold, digest, served, untold
from exporters.findings.metrics import audit_families
from rules.hits import Ledger, after
from rules.model import AuditResult, Host, PackResult, Rule, Text, Verdict, by_id, fingerprint
from rules.pack import load

HOST = Host("h", "n")
TITLE = Text("标题", "Title")


def audit(rules: int, each: int) -> AuditResult:
    verdicts = tuple(
        Verdict(
            *(f"r{rule}", "fail", "high", TITLE),
            instance=f"i{number:05}",
            actual="x" * 400,
            maps={"gb22239": ("8.1.4.1.a",)},
            fingerprint=fingerprint(HOST.id, f"r{rule}", f"i{number:05}"),
        )
        for rule in range(rules)
        for number in range(each)
    )
    pack = PackResult("p", TITLE, {}, 0.5, {"fail": rules}, verdicts)
    result = AuditResult(HOST, datetime(2026, 3, 1, tzinfo=UTC), 0.1, (pack,))
    ledger = after(Ledger(HOST), result)
    return msgspec.structs.replace(result, hits=ledger.hits, changes=ledger.untold)


def test_a_digest_is_small_and_tells_the_same_metrics() -> None:
    result = audit(5, 1000)
    content = msgspec.json.encode(digest(result))
    found = msgspec.json.decode(content, type=Digest)
    assert len(content) < 1500 * BATCH
    assert (found.number, len(found.result.changes)) == (5000, BATCH)
    assert [v.rule for v in found.result.packs[0].verdicts] == [f"r{n}" for n in range(5)]
    assert audit_families(found.result, found.figures) == audit_families(result)


def test_the_rules_of_changes_come_with_them() -> None:
    whole = by_id([load("host-basics")])["linux.accounts.only-root-has-uid-0"]
    assert whole.why
    assert whole.offenders
    rules = {
        "other": whole,
        **{f"r{n}": msgspec.structs.replace(whole, id=f"r{n}") for n in (0, 4)},
    }
    result = audit(3, 200)
    found = msgspec.json.decode(
        msgspec.json.encode(digest(result, {"os", "accounts"}, rules)), type=Digest
    )
    short = Rule("r0", whole.title, whole.severity, why=whole.why, fix=whole.fix)
    assert found.facts == {"os", "accounts"}
    assert found.rules == {"r0": short}  # r1 is of no pack; r4 has no change
    more = msgspec.json.decode(
        msgspec.json.encode(untold(result.changes[300:], rules)), type=Untold
    )
    assert (len(more.changes), more.changes[0].number, more.rules) == (BATCH, 301, {})
    assert untold(result.changes[100:], rules).rules == {"r0": short}


def test_what_is_served_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    result = audit(5, 100)
    whole = msgspec.json.decode(served(result), type=AuditResult)
    assert whole == msgspec.structs.replace(result, changes=())
    monkeypatch.setattr(digests, "MAX_SERVED", len(msgspec.json.encode(result.packs)) + 1000)
    without = msgspec.json.decode(served(result), type=AuditResult)
    assert (without.hits, without.left_out) == ((), 500)
    assert without.packs == result.packs
    monkeypatch.setattr(digests, "MAX_SERVED", 1000)
    short = msgspec.json.decode(served(result), type=AuditResult)
    assert short.left_out == 500 + 400
    assert [v.instance for v in short.packs[0].verdicts] == 5 * [f"i{n:05}" for n in range(80, 100)]
