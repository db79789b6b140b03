"""deploy/scale and docs/handbook/scale.md: each configuration over simulated agents, with real engines."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from benchmarks.estatelab import Process, simulated
from benchmarks.estateserver import Estate
from tests.promlab import PROMTOOL, needs_prometheus, needs_victoria
from tests.scalelab import (
    SCALE,
    free,
    placed,
    prometheus,
    scraped,
    tells,
    template,
    until,
    value,
    victoria,
    words,
)

AGENTS = 24
RESOURCES = 4 * AGENTS
QUICK = {"scrape_interval: 15s": "scrape_interval: 1s"}
LONG = "http://long.example:8428"
QUIET = (
    "-loggerLevel=WARN",
    "-search.latencyOffset=0s",
    "-search.disableCache",
    "-http.maxGracefulShutdownDuration=1s",
)


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The targets file of simulated agents that are there."""
    folder = tmp_path_factory.mktemp("agents")
    estate = Estate(
        agents=AGENTS, series=120, interval=1, churn=0.05, failures=0, template=template()
    )
    with simulated(estate, folder):
        yield folder / "targets.json"


@contextlib.contextmanager
def long_kept(folder: Path) -> Iterator[Process]:
    """A VictoriaMetrics in which much ends up."""
    folder.mkdir()
    argv = ["-storageDataPath=data", "-httpListenAddr=:0", *QUIET]
    with victoria("victoria-metrics", argv, folder, {}) as server:
        yield server


@needs_prometheus
@pytest.mark.parametrize("path", sorted(SCALE.glob("prometheus-*.yml")), ids=lambda it: it.name)
def test_promtool_finds_nothing_wrong(path: Path, tmp_path: Path) -> None:
    config = placed(tmp_path / "at", path.name, {}, None)
    (config.parent / "targets/agents-none.json").write_text("[]")
    for file in ("ca.pem", "prometheus.pem", "prometheus.key"):
        (config.parent / file).touch()
    flags = ["--agent"] if "agent" in path.name else []
    argv = [str(PROMTOOL), "check", "config", *flags, config.name]
    ran = subprocess.run(argv, cwd=config.parent, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "WARNING" not in ran.stdout + ran.stderr


def sooner(long: Process) -> dict[str, str]:
    """What was not sent goes after half a second; the default is five."""
    url = f"- url: {LONG}/api/v1/write\n"
    return {
        url: url.replace(LONG, long.url)
        + "    queue_config: {batch_send_deadline: 500ms, min_backoff: 100ms}\n"
    }


class Shards(NamedTuple):
    """Two Prometheus servers that share the agents, and where both write to."""

    servers: tuple[Process, ...]
    long: Process


@pytest.fixture(scope="module")
def shards(targets: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    folder = tmp_path_factory.mktemp("shards")
    with contextlib.ExitStack() as stack:
        long = stack.enter_context(long_kept(folder / "long"))
        servers = []
        for shard in ("0", "1"):
            port = free()
            changes = QUICK | {f'{key}: "0"': f'{key}: "{shard}"' for key in ("shard", "regex")}
            changes |= {"127.0.0.1:9090": f"127.0.0.1:{port}"} | sooner(long)
            config = placed(folder / shard, "prometheus-shard.yml", changes, targets)
            servers.append(stack.enter_context(prometheus(config, port=port)))
        yield Shards(tuple(servers), long)


@needs_prometheus
@needs_victoria
def test_every_agent_is_scraped_by_one_shard(shards: Shards) -> None:
    for server in shards.servers:
        until(partial(scraped, server), "targets")
    first, second = map(scraped, shards.servers)
    assert len(first) > AGENTS / 5
    assert len(second) > AGENTS / 5
    assert not first & second
    assert len(first | second) == AGENTS
    for server in shards.servers:
        mine = len(scraped(server))
        tells(server, 'sum(up{job="jianwei"})', mine)


@needs_prometheus
@needs_victoria
def test_what_the_report_needs_is_in_one_place(shards: Shards) -> None:
    cpu = "count(max by (resource) (jianwei:resource_cpu:percent{FRESH}))"
    tells(shards.long, cpu, RESOURCES)
    lines = "count(max by (line) (jianwei:line_known:percent{FRESH}))"
    tells(shards.long, lines, 2 * AGENTS)
    assert value(shards.long, "count(count by (shard) (jianwei:resource_cpu:percent{FRESH}))") == 2
    assert (
        value(shards.long, "count(node_cpu_seconds_total)") == 0
    )  # the rest stays with the shards
    assert value(shards.servers[0], "count(node_cpu_seconds_total)") > 0


@needs_prometheus
@needs_victoria
def test_one_prometheus_federates_the_shards(shards: Shards, tmp_path: Path) -> None:
    port = free()
    changes = {
        "scrape_interval: 1m": "scrape_interval: 1s",
        "scrape_timeout: 50s": "scrape_timeout: 1s",
    }
    changes |= {"127.0.0.1:9090": f"127.0.0.1:{port}"} | shard_hosts(shards)
    config = placed(tmp_path / "global", "prometheus-global.yml", changes, None)
    with prometheus(config, port=port) as server:
        cpu = "count(max by (resource) (jianwei:resource_cpu:percent))"
        tells(server, cpu, RESOURCES)
        assert value(server, "count(node_cpu_seconds_total)") == 0


@needs_prometheus
@needs_victoria
def test_one_prometheus_asks_the_shards(shards: Shards, tmp_path: Path) -> None:
    config = placed(tmp_path / "query", "prometheus-query.yml", shard_hosts(shards), None)
    with prometheus(config) as server:
        tells(server, 'count(up{job="jianwei"} == 1)', AGENTS)
        assert value(server, 'count(count by (shard) (up{job="jianwei"}))') == 2
        rates = 'count(rate(jianwei_line_state_seconds_total{state="up"}[1m]))'
        tells(server, rates, 2 * AGENTS)


def shard_hosts(shards: Shards) -> dict[str, str]:
    return {
        f"shard-{n}.example:9090": server.url.removeprefix("http://")
        for n, server in enumerate(shards.servers)
    }


@needs_prometheus
@needs_victoria
def test_an_agent_of_prometheus_sends_everything_on(targets: Path, tmp_path: Path) -> None:
    with long_kept(tmp_path / "long") as long:
        changes = QUICK | sooner(long)
        config = placed(tmp_path / "agent", "prometheus-agent.yml", changes, targets)
        with prometheus(config, "--enable-feature=agent", "--storage.agent.path=data"):
            ask = 'count(up{site="county-lianhu",FRESH} == 1)'
            tells(long, ask, AGENTS)
            assert value(long, "count(jianwei_resource_cpu_ratio{FRESH})") == RESOURCES


@needs_victoria
def test_victoria_scrapes_and_records(targets: Path, tmp_path: Path) -> None:
    config = placed(tmp_path / "victoria", "prometheus-victoria.yml", QUICK, targets)
    changes = {"/etc/victoria-metrics/prometheus-victoria.yml": str(config)}
    changes |= {"/var/lib/victoria-metrics": "data"}
    argv = [*words(SCALE / "victoria-metrics.default"), *QUIET]
    with victoria("victoria-metrics", argv, config.parent, changes) as store:
        tells(store, 'count(up{job="jianwei",FRESH} == 1)', AGENTS)
        changes = {"/etc/victoria-metrics/": "", "http://127.0.0.1:8428": store.url}
        argv = [*words(SCALE / "vmalert.service"), "-remoteWrite.flushInterval=500ms"]
        with victoria("vmalert", argv, config.parent, changes):
            cpu = "count(jianwei:resource_cpu:percent{FRESH})"
            tells(store, cpu, RESOURCES)


@needs_victoria
def test_two_vmagents_share_the_targets_and_vmauth_reads(
    targets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = placed(tmp_path / "vmagent", "prometheus-victoria.yml", QUICK, targets)
    shares = []
    with contextlib.ExitStack() as stack:
        stores = [stack.enter_context(long_kept(tmp_path / f"long{n}")) for n in range(2)]
        for number in ("0", "1"):
            argv = [it.replace("%i", number) for it in words(SCALE / "vmagent@.service")]
            changes = {LONG: stores[0].url, f"/var/lib/vmagent-{number}": f"queue-{number}"}
            changes |= {"/etc/victoria-metrics/": ""}
            argv += [f"-remoteWrite.url={stores[1].url}/api/v1/write", "-loggerLevel=WARN"]
            shares.append(stack.enter_context(victoria("vmagent", argv, config.parent, changes)))
        for store in stores:
            tells(store, 'count(up{job="jianwei",FRESH} == 1)', AGENTS)
        first, second = map(scraped, shares)
        assert first
        assert second
        assert not first & second
        assert len(first | second) == AGENTS
        monkeypatch.setenv("VM_READ_PASSWORD", "made up")
        users = placed(tmp_path / "vmauth", "vmauth.yml", {
            f"http://long-{n}.example:8428": store.url for n, store in enumerate(stores)
        }, None)  # fmt: skip
        argv = [f"-auth.config={users}", "-httpListenAddr=:0"]
        auth = stack.enter_context(victoria("vmauth", argv, users.parent, {}))
        assert auth.http.get("/api/v1/query", params={"query": "up"}).status_code == 401
        auth.http.auth = ("grafana", "made up")
        for _ in range(4):  # both in turn
            assert value(auth, 'count(up{job="jianwei"} == 1)') == AGENTS
        assert auth.http.get("/api/v1/admin/tsdb/delete_series").status_code == 400


def test_all_treat_labels_of_others_as_the_example_does() -> None:
    whole = yaml.safe_load((SCALE.parent / "prometheus/prometheus.yml").read_text())
    expected = _relabelled(whole)
    for name in ("shard", "agent", "thanos", "mimir", "victoria"):
        told = yaml.safe_load((SCALE / f"prometheus-{name}.yml").read_text())
        assert _relabelled(told) == expected, name


def _relabelled(config: dict[str, Any]) -> list[dict[str, Any]]:
    job = next(it for it in config["scrape_configs"] if it["job_name"] == "jianwei")
    return [
        {key: it for key, it in rule.items() if (key, it) != ("replacement", "$1")}
        for rule in job["metric_relabel_configs"]
    ]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    named = []
    for unit in SCALE.rglob("*.service"):
        text = re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text())
        path = tmp_path / unit.name
        path.write_text(text)
        named.append(str(path).replace("@.", "@0."))
    assert len(named) == 5
    argv = ["systemd-analyze", "verify", *named]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.stdout + ran.stderr == ""
