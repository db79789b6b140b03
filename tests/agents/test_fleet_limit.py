"""Which hosts `--limit` means."""

from __future__ import annotations

import pytest

from agents.errors import UserError
from agents.fleet.inventorylimit import limited
from agents.fleet.model import FleetHost

HOSTS = (
    FleetHost(name="db-01", address="a", groups=("db", "core"), department="财政局", level="city"),
    FleetHost(name="db-02", address="b", groups=("db",), department="卫健局", labels={"tier": "1"}),
    FleetHost(
        name="web-01", address="c", groups=("web",), department="财政局", system="预算一体化"
    ),
    FleetHost(name="web", address="d", owner="陈工", region="金平区"),
)


@pytest.mark.parametrize(
    ("limit", "names"),
    [
        ([], "db-01 db-02 web-01 web"),
        (["all"], "db-01 db-02 web-01 web"),
        (["db-02,web-01"], "db-02 web-01"),
        (["web-01", "db-02"], "db-02 web-01"),
        (["db-*"], "db-01 db-02"),
        (["d?"], "db-01 db-02"),  # the group
        (["web"], "web-01 web"),  # a group and a host
        (["department=财政局"], "db-01 web-01"),
        (["system=预算*"], "web-01"),
        (["level=市级"], "db-01"),
        (["level=city"], "db-01"),
        (["group=core", "owner=陈工"], "db-01 web"),
        (["tier=1"], "db-02"),
        (["name=*-01"], "db-01 web-01"),
        (["department=财政局,&db"], "db-01"),
        (["all,!db"], "web-01 web"),
        (["!db,!web"], ""),
        (["!db"], "web-01 web"),
        (["&db,&core"], "db-01"),
    ],
)
def test_what_is_meant(limit: list[str], names: str) -> None:
    if names:
        assert " ".join(host.name for host in limited(HOSTS, limit)) == names
        return
    with pytest.raises(UserError, match="no host is left"):
        limited(HOSTS, limit)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("db-03", "no host and no group is named so; did you mean 'db-02'?"),
        ("!wbe", "--limit wbe: no host and no group is named so; did you mean 'web'?"),
        ("departmnt=x", "no key 'departmnt'; there are: name, group, department, system, region"),
        ("department=财政", "no host has it; did you mean '财政局'?"),
        ("tier=2", "no host has it; there are: 1"),
        (" ,", "--limit names nothing"),
        ("[", "no host and no group is named so"),
    ],
)
def test_a_slip_of_the_pen_is_told(word: str, told: str) -> None:
    with pytest.raises(UserError) as caught:
        limited(HOSTS, [word])
    assert told in str(caught.value)
