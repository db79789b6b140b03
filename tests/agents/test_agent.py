"""The real agent, from outside: pages, reload, deadlines, many clients, signals."""

import contextlib
import fnmatch
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.agentlab import Agent, agent, eventually


def series(url: str, query: str = "") -> dict[str, float]:
    """The samples of a page by `name{labels}`."""
    page = httpx.get(f"{url}/metrics{query}", timeout=30)
    assert page.status_code == 200, page.text
    return {
        f"{s.name}{{{','.join(f'{k}={v}' for k, v in sorted(s.labels.items()))}}}": s.value
        for family in text_string_to_metric_families(page.text)
        for s in family.samples
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agent]:
    with agent(tmp_path_factory.mktemp("agent"), "probes: {gateways: false}") as started:
        yield started


def test_metrics_of_this_machine(running: Agent) -> None:
    page = series(running.url)
    assert page["node_scrape_collector_success{collector=cpu}"] == 1
    assert page["node_memory_MemTotal_bytes{}"] > 0
    assert page["jianwei_config_last_reload_successful{}"] == 1
    assert page["jianwei_web_insecure{}"] == 0
    assert page["process_resident_memory_bytes{}"] > 0


def test_chosen_collectors_only(running: Agent) -> None:
    page = series(running.url, "?collect[]=loadavg&collect[]=meminfo")
    assert {name for name in page if name.startswith("node_scrape_collector_success")} == {
        "node_scrape_collector_success{collector=loadavg}",
        "node_scrape_collector_success{collector=meminfo}",
    }
    assert not any(name.startswith("process_") for name in page)
    assert "node_load1{}" not in series(running.url, "?exclude[]=loadavg")


def test_findings_come_from_the_audit_child_and_become_metrics(running: Agent) -> None:
    def findings() -> httpx.Response | None:
        answer = httpx.get(f"{running.url}/findings")
        return answer if answer.status_code == 200 else None

    answer = eventually(findings, 60)
    assert answer
    pack, readiness = answer.json()["packs"]
    assert (pack["pack"], readiness["pack"]) == ("host-basics", "ipv6-readiness")
    page = series(running.url)
    verdicts = [
        name
        for name in page
        if name.startswith("jianwei_rule_verdict{") and "pack=host-basics," in name
    ]
    assert len(verdicts) == sum(pack["counts"].values()) >= 15
    assert page["jianwei_audit_success{}"] == 1
    assert page["jianwei_pack_score_ratio{pack=host-basics}"] == pytest.approx(pack["score"])
    total = f"jianwei_ipv6_score{{layer=total,subject={os.uname().nodename}}}"
    assert page[total] == pytest.approx(100 * readiness["score"])
    assert any(name.startswith("jianwei_ipv6_check{") for name in page)
    etag = {"If-None-Match": answer.headers["etag"]}
    assert httpx.get(f"{running.url}/findings", headers=etag).status_code == 304


def test_every_family_on_the_page_is_in_the_document(running: Agent) -> None:
    eventually(lambda: "jianwei_audit_duration_seconds{}" in series(running.url), 60)
    document = (Path(__file__).parents[2] / "docs/metrics.md").read_text(encoding="utf-8")
    patterns = re.findall(r"^\| `([^`]+)`", document, re.MULTILINE)
    served = re.findall(r"^# TYPE (\S+)", httpx.get(f"{running.url}/metrics").text, re.MULTILINE)
    assert len(served) > 100
    assert not [n for n in served if not any(fnmatch.fnmatchcase(n, p) for p in patterns)]


def test_landing_page_names_this_host_and_every_page(running: Agent) -> None:
    page = httpx.get(f"{running.url}/?lang=en").text
    for part in (os.uname().nodename, "/metrics", "/findings", "/-/ready", "host-basics"):
        assert part in page


def test_fifty_scrapes_at_once_beside_a_client_that_never_finishes(running: Agent) -> None:
    host, port = running.url.removeprefix("http://").split(":")
    slow = socket.create_connection((host, int(port)))
    slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    try:
        with ThreadPoolExecutor(50) as pool:
            pages = list(pool.map(lambda _: series(running.url), range(50)))
    finally:
        slow.close()
    assert all(page["node_scrape_collector_success{collector=cpu}"] == 1 for page in pages)


def test_reload_takes_the_new_and_keeps_the_old_on_error(tmp_path: Path) -> None:
    with agent(tmp_path, "probes: {gateways: false}") as one:
        assert "node_load1{}" in series(one.url)
        one.config.write_text("probes: {gateways: false}\ncollectors: {disable: [loadavg]}\n")
        assert httpx.post(f"{one.url}/-/reload").status_code == 200
        assert "node_load1{}" not in series(one.url)

        one.config.write_text("collectors:\n  disabel: [cpu]\n")
        refused = httpx.post(f"{one.url}/-/reload")
        assert refused.status_code == 500
        assert f"{one.config}:2: collectors.disabel: unknown key" in refused.text
        page = series(one.url)
        assert page["node_scrape_collector_success{collector=cpu}"] == 1
        assert page["jianwei_config_last_reload_successful{}"] == 0

        one.config.write_text("probes: {gateways: false}\n")
        one.process.send_signal(signal.SIGHUP)
        eventually(lambda: "node_load1{}" in series(one.url))
        assert series(one.url)["jianwei_config_last_reload_successful{}"] == 1


def test_a_blocked_reading_does_not_delay_the_page_beyond_its_deadline(tmp_path: Path) -> None:
    proc = tmp_path / "root" / "proc"
    proc.mkdir(parents=True)
    os.mkfifo(proc / "loadavg")
    (proc / "meminfo").write_text("MemTotal: 1024 kB\n")
    config = (
        f"root: {tmp_path}/root\ncollectors: {{deadline: 500ms}}\nprobes: {{gateways: false}}\n"
    )
    with agent(tmp_path, config) as one:
        start = time.monotonic()
        page = series(one.url)
        assert time.monotonic() - start < 3
        assert page["node_scrape_collector_success{collector=loadavg}"] == 0
        assert page["jianwei_collector_failure{collector=loadavg,reason=timeout}"] == 1
        assert page["node_memory_MemTotal_bytes{}"] == 1024 * 1024
        threads = [series(one.url)["process_threads{}"] for _ in range(5)]
        assert max(threads) <= threads[0] + 2, "a hung reading is not started again"


def test_it_ends_on_sigterm_even_while_a_reading_hangs(tmp_path: Path) -> None:
    proc = tmp_path / "root" / "proc"
    proc.mkdir(parents=True)
    os.mkfifo(proc / "loadavg")
    config = (
        f"root: {tmp_path}/root\ncollectors: {{deadline: 500ms}}\nprobes: {{gateways: false}}\n"
    )
    with agent(tmp_path, config) as one:
        scrape = threading.Thread(target=series, args=(one.url,))
        scrape.start()
        scrape.join()
        one.process.terminate()
        assert one.process.wait(15) == 0


def test_an_address_in_use_is_said(tmp_path: Path, running: Agent) -> None:
    address = running.url.removeprefix("http://")
    ran = subprocess.run(
        [sys.executable, "-m", "agents", "run", "--web.listen-address", address],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ran.returncode == 2
    assert address in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_bad_audit_configuration_starts_nothing_and_a_reload_keeps_the_old(
    tmp_path: Path,
) -> None:
    bad = "audit: {params: {host-basics: {max_dayz: 1}}}\n"
    with agent(tmp_path, "probes: {gateways: false}") as one:
        one.config.write_text(bad)
        refused = httpx.post(f"{one.url}/-/reload", timeout=30)
        assert refused.status_code == 500
        assert "did you mean 'max_days'?" in refused.text
        assert series(one.url)["jianwei_config_last_reload_successful{}"] == 0
        ran = subprocess.run(
            [sys.executable, "-m", "agents", "run", "--config", str(one.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert ran.returncode == 2
        assert "did you mean 'max_days'?" in ran.stderr


def test_the_audit_child_ends_with_the_agent(tmp_path: Path) -> None:
    """It hangs in a FIFO."""

    def children_of_ours() -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if str(tmp_path).encode() in (line := entry.read_bytes()) and b"audit" in line:
                    found.append(int(entry.parent.name))
        return found

    (tmp_path / "root/proc/net").mkdir(parents=True)
    os.mkfifo(tmp_path / "root/proc/net/if_inet6")  # the audit waits for it
    with agent(tmp_path, f"root: {tmp_path}/root\nprobes: {{gateways: false}}\n") as one:
        eventually(children_of_ours)
        one.process.terminate()
        one.process.wait(15)
        eventually(lambda: not children_of_ours(), 5)


def test_readiness_is_told_to_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with agent(tmp_path, "probes: {gateways: false}"):
            assert systemd.recv(100) == b"READY=1"
