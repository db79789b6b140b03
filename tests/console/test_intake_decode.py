"""Whatever an agent sends is an audit or a clean refusal."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.console.intake.decode import MAX_VALUES, Refused, decoded
from exporters.console.intake.prepared import prepared
from rules.model import AuditResult, Host, PackResult, Text, Verdict, fingerprint

NOW = datetime(2026, 3, 2, tzinfo=UTC)
MARK = "0" * 64


def audit(**parts: Any) -> AuditResult:
    verdict = Verdict("a.b", "fail", "high", Text("甲", "a"), fingerprint=MARK)
    pack = PackResult("p", Text("包", "pack"), {}, 0.5, {"fail": 1}, (verdict,))
    return msgspec.structs.replace(AuditResult(Host("h1", "vm"), NOW, 1.0, (pack,)), **parts)


def refused(content: bytes) -> str:
    with pytest.raises(Refused) as caught:
        decoded(content, NOW)
    return str(caught.value)


def test_an_audit_is_read_and_its_fingerprints_are_of_its_own_host() -> None:
    result = decoded(msgspec.json.encode(audit()), NOW)
    verdict = prepared(result).packs[0].verdicts[0]
    assert verdict.fingerprint == fingerprint("h1", "a.b", "")


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"host": Host("../h1")}, "host's id"),
        ({"host": Host("h\n1")}, "host's id"),
        ({"host": Host("")}, "host's id"),
        ({"host": Host("unknown")}, "what host"),
        ({"time": NOW + timedelta(hours=2)}, "in the future"),
        ({"time": datetime(2026, 3, 1)}, "zone"),
        ({"time": datetime(1970, 1, 1, tzinfo=UTC)}, "before 2000"),
        ({"packs": audit().packs * 2}, "twice"),
        ({"left_out": -1}, "below 0"),
    ],
)
def test_what_cannot_be_is_refused(parts: dict[str, Any], why: str) -> None:
    assert why in refused(msgspec.json.encode(audit(**parts)))


def test_a_fingerprint_that_is_none_is_refused() -> None:
    assert "fingerprint" in refused(msgspec.json.encode(audit()).replace(MARK.encode(), b"' OR 1"))


def test_other_documents_are_refused() -> None:
    assert "not JSON" in refused(b"<html>")
    assert "not JSON" in refused(b"\xff\xfe")
    assert "version" in refused(b'{"format": 9}')
    assert "deep" in refused(
        msgspec.json.encode(audit()).replace(b'"params":{}', b'"params":{"a":' + b"[" * 100_000)
    )
    assert "MiB" in refused(b" " * ((16 << 20) + 1))


@pytest.mark.parametrize("one", [b"{},", b"[],", b"[[]],", b'{"a":0},', b"0,"])
def test_what_would_be_many_objects_is_refused_before_it_is_any(one: bytes) -> None:
    content = msgspec.json.encode(audit()).replace(
        b'"params":{}', b'"params":{"x":[' + one * MAX_VALUES + b"0]}"
    )
    tracemalloc.start()
    assert "values" in refused(content)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_else(content: bytes) -> None:
    with pytest.raises(Refused):
        decoded(content, NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)
PLACES = st.sampled_from(
    [
        *(("host",), ("host", "id"), ("host", "name"), ("time",), ("packs",), ("left_out",)),
        *(("hits",), ("packs", 0, "pack"), ("packs", 0, "score"), ("packs", 0, "counts")),
        *(("packs", 0, "verdicts", 0, part) for part in ("rule", "instance", "actual", "source")),
        *(("packs", 0, "verdicts", 0, part) for part in ("fingerprint", "maps", "evidence")),
    ]
)


@settings(max_examples=300)
@given(PLACES, JSON)
def test_nothing_in_any_place_does_anything_else(place: tuple[Any, ...], value: Any) -> None:
    document = msgspec.json.decode(msgspec.json.encode(audit()))
    parent = document
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    content = json.dumps(document).encode("utf-8", "surrogatepass")
    try:
        result = decoded(content, NOW)
    except Refused:
        return
    ready = prepared(result)
    # what goes into the tables is text that both databases have room for
    assert "\0" not in msgspec.json.encode(ready).decode()
