"""Changes of hits told to receivers that are down, full, killed; and the agent killed as it tells."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents import config as configuration
from agents.cli import main
from agents.runtime import Runtime
from agents.telling import Patience, Teller
from collectors.model import Family
from exporters.findings import syslog
from exporters.findings.queue import Queue, looked_at
from exporters.findings.settings import MIN_QUEUE, CefSettings, FindingsSettings, Transport
from rules.model import Change
from tests.exporters.certificates import Authority
from tests.exporters.findingsamples import ATTACKS, NOW, RULES, changes, hit
from tests.exporters.test_finding_sinks import https, https_settings
from tests.rsysloglab import Rsyslog, needs_rsyslogd
from tests.sshlab import wait_until

QUICK = Patience(0.05, 0.2)


@contextmanager
def telling(settings: FindingsSettings, state: Path) -> Iterator[Teller]:
    teller = Teller(settings, state, QUICK)
    teller.start()
    try:
        yield teller
    finally:
        teller.stop()


def values(families: object) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for family in families:  # type: ignore[attr-defined]
        assert isinstance(family, Family)
        for sample in family.samples:
            found[family.name, dict(sample.labels)["sink"]] = sample.value
    return found


def of(teller: Teller, name: str, sink: str = "cef") -> float:
    return values(teller.families())[f"jianwei_findings_{name}", sink]


def instances(lines: list[str]) -> Counter[str]:
    return Counter(line.split("cs1=")[1].split(" ")[0] for line in lines)


def test_a_file_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    with telling(FindingsSettings(ocsf_file=str(path)), tmp_path) as teller:
        teller.put([*changes(3), Change(hit(state="fixed"), "new", NOW)], RULES)
        wait_until(lambda: of(teller, "sent_total", "ocsf_file") == 4)
        assert of(teller, "queue_bytes", "ocsf_file") == 0
        assert of(teller, "delivery_success", "ocsf_file") == 1
        assert teller.put([], RULES)
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [one["activity_id"] for one in found] == [1, 1, 1, 3]
    nobody = Teller(FindingsSettings(), tmp_path)
    nobody.start()
    assert nobody.put(changes(1), RULES)
    assert list(nobody.families()) == []
    nobody.stop()


def test_a_receiver_that_is_down_gets_all_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority()
    caplog.set_level(logging.INFO)
    with https(authority, tmp_path, 500, 503, 301, "slow", "junk") as server:
        settings = FindingsSettings(ocsf_https=https_settings(server, tmp_path, timeout=0.5))
        with telling(settings, tmp_path) as teller:
            teller.put(changes(250), RULES)
            wait_until(lambda: of(teller, "delivery_success", "ocsf_https") == 0)
            assert of(teller, "queue_bytes", "ocsf_https") > 0
            wait_until(lambda: of(teller, "sent_total", "ocsf_https") == 250)
            assert of(teller, "oldest_seconds", "ocsf_https") == 0
    bodies = [body for _, _, body in server.seen[5:]]
    assert [body.count(b"\n") for body in bodies] == [100, 100, 50]
    assert "wait in the queue: https 127.0.0.1: it answered 500" in caplog.text
    assert "are delivered again" in caplog.text


def test_the_agent_has_its_receivers_and_a_reload_keeps_what_waits(tmp_path: Path) -> None:
    path = tmp_path / "jianwei.yaml"
    text = f"state_dir: {tmp_path}/state\naudit: {{packs: []}}\nprobes: {{gateways: false}}\n"
    path.write_text(text + "findings: {cef: {address: 'localhost:9', transport: tcp}}\n")
    runtime = Runtime(str(path))
    runtime.start()
    try:
        runtime._active.teller.put(changes(2), RULES)
        assert of(runtime._active.teller, "queue_bytes") > 0
        named = {family.name for family in runtime.scrape(frozenset(), frozenset())}
        assert "jianwei_findings_queue_bytes" in named
        path.write_text(text + f"findings: {{ocsf_file: out, max_bytes: {MIN_QUEUE}}}\n")
        runtime.reload()
        runtime._active.teller.put(changes(1), RULES)
        wait_until(lambda: of(runtime._active.teller, "sent_total", "ocsf_file") == 1)
    finally:
        runtime.stop()
    assert (tmp_path / "out").read_text().count("\n") == 1  # beside the configuration
    fill = looked_at(tmp_path / "state/queue/cef")
    assert fill
    assert fill.messages == 2


CITY = """
pack: city
title: {{zh: 市级, en: City}}
rules:
  - id: linux.a.b
    title: {{zh: 甲, en: A}}
    severity: high
    facts: [accounts]
    assert: size(accounts) {compare}
    actual: size(accounts)
    maps: {{gb22239: [8.1.4.1.a]}}
    fix: {{zh: 处理, en: Mend it}}
    tests: {{pass: [{passes}], fail: [{fails}]}}
"""
SOME, NONE = "{accounts: [{name: root}]}", "{accounts: []}"


def test_what_audits_on_schedule_find_is_told_until_it_is_fixed(tmp_path: Path) -> None:
    path, pack, out = (tmp_path / name for name in ("jianwei.yaml", "city.yaml", "out.ndjson"))
    path.write_text(
        f"state_dir: {tmp_path}/state\nprobes: {{gateways: false}}\nfindings: {{ocsf_file: {out}}}\n"
        "audit: {packs: [./city.yaml], interval: 1s}\n"
    )
    pack.write_text(CITY.format(compare="== 0", passes=NONE, fails=SOME))
    runtime = Runtime(str(path))
    runtime.start()
    try:
        wait_until(lambda: out.exists() and b'"Create"' in out.read_bytes(), 30)
        pack.write_text(CITY.format(compare="> 0", passes=SOME, fails=NONE))
        wait_until(lambda: b'"Close"' in out.read_bytes(), 30)
    finally:
        runtime.stop()
    first, *_, last = [json.loads(line) for line in out.read_text().splitlines()]
    assert (first["activity_id"], first["status_id"], first["compliance"]["status_id"]) == (1, 1, 3)
    assert first["remediation"]["desc"] == "处理 / Mend it"
    assert first["compliance"]["requirements"][1] == "GB/T 28448-2019 L3-CES1-01"
    assert (last["activity_id"], last["status_id"], last["compliance"]["status_id"]) == (3, 4, 1)
    assert first["finding_info"]["uid"] == last["finding_info"]["uid"]


def test_what_waits_outlives_the_agent(tmp_path: Path) -> None:
    down = FindingsSettings(cef=CefSettings(address="127.0.0.1:9", transport="tcp"))
    with telling(down, tmp_path) as teller:
        teller.put(changes(5), RULES)
        wait_until(lambda: of(teller, "delivery_success") == 0)
    fill = looked_at(tmp_path / "queue/cef")
    assert fill
    assert fill.messages == 5
    with telling(down, tmp_path) as teller:
        assert of(teller, "queue_bytes") == fill.bytes
        assert of(teller, "oldest_seconds") > 0


def test_a_full_queue_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    down = CefSettings(address="127.0.0.1:9", transport="tcp")
    with telling(FindingsSettings(cef=down, max_bytes=MIN_QUEUE), tmp_path) as teller:
        teller.put(changes(500), RULES)
        dropped = of(teller, "dropped_total")
        assert 0 < dropped < 500
        assert of(teller, "queue_bytes") <= MIN_QUEUE
        assert (
            f"the queue of findings for cef is full: {dropped:.0f} oldest messages" in caplog.text
        )
        teller.put(changes(1), RULES)
        assert caplog.text.count("is full") == 1  # said once a minute, counted always
        assert of(teller, "dropped_total") > dropped
    queue = Queue(tmp_path / "queue/cef", MIN_QUEUE)
    assert b"cs1=user-499 " in queue.first(999)[-2].body
    queue.close()


def test_a_queue_that_cannot_be_made_has_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "queue").write_text("in the way")
    settings = FindingsSettings(ocsf_file=str(tmp_path / "out"))
    with telling(settings, tmp_path) as teller:
        assert not teller.put(changes(2), RULES)
        assert of(teller, "delivery_success", "ocsf_file") == 0
    assert "2 findings for ocsf_file cannot be queued" in caplog.text
    assert not teller.put(changes(2), RULES)  # stopped


def test_a_broken_queue_does_not_flood_the_others_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "queue").mkdir()
    broken = tmp_path / "queue/cef"
    broken.write_text("in the way")
    out = tmp_path / "out"
    cef = CefSettings(address="127.0.0.1:9", transport="udp")
    with telling(FindingsSettings(ocsf_file=str(out), cef=cef), tmp_path) as teller:
        for _ in range(5):
            assert not teller.put(changes(2), RULES)
        wait_until(lambda: out.exists() and len(out.read_text().splitlines()) == 2)
        broken.unlink()
        assert teller.put(changes(2), RULES)
        assert teller.put(changes(3)[2:], RULES)
        wait_until(lambda: len(out.read_text().splitlines()) == 3)
        time.sleep(0.1)
        assert len(out.read_text().splitlines()) == 3
    queued = looked_at(broken)
    assert queued is not None
    assert queued.messages + queued.sent == 3


def test_one_message_that_is_refused_stops_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with https(Authority(), tmp_path, *[(400, b"user-1")] * 50) as server:
        settings = FindingsSettings(ocsf_https=https_settings(server, tmp_path))
        with telling(settings, tmp_path) as teller:
            teller.put(changes(4), RULES)
            wait_until(lambda: of(teller, "sent_total", "ocsf_https") == 3)
            assert of(teller, "refused_total", "ocsf_https") == 1
            assert of(teller, "queue_bytes", "ocsf_https") == 0
    assert "was refused and is given up" in caplog.text


@needs_rsyslogd
@pytest.mark.parametrize("transport", ["tls", "tcp"])
def test_a_receiver_killed_in_the_middle_misses_nothing(
    tmp_path: Path, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syslog.StreamSink, "batch", 500)
    ca = str(tmp_path / "r/ca.crt") if transport == "tls" else ""
    dice = random.Random(7)  # noqa: S311 - not for secrets
    with Rsyslog(tmp_path / "r", transport, Authority()) as receiver:
        cef = CefSettings(address=receiver.address, transport=transport, ca_file=ca)
        with telling(FindingsSettings(cef=cef), tmp_path) as teller:
            for _ in range(4):
                teller.put(changes(500), RULES)
            # numbers come four times each: 2000 messages in all
            for _ in range(2):
                before = len(receiver.lines())
                wait_until(lambda least=before: len(receiver.lines()) > least, 20)
                time.sleep(dice.uniform(0, 0.3))
                receiver.kill()
                time.sleep(dice.uniform(0, 0.3))
                receiver.start()
            wait_until(lambda: of(teller, "sent_total") == 2000, 60)
        found = instances(receiver.lines())
        assert len(found) == 500
        assert min(found.values()) >= 4


@needs_rsyslogd
def test_what_an_attacker_wrote_is_one_message(tmp_path: Path) -> None:
    with Rsyslog(tmp_path / "r", "tcp", Authority()) as receiver:
        cef = CefSettings(address=receiver.address, transport="tcp")
        with telling(FindingsSettings(cef=cef), tmp_path) as teller:
            told = [
                Change(hit(f"{n}{text}", actual=text), None, NOW) for n, text in enumerate(ATTACKS)
            ]
            teller.put(told, RULES)
            wait_until(lambda: of(teller, "sent_total") == len(ATTACKS))
        wait_until(lambda: len(receiver.lines()) >= len(ATTACKS))
        lines = receiver.lines()
        assert len(lines) == len(ATTACKS)
        assert all(
            line.startswith("local0.err gov-node-01 jianwei finding CEF:0|Jian") for line in lines
        )
        assert all(" act=new " in line and " act=fixed" not in line for line in lines)


@needs_rsyslogd
def test_a_receiver_that_is_not_trusted_gets_nothing_and_it_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other.crt").write_bytes(Authority("Another CA").pem)
    with Rsyslog(tmp_path / "r", "tls", Authority()) as receiver:
        cef = CefSettings(address=receiver.address, ca_file=str(tmp_path / "other.crt"))
        with telling(FindingsSettings(cef=cef), tmp_path) as teller:
            teller.put(changes(3), RULES)
            wait_until(lambda: "not trusted" in caplog.text)
            time.sleep(0.5)
            assert of(teller, "delivery_success") == 0
            assert of(teller, "sent_total") == 0
        assert receiver.lines() == []
        assert caplog.text.count("not trusted") == 1


AGENT = """
import sys, time
from pathlib import Path
from agents.telling import Patience, Teller
from exporters.findings.settings import FindingsSettings
from tests.exporters.findingsamples import RULES, NOW, hit
from rules.model import Change
teller = Teller(FindingsSettings(ocsf_file=sys.argv[1] + "/out"), Path(sys.argv[1]), Patience())
teller.start()
number = int(sys.argv[2])
while True:
    teller.put([Change(hit(f"n{number}"), None, NOW)], RULES)
    print(number, flush=True)
    number += 1
"""


def test_an_agent_killed_as_it_tells_has_told_all_it_queued(tmp_path: Path) -> None:
    dice = random.Random(3)  # noqa: S311 - not for secrets
    number = 0
    for _ in range(6):
        agent = subprocess.Popen(
            [sys.executable, "-c", AGENT, str(tmp_path), str(number)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": "."},
        )
        assert agent.stdout
        head = agent.stdout.readline()
        time.sleep(dice.uniform(0, 0.1))
        agent.send_signal(signal.SIGKILL)
        lines = [head, *agent.stdout.readlines()]
        agent.wait()
        number = int([line for line in lines if line.endswith(b"\n")][-1]) + 1
    with telling(FindingsSettings(ocsf_file=str(tmp_path / "out")), tmp_path) as teller:
        wait_until(lambda: of(teller, "queue_bytes", "ocsf_file") == 0)
    whole = set()
    for line in (tmp_path / "out").read_bytes().splitlines():
        try:
            whole.add(json.loads(line)["resources"][0]["data"]["instance"])
        except ValueError:
            continue  # cut by a kill; it came again
    assert {f"n{n}" for n in range(number)} <= whole


def test_the_queues_are_shown_while_the_agent_runs(tmp_path: Path) -> None:
    path = tmp_path / "jianwei.yaml"
    path.write_text(
        f"state_dir: {tmp_path}\nfindings: {{cef: {{address: 'localhost:9', transport: tcp}}}}\n"
    )

    def status(*arguments: str) -> str:
        called = ["findings", "status", "--config", str(path), *arguments]
        done = CliRunner().invoke(main, called, env={"LC_ALL": "", "LANG": ""})
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "没有待发消息" in status()
    with telling(configuration.load(str(path)).findings, tmp_path) as teller:
        teller.put(changes(2), RULES)
        found = json.loads(status("--json"))["cef"]
        assert (found["messages"], found["sent"], found["dropped"]) == (2, 0, 0)
        assert found["oldest"].endswith("Z")
        line = status("--lang", "en").splitlines()[1].split()
        assert line[:2] == ["cef", "2"]


def test_stopping_does_not_wait_for_a_receiver_that_hangs(tmp_path: Path) -> None:
    with https(Authority(), tmp_path, "slow") as server:
        settings = FindingsSettings(ocsf_https=https_settings(server, tmp_path, timeout=100))
        teller = Teller(settings, tmp_path, QUICK)
        teller.start()
        teller.put(changes(1), RULES)
        wait_until(lambda: bool(server.seen))
        begin = time.monotonic()
        teller.stop()
        assert time.monotonic() - begin < 50
        again = Teller(settings, tmp_path, QUICK)
        again.start()
        wait_until(lambda: of(again, "sent_total", "ocsf_https") == 1)
        again.stop()
