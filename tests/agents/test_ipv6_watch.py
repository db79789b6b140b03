"""The watch for rogue routers and DHCPv6 servers as a command and on schedule, on a link of its own."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

import agents.rounds
from agents import advertisements, children
from agents.advertisements import AdvertisementWatch, arguments_of
from agents.cli import main
from agents.cli.advertisertable import table
from agents.cli.auditinput import given
from agents.cli.ipv6 import _watched
from agents.cli.ipv6watch import command
from agents.runtime import Runtime
from collectors.catalogue import COLLECTORS
from collectors.ipv6.wire.advertisers import (
    Advertiser,
    Forged,
    RouterAddress,
    Watched,
    WatchSettings,
)
from collectors.model import Answers, Fact, Family
from collectors.sources.commands import Ended, finish
from collectors.strictyaml import DocumentError, Duration, loads
from tests import netlab, ralab
from tests.agents.test_probing import until
from tests.ralab import DEVICE, PREFIX, ROGUE_PREFIX

ROOT = Path(__file__).parent.parent.parent
# the command as it is called through the table of commands, which tells errors
ENTRY = "import agents.cli as c\nc.COMMANDS['ipv6watch'] = ''\nc.main(prog_name='jianwei')"
WATCH = (sys.executable, "-P", "-c", f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{ENTRY}")
needs_lab = pytest.mark.skipif(bool(ralab.unavailable()), reason=ralab.unavailable())


class Link:
    """A link with a good router and a rogue one that serves DHCPv6."""

    def __init__(self, lab: netlab.Lab) -> None:
        self.lab = lab
        self.good, self.rogue = (ralab.link_local(lab, name) for name in ("good", "rogue"))

    def run(self, *arguments: str) -> tuple[int, str, str]:
        argv = self.lab.argv("host", *WATCH, "ipv6watch", *arguments)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    folder = tmp_path_factory.mktemp("ra")
    with netlab.Lab() as lab:
        ralab.switched(lab, "host", "good", "rogue", routers=("good", "rogue"))
        with (
            ralab.radvd(lab, "good", folder),
            ralab.radvd(lab, "rogue", folder, ROGUE_PREFIX, "high"),
            ralab.dhcpv6(lab, "rogue", folder, ROGUE_PREFIX),
        ):
            yield Link(lab)


# --- the command


@needs_lab
def test_scripts_are_told_who_is_not_expected(link: Link) -> None:
    status, text, _ = link.run(
        *("--seconds", "1.5", "--solicit", "--json", "--router", link.good, "--dhcpv6", "none")
    )
    assert status == 1
    found = msgspec.json.decode(text, type=Watched)
    assert {(one.address, one.kind, one.expected) for one in found.advertisers} == {
        (link.good, "ra", True),
        (link.rogue, "ra", False),
        (link.rogue, "dhcpv6", False),
    }
    row = next(one for one in json.loads(text)["advertisers"] if one["kind"] == "dhcpv6")
    assert row["key"] == f"{link.rogue}%{DEVICE}"
    assert row["source"] == f"{DEVICE} {ralab.station(link.lab, 'rogue')}"


@needs_lab
def test_people_see_a_table(link: Link) -> None:
    both = ("--router", link.good, "--router", link.rogue, "--dhcpv6", f"{link.rogue}%{DEVICE}")
    status, text, _ = link.run("--seconds", "1.5", "--solicit", "--lang", "en", *both)
    assert status == 0
    assert "none that is not expected" in text
    assert "high preference" in text
    status, text, _ = link.run("--seconds", "1.5", "--solicit", "--interface", DEVICE)
    assert status == 0
    assert "无法判断" in text
    assert PREFIX in text


@needs_lab
def test_bad_input_and_no_privilege_exit_2(link: Link) -> None:
    for arguments, told in (
        (("--interface", "eth9"), "no interface 'eth9'; there are: lo, to-switch"),
        (("--router", "192.0.2.1"), "--router: "),
        (("--router", "2400:da00::1"), "--router: '2400:da00::1' is not link-local"),
        (("--interface", "eth9", "--skip-down"), "no interface with IPv6 is up among eth9"),
        (("--dhcpv6", "none", "--dhcpv6", "fe80::1"), "--dhcpv6: 'none' stands alone"),
    ):
        status, text, errors = link.run(*arguments)
        assert (status, text) == (2, "")
        assert told in errors
    dropped = ("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw")
    argv = link.lab.argv("host", *dropped, *WATCH, "ipv6watch", "--seconds", "1")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        2,
        "jianwei: needs CAP_NET_RAW to listen for advertisements\n",
    )


@needs_lab
def test_the_one_capability_is_enough(link: Link) -> None:
    """The client's port is out of reach then; the answers are heard all the same."""
    only = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all")
    asked = ("ipv6watch", "--seconds", "1.5", "--solicit", "--json", "--dhcpv6", "none")
    argv = link.lab.argv("host", *only, *WATCH, *asked)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    (server,) = msgspec.json.decode(done.stdout, type=Watched).unexpected
    assert (server.kind, server.address) == ("dhcpv6", link.rogue)


def test_the_schedule_calls_a_command_that_is_there() -> None:
    done = CliRunner().invoke(main, [*advertisements.COMMAND, "--help"])
    assert (done.exit_code, "--solicit" in done.stdout) == (0, True)


@pytest.mark.parametrize("seconds", ["0", "nan", "4000", "x"])
def test_seconds_are_bounded(seconds: str) -> None:
    assert CliRunner().invoke(command, ["--seconds", seconds]).exit_code == 2


def row(address: str = "fe80::bad", expected: bool | None = False) -> Advertiser:
    return Advertiser(
        *(f"{address}%eth0", address, "eth0", "ra"),
        station="02:00:00:00:00:01",
        prefixes=tuple(f"2001:db8:{n}::/64" for n in range(5)),
        preference="high",
        lifetime=0,
        expected=expected,
        why=("not_expected",) if expected is False else (),
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_everything_has_words_in_both_languages(language: str) -> None:
    bad = tuple(
        Forged("eth0", problem, 3, ("fe80::1",))
        for problem in ("hop_limit", "source", "fragment", "malformed")
    )
    every = msgspec.structs.replace(
        row(),
        why=(
            *("not_expected", "several_stations", "other_prefix", "other_station"),
            *("high_preference", "zero_lifetime"),
        ),
    )
    text = table(Watched(("eth0",), 1, (every, row(expected=None)), bad, 9, True), language)
    assert len(text.splitlines()) == 1 + 2 + 4 + 1 + 1
    assert "2001:db8:2::/64, …" in text
    assert table(Watched(("eth0",), 1.5), language).endswith(("没有通告", "within 1.5 s"))


# --- on schedule


def value(families: list[Family], name: str) -> dict[tuple[str, ...], float]:
    (family,) = (f for f in families if f.name == name)
    return {tuple(text for _, text in s.labels): s.value for s in family.samples}


@needs_lab
def test_a_rogue_is_one_warning_and_metrics(
    link: Link, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []

    def run(
        arguments: tuple[str, ...], seconds: float, errors: int, stop: threading.Event
    ) -> Ended:
        rounds.append(1)
        return finish((*WATCH, "ipv6watch", *arguments[2:]), seconds, 1 << 20, {}, errors, stop)

    monkeypatch.setattr(children, "run", run)
    monkeypatch.setattr(agents.rounds, "FIRST_DELAY", 0.1)
    settings = WatchSettings(
        *(True, (), (RouterAddress(link.good),), ()), interval=Duration(0.5), seconds=Duration(0.5)
    )
    watch = AdvertisementWatch(settings)
    assert watch.advertisers() is None
    assert value(list(watch.families()), "jianwei_ipv6_watch_success") == {(): 0}
    with caplog.at_level(logging.WARNING):
        link.lab.inside("host", watch.start)  # its thread and children are there, too
        try:
            rogues = {(f"{link.rogue}%{DEVICE}", kind) for kind in ("ra", "dhcpv6")}

            def told() -> bool:
                events = [r.event for r in caplog.records if hasattr(r, "event")]
                heard = {(f"{e['address']}%{e['device']}", e["advertises"]) for e in events}
                return heard == rogues

            until(told)
            before = len(rounds)
            until(lambda: len(rounds) >= before + 2 and watch.advertisers())
            assert told()
            assert len([r for r in caplog.records if hasattr(r, "event")]) == len(rogues)
            watch.stop()
            rows = watch.advertisers()
            assert all(one["address"] in (link.good, link.rogue) for one in rows)
            families = list(watch.families())
            assert value(families, "jianwei_ipv6_watch_success") == {(): 1}
            assert value(families, "jianwei_ipv6_rogue_advertisers")[()] == sum(
                not one["expected"] for one in rows
            )
        finally:
            watch.stop()


def test_what_is_kept_of_a_watch(caplog: pytest.LogCaptureFixture) -> None:
    watch = AdvertisementWatch(WatchSettings(enable=True))
    forged = (Forged("eth0", "hop_limit", 2),)
    found = Watched(("eth0",), 1.0, (row(), row("fe80::1", True)), forged)
    with caplog.at_level(logging.WARNING):
        watch.take(found)
        watch.take(found)
    assert len(caplog.records) == 1
    assert "router fe80::bad on eth0 (02:00:00:00:00:01) is not expected" in caplog.text
    families = list(watch.families())
    assert value(families, "jianwei_ipv6_advertisers") == {
        ("eth0", "ra", "no"): 1,
        ("eth0", "ra", "yes"): 1,
    }
    assert value(families, "jianwei_ipv6_rogue_advertisers") == {(): 1}
    assert value(families, "jianwei_ipv6_forged_advertisements_total") == {("eth0", "hop_limit"): 4}
    after = AdvertisementWatch(WatchSettings(enable=True))
    after.adopt(watch)
    with caplog.at_level(logging.WARNING):
        after.take(found)
    assert len(caplog.records) == 1
    families = list(after.families())
    assert value(families, "jianwei_ipv6_forged_advertisements_total") == {("eth0", "hop_limit"): 6}


def test_many_rogues_do_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    watch = AdvertisementWatch(WatchSettings(enable=True))
    with caplog.at_level(logging.WARNING):
        watch.take(Watched(("eth0",), 1.0, tuple(row(f"fe80::{n:x}") for n in range(1, 201))))
    assert len(caplog.records) == advertisements.WARNINGS + 1
    assert "180 more" in caplog.text


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (Ended(2, b"", ""), "exit status 2"),
        (Ended(0, b"{", ""), "truncated"),
        (Ended(-9, b"", "no end within 5 s"), "no end"),
    ],
)
def test_a_watch_that_fails_is_told_and_forgets(
    ended: Ended, told: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch = AdvertisementWatch(WatchSettings(enable=True))
    watch.take(Watched(("eth0",), 1.0, (row(),)))
    monkeypatch.setattr(children, "run", lambda *_, **__: ended)
    watch._watch()
    assert told in watch.problem
    assert told in watch.advertisers()["unavailable"]
    families = list(watch.families())
    assert value(families, "jianwei_ipv6_watch_success") == {(): 0}
    assert value(families, "jianwei_ipv6_rogue_advertisers") == {}


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_watch_that_was_cut_short_is_no_all_clear(
    language: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forged = (Forged("eth0", "hop_limit", 2),)
    found = Watched(("eth0",), 1.0, (row("fe80::1", True),), forged, limited=True)
    watch = AdvertisementWatch(WatchSettings(enable=True))
    watch.take(Watched(("eth0",), 1.0, (row("fe80::1", True),)))
    watch.take(found)
    assert "too many messages" in watch.problem
    assert "too many messages" in caplog.text
    assert watch.advertisers() == {
        "unavailable": "budget: the watch was cut short: too many messages"
    }
    families = list(watch.families())
    assert value(families, "jianwei_ipv6_watch_success") == {(): 0}
    assert value(families, "jianwei_ipv6_rogue_advertisers") == {}
    assert value(families, "jianwei_ipv6_forged_advertisements_total") == {("eth0", "hop_limit"): 2}
    monkeypatch.setattr("agents.cli.ipv6watch.devices", lambda *_: ["eth0"])
    monkeypatch.setattr("agents.cli.ipv6watch.watch", lambda *_: found)
    done = CliRunner().invoke(command, ["--lang", language])
    assert done.exit_code == 1
    assert ("无法判断" in done.stdout) or ("is not known" in done.stdout)
    worse = msgspec.structs.replace(found, advertisers=(row(),))
    watch.take(worse)
    assert watch.problem == ""
    assert value(list(watch.families()), "jianwei_ipv6_rogue_advertisers") == {(): 1}
    monkeypatch.setattr("agents.cli.ipv6watch.watch", lambda *_: worse)
    assert CliRunner().invoke(command, []).exit_code == 1


def test_a_named_interface_that_went_down_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Watched(("eth0", "eth1"), 1.0, lost=("eth1",))
    monkeypatch.setattr("agents.cli.ipv6watch.devices", lambda *_: ["eth0", "eth1"])
    monkeypatch.setattr("agents.cli.ipv6watch.watch", lambda *_: found)
    named = ["--interface", "eth0", "--interface", "eth1", "--lang", "en"]
    done = CliRunner().invoke(command, named)
    assert (done.exit_code, "went down during the watch: eth1" in done.stdout) == (1, True)
    assert CliRunner().invoke(command, [*named, "--skip-down"]).exit_code == 0


def test_audits_are_hastened_when_other_advertisers_are_unexpected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = AdvertisementWatch(WatchSettings(enable=True))
    called: list[int] = []
    watch.when_unexpected_change(lambda: called.append(1))
    good, bad = row("fe80::1", True), row()
    steps = (
        (Watched(("eth0",), 1.0, (good,)), 1),  # the first
        (Watched(("eth0",), 1.0, (good,)), 1),
        (Watched(("eth0",), 1.0, (good, bad)), 2),
        (Watched(("eth0",), 1.0, (bad, good)), 2),
        (Watched(("eth0",), 1.0, (good,), limited=True), 3),
        (Watched(("eth0",), 1.0, (good,), limited=True), 3),
        (Watched(("eth0",), 1.0, (good,)), 4),
    )
    for found, calls in steps:
        watch.take(found)
        assert len(called) == calls
    monkeypatch.setattr(children, "run", lambda *_, **__: Ended(2, b"", ""))
    watch._watch()
    assert len(called) == 5


def test_the_agent_hastens_audits_by_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    monkeypatch.setattr("agents.runtime.AuditSchedule.hasten", lambda _: called.append(1))
    active = Runtime(None)._active
    active.watch.take(Watched(("eth0",), 1.0, ()))
    assert called == [1]


@needs_lab
@pytest.mark.parametrize(
    ("before", "options", "why"),
    [
        (("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"), (), "permission: needs"),
        ((), ("eth9",), "no_ipv6_here: no interface with IPv6 is up among eth9"),
    ],
)
def test_why_a_watch_brought_nothing_is_in_the_childs_words(
    link: Link,
    before: tuple[str, ...],
    options: tuple[str, ...],
    why: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(
        arguments: tuple[str, ...], seconds: float, errors: int, stop: threading.Event | None
    ) -> Ended:
        argv = link.lab.argv("host", *before, *WATCH, "ipv6watch", *arguments[2:])
        return finish(argv, seconds, 1 << 20, os.environ, errors, stop)

    monkeypatch.setattr(children, "run", run)
    fact = _watched(WatchSettings(interfaces=options), 1.0)
    assert fact.value is None
    assert fact.unavailable.startswith(why)
    watch = AdvertisementWatch(WatchSettings(enable=True, interfaces=options))
    watch._watch()
    told = given(io.BytesIO(json.dumps({fact.name: watch.advertisers()}).encode()))
    assert told == {fact.name: fact}


def test_off_by_default() -> None:
    watch = AdvertisementWatch(WatchSettings())
    watch.start()
    watch.stop()
    assert (watch.families(), watch.advertisers()) == ((), None)


# --- settings and the fact


def test_the_command_line_of_settings() -> None:
    assert arguments_of(WatchSettings()) == ("--json", "--seconds=10", "--solicit")
    given = WatchSettings(
        *(True, ("eth0", "-x"), (RouterAddress("fe80::1"),), ()),
        seconds=Duration(1.5),
        solicit=False,
    )
    assert arguments_of(given) == (
        *("--json", "--seconds=1.5", "--interface=eth0", "--interface=-x"),
        *("--skip-down", "--router=fe80::1", "--dhcpv6=none"),
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("routers: [192.0.2.1]", "'192.0.2.1' is not an IPv6 address; write for example"),
        ("routers: ['2400:da00::1']", ":1: routers.*is not link-local, .*for example fe80::1%eth0"),
        ("dhcpv6_servers: [1]", "1 is not an IPv6 address"),
        ("seconds: 10m", "within interval"),
        ("enabled: true", "did you mean 'enable'"),
    ],
)
def test_settings_that_are_wrong(text: str, told: str) -> None:
    with pytest.raises(DocumentError, match=told):
        loads(text, WatchSettings)


def test_the_fact_is_unknown_where_nobody_watches() -> None:
    (fact,) = COLLECTORS["ipv6_advertisers"].cls().parse(Answers({}))
    assert isinstance(fact, Fact)
    assert fact.value is None
    assert fact.unavailable.startswith("not_asked")


def test_what_is_heavy_is_not_loaded_with_the_agent() -> None:
    code = (
        "import sys, agents.advertisements, agents.cli.ipv6watch, collectors.ipv6.wire.nat64\n"
        "import collectors.ipv6.wire.sitepath\n"
        "print(*{'scapy', 'dns', 'cel'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.split() == []
