"""Rounds over clouds as the resident agent has them: what is served, measured and kept, and when."""

from __future__ import annotations

import io
import os
import sys
import threading
import urllib.request
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest

from agents import cloudlines, cloudlook, rounds
from agents import config as configuration
from agents.clouds import CloudSchedule, _Lines
from agents.history import HistorySchedule, _Feed
from agents.rounds import FIRST_DELAY
from collectors.cloud.model import Resource, Size, Use
from collectors.model import gauge, sample
from collectors.sources.commands import finish
from exporters.history.accumulate import Accumulator
from exporters.history.file import connect
from exporters.history.store import Known, Span
from tests.agentlab import agent, eventually
from tests.agents.test_clouds import KVM, OVERRIDES, configured, spans, values, view
from tests.libvirtlab import domain, needs_libvirt, node, uuid


class Taken(HistorySchedule):
    """Keeps what it is given."""

    def __init__(self, config: configuration.Config) -> None:
        super().__init__(config)
        self.uses: list[Use] = []
        self.looks = 0  # with use
        self.resources: list[Known] = []
        self.spans: list[Span] = []

    def take(
        self,
        cloud: str,
        interval: float,
        began: float,
        uses: Iterable[Use],
        resources: Sequence[Known] = (),
        spans: Sequence[Span] = (),
    ) -> bool:
        its = list(uses)
        self.uses += its
        self.looks += bool(its)
        self.resources += resources
        self.spans += spans
        return True


def scheduled(path: Path) -> tuple[CloudSchedule, Taken]:
    config = configuration.load(str(path))
    taken = Taken(config)
    return CloudSchedule(str(path), config.clouds, taken), taken


def success(schedule: CloudSchedule) -> dict[str, float]:
    told = values(list(schedule.families()), "jianwei_cloud_success")
    return {cloud: value for (cloud,), value in told.items()}


def names(schedule: CloudSchedule) -> set[str]:
    return {family.name for family in schedule.families() if family.samples}


@needs_libvirt
def test_a_round_that_fails_takes_what_was_seen_from_the_page(tmp_path: Path) -> None:
    path = configured(tmp_path, node(tmp_path / "node.xml", [domain(1)]))
    schedule, _ = scheduled(path)
    schedule._round()
    assert {"libvirt_up", "jianwei_resource_info"} <= names(schedule)
    path.write_text("nonsense: 1\n")
    schedule._round()
    assert not {"libvirt_up", "jianwei_resource_info"} & names(schedule)
    assert "the clouds could not be asked" in schedule.problem
    assert success(schedule) == {"kvm": 0.0}
    assert values(list(schedule.families()), "jianwei_attribution_success") == {(): 0.0}


@needs_libvirt
def test_a_cloud_is_served_and_measured_while_another_hangs(tmp_path: Path, silent: int) -> None:
    """Two rounds: what is looked at comes, and what the good cloud used is in the file, while the
    rounds still wait for the other one."""
    uri = node(tmp_path / "node.xml", [domain(1)])
    dead = f"    - {{name: dead, kind: libvirt, uri: 'qemu+tcp://127.0.0.1:{silent}/system'}}\n"
    path = configured(tmp_path, uri, clouds=dead)
    text = path.read_text().replace("timeout: 2s", "timeout: 20s").replace("5s", "3s")
    path.write_text(text.replace("state_dir: state", f"state_dir: {tmp_path}/state"))
    config = configuration.load(str(path))
    history = HistorySchedule(config)
    feed = history._feeds["kvm"] = _Feed()
    feed.slots = Accumulator(slot=1)  # seconds: nobody waits five minutes for a test
    schedule = CloudSchedule(str(path), config.clouds, history)
    file = tmp_path / "state" / "history.db"

    def rollups() -> int:
        with closing(connect(file)) as connection:
            return int(connection.execute("SELECT count(*) FROM rollups").fetchone()[0])

    history.start()
    try:
        for number in range(2):
            before = schedule._seen.get("kvm")
            round = threading.Thread(target=schedule._round)
            round.start()
            eventually(lambda before=before: schedule._seen.get("kvm") != before)  # type: ignore[misc]
            assert success(schedule) == {"kvm": 1.0, "dead": 0.0}
            assert "libvirt_domain_info_virtual_cpus" in names(schedule)
            if number:
                assert rollups() > 0
            assert round.is_alive()
            round.join()
            assert values(list(schedule.families()), "jianwei_cloud_problems") == {
                ("dead", "all"): 1.0
            }
    finally:
        schedule.stop()
        history.stop()
    assert schedule.problem == ""


@needs_libvirt
def test_a_table_of_owners_that_becomes_wrong_costs_owners_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = configured(
        tmp_path,
        node(tmp_path / "node.xml", [domain(1)]),
        f"attribution: {{overrides_file: {tmp_path}/owners.csv}}",
    )
    owners = tmp_path / "owners.csv"
    owners.write_text(OVERRIDES.format(uuid(1)), encoding="utf-8")
    schedule, taken = scheduled(path)
    schedule._round()
    assert "jianwei_resource_info" in names(schedule)
    assert values(list(schedule.families()), "jianwei_attribution_success") == {(): 1.0}
    first = len(taken.uses), len(taken.resources), len(taken.spans)
    assert all(first)
    owners.write_text(OVERRIDES.format(uuid(1)) + "x,y,z,yesterday\n", encoding="utf-8")
    for _ in range(2):
        schedule._round()
    told = names(schedule)
    assert "libvirt_domain_info_virtual_cpus" in told
    assert not {name for name in told if name.startswith(("jianwei_estate", "jianwei_resource"))}
    assert success(schedule) == {"kvm": 1.0}
    assert values(list(schedule.families()), "jianwei_attribution_success") == {(): 0.0}
    assert len(taken.uses) == 3 * first[0]
    assert (len(taken.resources), len(taken.spans)) == first[1:]
    assert "owners.csv:3" in schedule.problem
    assert caplog.text.count("owners.csv:3") == 1
    owners.write_text(OVERRIDES.format(uuid(1)), encoding="utf-8")
    schedule._round()
    assert "jianwei_resource_info" in names(schedule)
    assert values(list(schedule.families()), "jianwei_attribution_success") == {(): 1.0}
    assert schedule.problem == ""


def test_a_large_city_comes_in_small_lines(tmp_path: Path) -> None:
    """What went over the limit of one answer at 20,000 servers and their volumes."""
    count = 20_000
    ids = [str(UUID(int=number)) for number in range(2 * count)]
    servers = [Resource(id, "server", id, "active", Size(2, 1 << 30)) for id in ids]
    many = view(
        1.0,
        *servers,
        uses=tuple(Use(id, 1.0, cpu=1.0) for id in ids),
        families=(
            gauge("libvirt_up", "", sample(1.0, cloud="kvm")),
            gauge("libvirt_x", "", *(sample(1.0, cloud="kvm", domain=id) for id in ids)),
        ),
    )
    known = [Known(id, "server", id, "kvm", 1.0, 1.0) for id in ids]
    spans = [Span(id, aspect, 1.0, None, '"active"') for id in ids for aspect in ("state", "size")]
    gone = Span("gone", "state", 1.0, None, '"released"')
    out = io.BytesIO()
    lines = cloudlines.Printer(out, [KVM])
    lines.came(many, cloudlook.families(many))
    lines.keep("kvm", 1.0, known, [*spans, gone])
    lines.end(1.0, [], "")
    assert max(map(len, out.getvalue().splitlines())) < 1 << 20
    schedule, taken = scheduled(configured(tmp_path, "test:///default"))
    reader = _Lines(schedule)
    for line in out.getvalue().splitlines():
        reader.take(line)
    assert reader.ended
    assert len(taken.uses) == len(taken.resources) == 2 * count
    assert taken.looks == 1  # a look of which a part came would end the slots before it
    assert sorted(taken.spans) == sorted([*spans, gone])
    told = {family.name: len(family.samples) for family in schedule.families()}
    assert (told["libvirt_up"], told["libvirt_x"]) == (1, 2 * count)


def test_what_stays_is_served_after_a_reload(tmp_path: Path) -> None:
    other = "    - {name: other, kind: libvirt, uri: 'test:///default'}\n"
    path = configured(tmp_path, "test:///default", clouds=other)
    before, _ = scheduled(path)
    reader = _Lines(before)
    out = io.BytesIO()
    lines = cloudlines.Printer(out, before._settings.sources)
    for cloud in ("kvm", "other"):
        up = gauge("libvirt_up", "", sample(1.0, cloud=cloud))
        one = view(1.0, cloud=cloud, families=(up,))
        lines.came(one, cloudlook.families(one))
    lines.end(1.0, [gauge("jianwei_estate_resources", "", sample(1.0))], "")
    for line in out.getvalue().splitlines():
        reader.take(line)
    assert "jianwei_estate_resources" in names(before)

    def after(clouds: str) -> CloudSchedule:
        schedule, _ = scheduled(configured(tmp_path, "test:///default", clouds=clouds))
        schedule.adopt(before)
        return schedule

    more = after(other + "    - {name: new, kind: libvirt, uri: 'test:///new'}\n")
    assert success(more) == {"kvm": 1.0, "other": 1.0, "new": 0.0}
    assert values(list(more.families()), "libvirt_up") == {("kvm",): 1.0, ("other",): 1.0}
    assert "jianwei_estate_resources" in names(more)
    assert more._rounds.first == FIRST_DELAY
    changed = after(other.replace("test:///default", "test:///moved"))
    assert success(changed) == {"kvm": 1.0, "other": 0.0}
    assert values(list(changed.families()), "libvirt_up") == {("kvm",): 1.0}
    assert "jianwei_estate_resources" not in names(changed)  # it was of what is no more


def test_rounds_are_an_interval_apart_from_start_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, began = [0.0], threading.Semaphore(0)
    monkeypatch.setattr(rounds, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(rounds, "FIRST_DELAY", 0.01)

    def work() -> None:
        clock[0] += 120  # as long as the whole interval
        began.release()

    every = rounds.Rounds("test", 100, work)
    every.first = 0.0
    every.start()
    try:
        assert began.acquire(timeout=20)
        clock[0] += 0.02
        assert began.acquire(timeout=20)
    finally:
        every.stop()


def test_lines_come_as_they_are_printed() -> None:
    """Together they may be longer than the limit, which is of one line."""
    script = "import sys\nfor n in range(5): print(str(n) * 50_000)\nprint('end', end='')"
    lines: list[bytes] = []
    argv = (sys.executable, "-c", script)
    ended = finish(argv, 20, 100_000, os.environ, lines=lines.append)
    assert (ended.problem, ended.output) == ("", b"end")
    assert lines == [str(n).encode() * 50_000 for n in range(5)]
    assert "output longer than" in finish(argv, 20, 40_000, os.environ, lines=lines.append).problem
    stop = threading.Event()

    def first(line: bytes) -> None:
        assert not stop.is_set()
        stop.set()

    assert finish(argv, 20, 100_000, os.environ, stop=stop, lines=first).problem == "stopped"


@needs_libvirt
def test_the_agent_serves_and_keeps_what_its_clouds_have(tmp_path: Path) -> None:
    uri = node(tmp_path / "node.xml", [domain(1), domain(2, shut_off=True)])
    (tmp_path / "state").mkdir()
    text = (
        configured(tmp_path, uri)
        .read_text()
        .replace("state_dir: state", f"state_dir: {tmp_path}/state")
    )
    with agent(tmp_path, text) as it:

        def page() -> str:
            with urllib.request.urlopen(f"{it.url}/metrics", timeout=10) as answer:
                return str(answer.read().decode())

        told = eventually(lambda: now if "jianwei_estate_granted" in (now := page()) else "")
        assert 'jianwei_cloud_success{cloud="kvm"} 1' in told
        assert 'jianwei_estate_granted{resource="vcpus"} 4' in told
        assert 'libvirt_domain_info_virtual_cpus{cloud="kvm",domain="instance-00000001"} 2' in told
        assert "jianwei_cloud_age_seconds" in told
        file = tmp_path / "state" / "history.db"
        eventually(lambda: file.exists() and len(spans(file)) >= 4)
        assert [one[0] for one in spans(file) if one[1] == "state"] == [uuid(1), uuid(2)]
        # one more cloud: what was seen stays, and the new one is looked at soon
        second = node(tmp_path / "second.xml", [domain(3)])
        more = f"    - {{name: more, kind: libvirt, uri: '{second}'}}\n"
        it.config.write_text(text.replace("interval: 30s", "interval: 10m") + more)
        urllib.request.urlopen(
            urllib.request.Request(f"{it.url}/-/reload", method="POST"), timeout=30
        ).close()
        told = page()
        assert 'jianwei_cloud_success{cloud="kvm"} 1' in told
        assert 'libvirt_up{cloud="kvm"} 1' in told
        assert "jianwei_estate_granted" in told
        eventually(lambda: 'jianwei_cloud_success{cloud="more"} 1' in page())
