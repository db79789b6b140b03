"""Paths on schedule: when children run, what they find, and which change is one."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
import pytest

from agents import children, paths
from agents.logs import _Json
from agents.paths import PathSchedule
from collectors.link.path import Hop, Path, PathSettings, written
from collectors.link.resolve import NotAnAddress
from collectors.model import AddressFamily, Family, Target
from collectors.sources.commands import Ended
from collectors.strictyaml import Duration
from tests import netlab
from tests.pathlab import diamond, four, six, toward

ONCE = PathSettings(interval=Duration(3600), minimum=Duration(0.001), mtu=False)


def until(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.02)


def samples(families: Sequence[Family], name: str) -> dict[tuple[str, ...], float]:
    (family,) = [one for one in families if one.name == name]
    return {tuple(v for _, v in one.labels): one.value for one in family.samples}


def route(*hops: str, reached: bool = True) -> Path:
    """A path to `t` of addresses, `|` between alternatives, `*` for silence."""
    made = tuple(
        Hop(ttl, () if text == "*" else tuple(text.split("|"))) for ttl, text in enumerate(hops, 1)
    )
    return Path("192.0.2.9", "192.0.2.9", "ipv4", "icmp", made, reached, time=float(len(hops)))


class Children:
    """Stands in for children: each answers the next of `answers` for every address."""

    def __init__(self, *answers: Path | Ended) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, ...]] = []
        self.at: list[float] = []

    def run(self, arguments: tuple[str, ...], seconds: float, **_: object) -> Ended:
        self.calls.append(arguments)
        self.at.append(time.monotonic())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Ended):
            return answer
        targets = arguments[arguments.index("--") + 1 :]
        lines = [
            msgspec.json.encode(msgspec.structs.replace(answer, target=t, address=t))
            for t in targets
        ]
        return Ended(0, b"\n".join(lines), "")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., PathSchedule]]:
    monkeypatch.setattr(paths, "GATHER", 0.02)
    running: list[PathSchedule] = []

    def start(
        fake: Children, settings: PathSettings = ONCE, targets: Sequence[Target] = ()
    ) -> PathSchedule:
        monkeypatch.setattr(children, "run", fake.run)
        schedule = PathSchedule(settings, lambda: targets)
        running.append(schedule)
        schedule.start()
        return schedule

    yield start
    for schedule in running:
        schedule.stop()


def ask(schedule: PathSchedule, times: int) -> None:
    """That many traces, one after another."""
    for _ in range(times):
        wanted = traces(schedule) + 1
        assert schedule.request("t", "192.0.2.9", "ipv4", "loss")
        until(lambda wanted=wanted: traces(schedule) >= wanted)  # type: ignore[misc]


def traces(schedule: PathSchedule) -> float:
    return samples(schedule.families(), "jianwei_path_traces_total")[()]


A, B, C, T = "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.9"


def test_a_change_is_one_event_with_the_old_and_the_new_way(
    started: Callable[..., PathSchedule], caplog: pytest.LogCaptureFixture
) -> None:
    fake = Children(route(A, B, T), route(A, "*", T), route(A, C, T), route(A, C, T))
    schedule = started(fake)
    ask(schedule, 4)
    (change,) = schedule.changes()
    assert (written(change.old), written(change.new)) == (f"{A} → {B} → {T}", f"{A} → {C} → {T}")
    assert (change.target, change.family, change.ttl, change.why) == ("t", "ipv4", 2, "loss")
    families = schedule.families()
    key = ("t", "ipv4")
    assert samples(families, "jianwei_path_changes_total") == {key: 1}
    assert samples(families, "jianwei_path_change_timestamp_seconds") == {key: change.time}
    assert samples(families, "jianwei_path_hops") == {key: 3}
    assert samples(families, "jianwei_path_reached") == {key: 1}
    (record,) = [r for r in caplog.records if "has changed" in r.getMessage()]
    assert f"{A} → {C} → {T}; before: {A} → {B} → {T}" in record.getMessage()
    event = json.loads(_Json().format(record))["event"]
    assert (event["old"], event["new"]) == ([[A], [B], [T]], [[A], [C], [T]])


def test_silence_and_loss_are_no_change(started: Callable[..., PathSchedule]) -> None:
    fake = Children(
        route(A, B, T),
        route(A, "*", T),
        route(A, reached=False),
        route(reached=False),
        route(A, B, "*", T),
        route(A, B, T),
    )
    schedule = started(fake)
    ask(schedule, 6)
    assert schedule.changes() == []
    assert samples(schedule.families(), "jianwei_path_hops") == {("t", "ipv4"): 3}


def test_a_trace_during_the_change_is_done_again(started: Callable[..., PathSchedule]) -> None:
    """It sees both routers; were it believed, the next one would be no contradiction."""
    fake = Children(route(A, B, T), route(A, f"{B}|{C}", T), route(A, C, T))
    schedule = started(fake)
    ask(schedule, 2)
    until(schedule.changes)
    (change,) = schedule.changes()
    assert written(change.old) == f"{A} → {B} → {T}"
    assert change.why == "loss, again"


def test_a_balancer_seen_twice_is_one(started: Callable[..., PathSchedule]) -> None:
    both = route(A, f"{B}|{C}", T)
    fake = Children(route(A, B, T), both, both, route(A, C, T), route(A, B, T))
    schedule = started(fake)
    ask(schedule, 2)
    until(lambda: len(fake.calls) >= 3)
    ask(schedule, 2)
    assert schedule.changes() == []


def test_another_address_is_no_change_of_the_way(started: Callable[..., PathSchedule]) -> None:
    fake = Children(route(A, B, T), route(A, C, T))
    schedule = started(fake)
    ask(schedule, 1)
    schedule.request("t", "192.0.2.10", "ipv4", "loss")
    until(lambda: [path.address for path in schedule.paths()] == ["192.0.2.10"])
    assert schedule.changes() == []


def test_many_targets_share_a_child_and_a_round(started: Callable[..., PathSchedule]) -> None:
    fake = Children(route(A, T))
    targets = [Target(f"t{n}", f"198.51.100.{n}", "ipv4") for n in range(1, 71)]
    settings = msgspec.structs.replace(ONCE, interval=Duration(2))
    schedule = started(fake, settings, targets)
    until(lambda: len(schedule.paths()) == 70)
    assert all(len(call) - call.index("--") - 1 <= paths.BATCH for call in fake.calls)
    assert {path.target for path in schedule.paths()} == {t.name for t in targets}
    assert len(fake.calls) <= 4


def test_a_target_is_not_traced_more_often_than_the_minimum(
    started: Callable[..., PathSchedule],
) -> None:
    fake = Children(route(A, T))
    schedule = started(fake, msgspec.structs.replace(ONCE, minimum=Duration(1)))
    assert schedule.request("t", "192.0.2.9", "ipv4", "loss")
    assert not schedule.request("t", "192.0.2.9", "ipv4", "loss")  # waits already
    until(lambda: len(fake.calls) == 1)
    assert schedule.request("t", "192.0.2.9", "ipv4", "hop limit")  # is put off, not lost
    until(lambda: len(fake.calls) == 2)
    assert fake.at[1] - fake.at[0] >= 0.99


def test_the_queue_is_bounded() -> None:
    schedule = PathSchedule(ONCE, lambda: ())  # not started: nothing is taken
    answers = [schedule.request(f"t{n}", "192.0.2.9", "ipv4", "loss") for n in range(1100)]
    assert answers == [True] * paths.QUEUE + [False] * 100
    dropped = samples(schedule.families(), "jianwei_path_requests_dropped_total")
    assert dropped == {(): 100}
    with pytest.raises(NotAnAddress):
        schedule.request("t", "--help", "ipv4", "loss")


@pytest.mark.parametrize(
    "ended",
    [
        Ended(2, b"", ""),
        Ended(-9, b"", "no end within 90 s"),
        Ended(0, b'{"target": 1}\n', ""),
        Ended(1, b"", ""),
    ],
)
def test_a_child_that_fails_is_counted_and_changes_nothing(
    started: Callable[..., PathSchedule], ended: Ended
) -> None:
    fake = Children(route(A, B, T), ended)
    schedule = started(fake)
    ask(schedule, 1)
    schedule.request("t", "192.0.2.9", "ipv4", "loss")
    until(lambda: samples(schedule.families(), "jianwei_path_failures_total")[()] == 1)
    assert written(schedule.paths()[0]) == f"{A} → {B} → {T}"


def test_targets_that_cannot_be_told_stop_nothing(started: Callable[..., PathSchedule]) -> None:
    def broken() -> Sequence[Target]:
        raise ValueError("no targets")

    fake = Children(route(A, T))
    schedule = started(fake)
    schedule._targets = broken
    ask(schedule, 1)
    assert len(schedule.paths()) == 1


@pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())
def test_a_real_change_of_route_in_real_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """The diamond with one way in use, then the other: one event in each family, none before."""
    monkeypatch.setattr(paths, "GATHER", 0.02)
    wanted: list[tuple[str, AddressFamily]] = [(four(6, 2), "ipv4"), (six(6, 2), "ipv6")]
    with netlab.Lab() as lab:
        diamond(lab)

        def over(link: int) -> None:
            for address, length in ((four, 24), (six, 64)):
                prefix = f"{address(6, 0)}/{length}"
                lab.run("r", "ip", "route", "del", prefix)
                lab.route("r", prefix, "via", address(link, 2))

        # hosts behind the diamond answer over one way only, so that only ours changes
        for address, length in ((four, 24), (six, 64)):
            lab.run("t", "ip", "route", "del", f"{address(1, 0)}/{length}")
        toward(lab, "t", 1, 4, 1)
        over(2)
        schedule = PathSchedule(
            PathSettings(minimum=Duration(0.001)),
            lambda: [Target("line", address, family) for address, family in wanted],
        )
        lab.inside("a", schedule.start)
        try:
            until(lambda: len(schedule.paths()) == 2)

            def again() -> None:
                done = samples(schedule.families(), "jianwei_path_traces_total")[()]
                for address, family in wanted:
                    assert schedule.request("line", address, family, "loss")
                until(
                    lambda: (
                        samples(schedule.families(), "jianwei_path_traces_total")[()] - done == 2
                    )
                )

            lab.nft(
                "u",
                """table inet t { chain o { type filter hook output priority 0;
                   icmp type time-exceeded drop; icmpv6 type time-exceeded drop; }; }""",
            )
            again()
            lab.no_rules()
            assert schedule.changes() == []
            over(3)
            again()
            again()
        finally:
            schedule.stop()
    changes = {change.family: change for change in schedule.changes()}
    assert len(schedule.changes()) == 2
    for family, address in (("ipv4", four), ("ipv6", six)):
        change = changes[family]  # type: ignore[index]
        assert change.old.hops[1].addresses == (address(2, 2),)
        assert change.new.hops[1].addresses == (address(3, 2),)
        assert change.ttl in (2, 3)
    assert samples(schedule.families(), "jianwei_path_mtu_bytes") == {
        ("line", "ipv4"): 1500,
        ("line", "ipv6"): 1500,
    }
