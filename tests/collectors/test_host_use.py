"""What this machine uses: which devices count, and sums that no device makes leap."""

from __future__ import annotations

import random
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cloud.model import Size
from collectors.host import identity
from collectors.host.use import (
    BACKED_DISKS,
    BACKED_NET,
    BELOW_BACKED,
    DEVICES,
    DISK_SIZES,
    MOUNTS,
    READINGS,
    ROUTE,
    Counters,
    Devices,
    Tally,
    counters,
    devices,
    size_of,
    space,
)
from collectors.model import Answer, Answers, Fact, Reading
from collectors.rows import FileStat, Mount, Uname
from collectors.security.system.osinfo import OsInfoCollector
from collectors.sources.local import LocalSource, encode_rows
from collectors.sources.recorded import RecordedSource

MACHINES = Path(__file__).parent.parent / "fixtures/machines"
STAT, MEMINFO, DEV, DISKSTATS = READINGS
ABSENT = Answer("absent")


def text(content: str) -> Answer:
    return Answer("content", content.encode())


def links(pattern: str, *names: str) -> Answer:
    paths = (pattern.replace("*", name) for name in names)
    return Answer(
        "content", encode_rows([FileStat(path, "link", 0o777, 0, 0, 0, 0.0) for path in paths])
    )


WHOLE: dict[Reading, Answer] = {
    STAT: text("cpu  100 20 30 999 5 6 7 50 12 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\nintr 1 2 3\n"),
    MEMINFO: text("MemTotal: 4000 kB\nMemFree: 500 kB\nMemAvailable: 3000 kB\nBuffers: 1 kB\n"),
    DEV: text(
        "Inter-|\n face |\n    lo: 9 0 0 0 0 0 0 0 9 0 0 0 0 0 0 0\n"
        "  eth0:100 0 0 0 0 0 0 0 200 0 0 0 0 0 0 0\n veth1: 7 0 0 0 0 0 0 0 8 0 0 0 0 0 0 0\n"
    ),
    DISKSTATS: text("254 0 vda 1 0 10 0 1 0 20 0 0 0 0\n254 1 vda1 1 0 10 0 1 0 20 0 0 0 0\n"),
}


def of_devices(
    net: tuple[str, ...], below: tuple[str, ...] = (), disks: tuple[str, ...] = ("vda",),
    route: str = "",
) -> Devices:  # fmt: skip
    return devices(
        Answers(
            {
                BACKED_NET: links(BACKED_NET.pattern, *net),
                BELOW_BACKED: links(BELOW_BACKED.pattern, *below),
                BACKED_DISKS: links(BACKED_DISKS.pattern, *disks),
                DISK_SIZES: Answer(
                    "content", children=(("/sys/block/vda/size", text("100")),
                                         ("/sys/block/loop0/size", text("7"))),
                ),
                ROUTE: text("Iface\tDestination\n" + route),
            }
        )
    )  # fmt: skip


def test_one_look() -> None:
    seen = counters(Answers(WHOLE))
    # guests are in user already; idle, waiting and stolen time is nobody's use
    assert seen[:2] == ((1.63, 0.5, 2), (1000 << 10, 4000 << 10))
    assert {**(seen.net or {})}["eth0"] == (100, 200)
    assert {**(seen.disks or {})}["vda"] == (5120, 10240)
    assert seen.problems == ()
    use = Tally().use("h", 5.0, seen, of_devices(("eth0",)))
    assert (use.cpu, use.steal, use.vcpus, use.net_rx) == (1.63, 0.5, 2, 0.0)
    assert size_of(seen, of_devices(("eth0",))) == Size(2.0, 4000 << 10, 51200)


@pytest.mark.parametrize("lost", READINGS)
def test_a_part_that_cannot_be_seen_costs_itself_alone(lost: Reading) -> None:
    for answer in (ABSENT, Answer("denied"), text("nonsense\n\nx: y\nz")):
        seen = counters(Answers({**WHOLE, lost: answer}))
        assert [part is None for part in seen[:4]] == [reading == lost for reading in READINGS]
        assert len(seen.problems) == 1
        use = Tally().use("h", 5.0, seen, of_devices(("eth0",)))
        assert (use.cpu is None) == (use.vcpus is None) == (lost == STAT)


def test_memory_without_what_is_available_is_not_known() -> None:
    old = text("MemTotal: 4000 kB\nMemFree: 500 kB\nBuffers: 1 kB\n")
    assert counters(Answers({**WHOLE, MEMINFO: old})).memory is None


@pytest.mark.parametrize(
    ("net", "below", "route", "counted"),
    [
        (("eth0", "eth1"), (), "", {"eth0", "eth1"}),
        # Azure: the virtual function below the synthetic device, which counts what crosses both
        (("eth0", "enP1"), ("enP1",), "", {"eth0"}),
        # a container: nothing has hardware behind it
        ((), (), "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\n"
                 "br0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n", {"eth0"}),
        ((), (), "", None),
    ],
)  # fmt: skip
def test_devices_that_count(
    net: tuple[str, ...], below: tuple[str, ...], route: str, counted: set[str] | None
) -> None:
    assert of_devices(net, below, route=route).net == counted


def look(net: dict[str, tuple[float, float]]) -> Counters:
    return Counters(None, None, net, {})


def test_devices_that_come_go_and_begin_anew_are_no_traffic() -> None:
    tally, count = Tally(), Devices(frozenset({"a", "b"}), None, None)

    def rx(**net: float) -> float | None:
        return tally.use("h", 0.0, look({k: (v, 0.0) for k, v in net.items()}), count).net_rx

    assert rx(a=1000) == 0
    assert rx(a=1500) == 500
    assert rx(a=1600, b=9e9) == 600  # plugged in with all that it ever counted
    assert rx(a=1700, b=9e9 + 50) == 750
    assert rx(b=9e9 + 60) == 760  # a is gone
    assert rx(a=5, b=9e9 + 70) == 770  # and comes again, from nothing
    assert rx(a=6, b=3) is None  # b began anew: what crossed meanwhile nobody knows
    assert rx(a=7, b=4) is not None
    assert rx(a=7, b=4, veth=1e12) == rx(a=7, b=4)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 1000)), max_size=20))
def test_sums_never_fall(looks: list[dict[str, int]]) -> None:
    tally, count, last = Tally(), Devices(frozenset("ab"), None, None), 0.0
    for net in looks:
        now = tally.use("h", 0.0, look({k: (v, v) for k, v in net.items()}), count).net_rx
        if now is not None:
            assert now >= last
            last = now


def mount(device: str, point: str, size: int, free: int, error: str = "") -> Mount:
    return Mount(device, point, "ext4", (), size, free, error=error)


def spaces(*rows: Mount) -> tuple[float, float] | None:
    return space(Answers({MOUNTS: Answer("content", encode_rows(rows))}))


def test_space_of_local_file_systems_each_once() -> None:
    root, bind = mount("/dev/vda1", "/", 100, 30), mount("/dev/vda1", "/srv", 100, 30)
    assert spaces(root, bind, mount("/dev/vdb", "/data", 50, 50)) == (70, 150)
    assert spaces(root, mount("/dev/vdb", "/data", 0, 0, "Input/output error")) is None
    assert spaces(mount("tank/home", "/home", 5, 5)) is None
    assert spaces() is None
    assert space(Answers({MOUNTS: Answer("failed")})) is None


def test_this_machine_as_psutil_sees_it() -> None:
    source = LocalSource()
    before, at = counters(Answers(source.answer(READINGS))), time.monotonic()
    theirs = psutil.cpu_times()
    burn = sum(random.random() for _ in range(2_000_000))  # noqa: S311 - work
    after, seconds = counters(Answers(source.answer(READINGS))), time.monotonic() - at
    later = psutil.cpu_times()
    assert burn
    assert before.cpu
    assert after.cpu
    assert before.memory
    assert before.disks
    assert after.cpu[2] == psutil.cpu_count()
    mine = after.cpu[0] - before.cpu[0]
    names = ("user", "nice", "system", "irq", "softirq")
    assert mine == pytest.approx(
        sum(getattr(later, n) - getattr(theirs, n) for n in names), abs=0.3
    )
    assert 0 < mine <= seconds * after.cpu[2] * 1.1 + 0.05
    memory = psutil.virtual_memory()
    assert before.memory[1] == memory.total
    assert before.memory[0] == pytest.approx(memory.total - memory.available, rel=0.2)
    found = devices(Answers(source.answer(DEVICES)))
    disks = psutil.disk_io_counters(perdisk=True)
    for name in found.disks or ():
        assert before.disks[name][1] <= disks[name].write_bytes


@pytest.mark.parametrize("machine", sorted(p.name for p in MACHINES.iterdir()))
def test_recorded_machines(machine: str) -> None:
    source = RecordedSource(MACHINES / machine)
    seen = counters(Answers(source.answer(READINGS)))
    answers = source.answer(DEVICES)
    assert devices(Answers(answers)).net is None or seen.net is not None
    assert all(part is not None for part in seen[:3]) or seen.problems


def test_the_host_has_the_id_that_audits_tell() -> None:
    for machine_id in ("0123456789abcdef" * 2, "", "0" * 32, "uninitialized"):
        answers: dict[Reading, Answer] = {
            identity.UNAME: Answer(
                "content", encode_rows([Uname("Linux", "vm-1", "6", "#1", "x86_64", "")])
            ),
            identity.MACHINE_ID: text(machine_id + "\n") if machine_id else ABSENT,
        }
        mine = identity.identity(Answers(answers))
        every: dict[Reading, Answer] = {
            r: answers.get(r, ABSENT) for r in OsInfoCollector().readings()
        }
        facts = [one for one in OsInfoCollector().parse(Answers(every)) if isinstance(one, Fact)]
        (host,) = (fact.value for fact in facts if fact.name == "host")
        assert host == {"id": mine.id, "name": "vm-1"}
        assert (mine.source == "uname") == (len(machine_id) != 32 or not machine_id.strip("0"))
