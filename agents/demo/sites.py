"""How ready the example city's sites are for IPv6: one site a system, judged by the pack ipv6-readiness with the scenarios
that its rules carry.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from agents.demo import city
from rules import pack as packs
from rules.engine import Judge
from rules.model import PackResult, Verdict
from rules.readiness import explained
from rules.readinessmodel import PACK, Readiness, Subject
from rules.scenarios import run
from rules.score import counts, layers, score, side_scores


class CitySite(NamedTuple):
    name: str
    department: str
    url: str
    care: float


def sites() -> Iterator[CitySite]:
    for department, systems, short, care in city.DEPARTMENTS:
        for number, system in enumerate(systems):
            host = short if number == 0 else f"{short}{number + 1}"
            yield CitySite(system, department, f"https://{host}.linjiang.example/", care)


_AWAY: Final = 0.08  # of the sites; nobody could look at them


def results(time: datetime) -> Iterator[Readiness]:
    """One of each site."""
    pack = packs.load(PACK)
    judge = Judge(pack, "site")
    found: dict[str, dict[str, list[Verdict]]] = {}
    for it in run(pack):
        if it.right:
            found.setdefault(it.id, {}).setdefault(it.expected, it.verdicts)
    for site in sites():
        lot = random.Random(site.name)  # noqa: S311 - a story, no secret
        away = lot.random() < _AWAY
        verdicts: list[Verdict] = []
        for rule in judge.rules:
            wanted = "fail" if lot.random() < 0.45 * (1.25 - site.care) else "pass"
            if away:
                wanted = "unknown"
            for one in found[rule.id].get(wanted) or found[rule.id]["pass"]:
                verdicts.append(one)
        total, cap = score(pack, verdicts)
        told = PackResult(
            pack.pack,
            pack.title,
            pack.params,
            total,
            counts(verdicts),
            tuple(verdicts),
            cap,
            layers(judge.rules, verdicts),
            side_scores(pack, verdicts),
        )
        subject = Subject("site", site.name, site.url)
        yield explained(pack, told, {}, subject, time, 2.1)
