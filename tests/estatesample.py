"""Results of readiness as tests make them: checks and weights of the reference, 100 together.

`result(row, fail=…, unknown=…)` is what a checker would tell; `ESTATE` has six subjects whose
figures are worked out by hand in tests/exporters/test_readiness_figures.py.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

import msgspec

from collectors.ipv6.estate.model import EstateRow
from exporters.estate.joining import layers_of
from rules.model import Outcome, Text
from rules.readinessmodel import CheckResult, Evidence, LayerScore, Readiness, Subject

TIME = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SITE_CHECKS = {
    "dns.aaaa": 4,
    "dns.nameservers": 6,
    "dns.ipv6-only": 3,
    "dns.times": 2,
    "service.homepage": 12,
    "service.success": 5,
    "service.same": 8,
    "service.links-2": 7,
    "service.links-3": 3,
    "service.dependencies": 5,
    "service.latency": 5,
    "network.mtu": 6,
    "network.icmpv6": 4,
    "adoption.ipv6-only": 5,
}
HOST_CHECKS = {
    "network.loss": 6,
    "network.filters": 4,
    "host.address": 4,
    "host.listeners": 5,
    "host.sysctls": 3,
    "host.router": 3,
}
LAYERS = {
    "dns": Text("域名解析", "DNS"),
    "service": Text("服务", "Service"),
    "network": Text("网络", "Network"),
    "host": Text("主机", "Host"),
    "adoption": Text("应用", "Adoption"),
}


def check(name: str, weight: float, verdict: Outcome = "pass", **more: Any) -> CheckResult:
    given: dict[str, Any] = {
        "id": f"ipv6.{name}",
        "layer": name.partition(".")[0],
        "weight": weight,
        "verdict": verdict,
        "severity": "high" if weight > 5 else "medium",
        "title": Text(f"检查 {name}", f"Check {name}"),
        "reason": Text(f"{name} 的原因", f"the reason of {name}")
        if verdict != "pass"
        else Text("", ""),
        "fix": Text(f"修复 {name}", f"Mend {name}"),
        "evidence": (Evidence("", 1, 0, "here"),) if verdict == "fail" else (),
    }
    return CheckResult(**{**given, **more})


def of_checks(row: EstateRow, checks: tuple[CheckResult, ...], **more: Any) -> Readiness:
    """What checks make, by the rules of the score: `more` are other fields."""
    titled = [LayerScore(name, title, 0, 0, 0) for name, title in LAYERS.items()]
    layers = tuple(layer for layer in layers_of(checks, titled) if layer.of)
    of = sum(layer.of for layer in layers)
    score = 100 * sum(layer.points for layer in layers) / of if of else None
    if more.get("capped") and score is not None:
        score = min(score, 40.0)
    given: dict[str, Any] = {
        "subject": Subject(row.kind, row.name, row.target),
        "time": TIME,
        "duration": 1.0,
        "score": score,
        "ipv6_only_score": None,
        "capped": None,
        "layers": layers,
        "checks": checks,
        "cap": 40.0 if more.get("capped") else None,
    }
    return Readiness(**{**given, **more})


def result(
    row: EstateRow,
    fail: Collection[str] = (),
    unknown: Collection[str] = (),
    not_applicable: Collection[str] = (),
    **more: Any,
) -> Readiness:
    """Every check of the kind passes but those that are named."""
    weights = SITE_CHECKS if row.kind == "site" else HOST_CHECKS
    assert {*fail, *unknown, *not_applicable} <= weights.keys()

    def verdict(name: str) -> Outcome:
        if name in fail:
            return "fail"
        if name in unknown:
            return "unknown"
        return "not_applicable" if name in not_applicable else "pass"

    return of_checks(row, tuple(check(n, w, verdict(n)) for n, w in weights.items()), **more)


def problem(row: EstateRow, why: str) -> Readiness:
    return Readiness(
        Subject(row.kind, row.name, row.target), TIME, 1.0, None, None, None, (), (), why
    )


def site(name: str, **more: Any) -> EstateRow:
    return EstateRow(name=name, kind="site", url=f"https://{name}.example.gov.cn/", **more)


def host(name: str, **more: Any) -> EstateRow:
    return EstateRow(name=name, kind="host", host=f"ssh://ops@{name}", **more)


PORTAL = site("portal", department="甲局", level="city", hosts=("web-01",), owner="张三")
BUREAU = site("bureau", department="乙局", level="county")
TOWN = site("town", department="乙局", level="town")
WEB = host("web-01", department="甲局", level="city")
DB = host("db-01", department="甲局", level="county")
ODD = host("odd")
ESTATE = (PORTAL, BUREAU, TOWN, WEB, DB, ODD)
RESULTS = (
    result(PORTAL, fail=["dns.times"], ipv6_only_score=90.0),
    result(
        BUREAU,
        fail=["dns.aaaa", "service.homepage", "adoption.ipv6-only"],
        unknown=[
            *("dns.times", "service.success", "service.same", "service.links-2"),
            *("service.links-3", "service.dependencies", "service.latency"),
            *("network.mtu", "network.icmpv6"),
        ],
        ipv6_only_score=0.0,
    ),
    result(
        TOWN,
        fail=["dns.aaaa"],
        ipv6_only_score=30.0,
        capped=Text("没有有效的 AAAA，总分不超过 40", "no valid AAAA: at most 40"),
    ),
    result(WEB, fail=["host.listeners"]),
    problem(DB, "db-01: the host cannot be reached: timed out"),
    result(ODD, unknown=["network.loss"]),
)


def by_row(results: Collection[Readiness]) -> dict[tuple[str, str], Readiness]:
    return {(one.subject.kind, one.subject.name): one for one in results}


def json_lines(results: Collection[Readiness]) -> bytes:
    return b"".join(msgspec.json.encode(one) + b"\n" for one in results)
