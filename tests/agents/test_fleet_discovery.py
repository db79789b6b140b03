"""Targets for Prometheus: from the inventory, as a file, over HTTP, and as a real Prometheus and the console read them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import bcrypt
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.fleet import inventory
from agents.fleet.discovery import file_json, file_yaml, groups_of, http_json
from agents.fleet.model import FleetHost
from exporters.console.pull import targets as console
from tests.agentlab import eventually
from tests.agents.test_cli_audit import run
from tests.exporters.test_real_prometheus import PROMETHEUS, prometheus

EXAMPLE = Path(__file__).parents[2] / "deploy/fleet/example.yaml"


def host(name: str, agent: str, **labels: Any) -> FleetHost:
    return FleetHost(name=name, address=f"ssh://{name}", agent=agent, **labels)


def test_equal_labels_are_one_group_in_one_order() -> None:
    hosts = [
        host("b", "b:1", department="财政局", level="city", labels={"tier": "gold"}),
        host("a", "a:1", department="财政局", level="city", labels={"tier": "gold"}),
        host("c", "c:1", scheme="https", groups=("db", "web")),
        host("pushes", ""),
    ]
    found = json.loads(http_json(groups_of(hosts)))
    assert found == [
        {
            "targets": ["a:1", "b:1"],
            "labels": {
                "__scheme__": "http",
                "department": "财政局",
                "level": "city",
                "tier": "gold",
            },
        },
        {"targets": ["c:1"], "labels": {"__scheme__": "https"}},
    ]
    assert http_json(groups_of(reversed(hosts))) == http_json(groups_of(hosts))
    assert groups_of(hosts, group_label=True)[-1].labels["group"] == "db,web"
    assert http_json(groups_of([])) == b"[]"


TEXT = st.text(st.characters(exclude_categories=("C", "Z")), max_size=20)
NAMED = st.text("abcxyz019-", min_size=1, max_size=8).filter(lambda it: it.strip("-") == it)
HOSTS = st.lists(
    st.builds(
        host,
        NAMED,
        st.builds("{}.example:{}".format, NAMED, st.integers(1, 65535)),
        department=TEXT,
        system=TEXT,
        region=TEXT,
        level=st.sampled_from([None, "city", "town"]),
        scheme=st.sampled_from(["http", "https"]),
        labels=st.dictionaries(st.sampled_from(["tier", "rack", "yes"]), TEXT, max_size=2),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=50)
@given(HOSTS)
def test_the_console_reads_what_is_written(
    tmp_path_factory: pytest.TempPathFactory, hosts: list[FleetHost]
) -> None:
    groups = groups_of(hosts, group_label=True)
    wanted = sorted(
        (
            one.agent,
            one.scheme,
            sorted(
                {
                    **one.labels,
                    **{
                        key: value
                        for key in ("department", "system", "region", "level")
                        if (value := getattr(one, key))
                    },
                }.items()
            ),
        )
        for one in hosts
    )
    for name, content in (
        ("t.json", file_json(groups)),
        ("h.json", http_json(groups)),
        ("t.yml", file_yaml(groups)),
    ):
        path = tmp_path_factory.getbasetemp() / name
        path.write_bytes(content)
        read = console.load(str(path), "http")
        assert sorted((it.address, it.scheme, sorted(it.labels.items())) for it in read) == wanted


def test_a_file_that_is_equal_is_left_alone(tmp_path: Path) -> None:
    for name in ("t.json", "t.yaml", "t.yml"):
        output = tmp_path / name
        argv = ("fleet", "sd", "--inventory", str(EXAMPLE), "--output", str(output))
        first = run(*argv)
        assert (first.exit_code, first.stdout) == (0, "")
        assert first.stderr == f"{output}: 13 targets in 2 groups, written\n"
        before = output.stat()
        assert (before.st_mode & 0o777) == 0o644
        assert run(*argv).stderr == f"{output}: 13 targets in 2 groups, as it was\n"
        assert output.stat().st_ino == before.st_ino
        assert len(console.load(str(output), "http")) == 13
        assert yaml.safe_load(output.read_text()) == yaml.safe_load(
            run("fleet", "sd", "--inventory", str(EXAMPLE)).stdout
        )
        changed = run(*argv, "--limit", "db-01")
        assert changed.stderr.endswith("1 targets in 1 groups, written\n")
    assert {path.name for path in tmp_path.iterdir()} == {"t.json", "t.yaml", "t.yml"}


def test_what_sd_does_not_do(tmp_path: Path) -> None:
    argv = ("fleet", "sd", "--inventory", str(EXAMPLE))
    wrong = run(*argv, "--output", str(tmp_path / "t.txt"))
    assert (wrong.exit_code, "reads .json, .yml and .yaml alone" in wrong.stderr) == (2, True)
    assert run(*argv, "--output", str(tmp_path / "no/t.json")).exit_code == 2
    assert run(*argv, "--limit", "nobody").exit_code == 2
    assert json.loads(run(*argv, "--format", "http", "--limit", "health").stdout) == []


@contextlib.contextmanager
def serving(inventory: Path, *arguments: str) -> Iterator[tuple[str, Path, int]]:
    """URL, log and process id of a `fleet serve-sd`."""
    log = inventory.with_suffix(".log")
    argv = [sys.executable, "-m", "agents", "fleet", "serve-sd", "--inventory", str(inventory)]
    argv += ["--listen", "127.0.0.1:0", *arguments]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        log.open("w") as errors,
        subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as process,
    ):
        try:
            line = cast(IO[str], process.stdout).readline()
            match = re.search(r"on (\S+)/targets", line)
            assert match, line + log.read_text()
            yield match[1], log, process.pid
        finally:
            process.terminate()
            process.wait(20)


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.headers["content-type"] == "application/json"
        return json.load(answer)


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def test_http_discovery_follows_its_inventory(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(
        "groups: {db: {department: 财政局}, web: }\nimport: more.csv\nhosts:\n"
        "- {name: a, host: ssh://a, groups: [db], password: !env JW_NOT_SET}\n"
        "- {name: b, host: ssh://b, groups: [db, web], labels: {tier: gold}}\n"
    )
    (tmp_path / "more.csv").write_text("name,host,groups\nc,ssh://c,web\n")
    with serving(path) as (url, log, _):
        assert sorted(it["targets"][0] for it in asked(f"{url}/targets")) == [
            "a:9808",
            "b:9808",
            "c:9808",
        ]
        assert asked(f"{url}/targets?group=web&department=%E8%B4%A2%E6%94%BF%E5%B1%80") == [
            {
                "targets": ["b:9808"],
                "labels": {"__scheme__": "http", "department": "财政局", "tier": "gold"},
            }
        ]
        assert len(asked(f"{url}/targets?name=a&name=c")) == 2  # two groups
        assert asked(f"{url}/targets?tier=gold&name=a") == []
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(f"{url}/targets?dpartment=x")
        assert refused.value.code == 400
        assert "there are: name, group, department" in refused.value.read().decode()
        assert "jianwei_fleet_sd_targets 3.0\n" in page(f"{url}/metrics")
        assert page(f"{url}/-/healthy") == "Healthy.\n"
        assert page(f"{url}/-/ready") == "Ready.\n"

        (tmp_path / "more.csv").write_text("name,host,groups\nc,ssh://c,nobody\n")
        assert len(asked(f"{url}/targets")) == 3
        told = page(f"{url}/metrics")
        assert "jianwei_fleet_sd_inventory_success 0.0\n" in told
        assert "jianwei_fleet_sd_targets 3.0\n" in told
        assert "more.csv:2: groups[0]: there is no group 'nobody'" in log.read_text()
        reload = urllib.request.Request(f"{url}/-/reload", method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(reload, timeout=20)
        assert refused.value.code == 500

        (tmp_path / "more.csv").write_text("name,host\nc,ssh://c\nd,ssh://d\n")
        assert asked(f"{url}/targets?name=d")[0]["targets"] == ["d:9808"]
        assert "jianwei_fleet_sd_inventory_success 1.0\n" in page(f"{url}/metrics")
        urllib.request.urlopen(reload, timeout=20).close()


def test_a_bad_inventory_is_not_served(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text("hosts: [{name: a}]")
    done = run("fleet", "serve-sd", "--inventory", str(path), "--listen", "127.0.0.1:0")
    assert done.exit_code == 2
    assert f"{path}:1: hosts[0].host: is missing" in done.stderr


PROMETHEUS_CONFIG = """
global: {{scrape_interval: 1h}}
scrape_configs:
  - job_name: file
    file_sd_configs: [{{files: [{folder}/*.json]}}]
  - job_name: yaml
    file_sd_configs: [{{files: [{folder}/*.yml]}}]
  - job_name: http
    http_sd_configs:
      - url: {url}/targets?department=%E8%B4%A2%E6%94%BF%E5%B1%80
        basic_auth: {{username: prometheus, password: "wonder:land"}}
"""


@pytest.mark.skipif(not PROMETHEUS, reason="Debian package prometheus is missing")
def test_prometheus_reads_both(tmp_path: Path) -> None:
    targets = tmp_path / "targets"
    targets.mkdir()
    for name in ("t.json", "t.yml"):
        argv = ("--inventory", str(EXAMPLE), "--output", str(targets / name), "--group-label")
        assert run("fleet", "sd", *argv).exit_code == 0
    copy = tmp_path / "example.yaml"
    copy.write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "example.csv").write_bytes(EXAMPLE.with_suffix(".csv").read_bytes())
    hashed = bcrypt.hashpw(b"wonder:land", bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yaml"
    web.write_text(f"basic_auth_users: {{prometheus: {hashed}}}\n")
    with serving(copy, "--group-label", "--web.config.file", str(web)) as (url, _, _):
        with pytest.raises(urllib.error.HTTPError) as refused:
            asked(f"{url}/targets")
        assert refused.value.code == 401
        config = PROMETHEUS_CONFIG.format(folder=targets, url=url)
        with prometheus(tmp_path, config) as server:

            def seen() -> list[Any]:
                with contextlib.suppress(OSError):
                    active: list[Any] = server.ask("targets")["activeTargets"]
                    return active if len(active) == 3 * 13 else []
                return []

            active = eventually(seen, 40)
    hosts = inventory.outline(str(EXAMPLE))
    for job in ("file", "yaml", "http"):
        found = {it["labels"]["instance"]: it for it in active if it["labels"]["job"] == job}
        assert found.keys() == {host.agent for host in hosts if host.agent}
        db = found["db-01.example.gov.cn:9443"]
        assert db["scrapeUrl"] == "https://db-01.example.gov.cn:9443/metrics"
        assert db["labels"] == {
            "department": "财政局",
            "group": "finance,db",
            "instance": "db-01.example.gov.cn:9443",
            "job": job,
            "level": "city",
            "region": "金平区",
            "system": "预算一体化",
            "tier": "gold",
        }
