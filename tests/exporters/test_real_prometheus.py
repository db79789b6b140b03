"""Debian's Prometheus scrapes the real agent, plain and with TLS and a password, and answers."""

import contextlib
import json
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from tests.agentlab import Agent, agent, eventually
from tests.exporters.certificates import Authority

PROMETHEUS = shutil.which("prometheus")
pytestmark = pytest.mark.skipif(not PROMETHEUS, reason="Debian package prometheus is missing")

AUTHORITY = Authority()
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: jianwei
    static_configs: [{{targets: ["{target}"]}}]
    {extra}
"""
SAFE = """
    scheme: https
    tls_config: {{ca_file: ca.crt}}
    basic_auth: {{username: prometheus, password: "{password}"}}
"""


class Prometheus:
    """A Prometheus that runs; `ask` is its HTTP API."""

    def __init__(self, port: int) -> None:
        self._api = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, path: str, **query: str) -> Any:
        url = f"{self._api}/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def value(self, expression: str) -> str:
        """The value of an expression with one series, empty before there is one."""
        try:
            result = self.ask("query", query=expression)["result"]
        except OSError:  # it has just been started
            return ""
        return result[0]["value"][1] if result else ""


@contextlib.contextmanager
def prometheus(directory: Path, config: str) -> Iterator[Prometheus]:
    (directory / "prometheus.yml").write_text(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = (
        *(str(PROMETHEUS), f"--config.file={directory}/prometheus.yml"),
        *(f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}"),
        "--log.level=warn",
    )
    log = directory / "prometheus.log"
    with log.open("wb") as out, subprocess.Popen(argv, stdout=out, stderr=out) as process:
        try:
            yield Prometheus(port)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{log.read_text()}") from error
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()


def check(one: Prometheus) -> None:
    """What a scrape of this machine must have brought."""
    eventually(lambda: one.value('up{job="jianwei"}') == "1", 40)
    assert one.value("node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes")
    assert one.value("count(node_cpu_seconds_total) > bool 0") == "1"
    assert one.value("min(node_scrape_collector_success{collector='cpu'})") == "1"
    eventually(lambda: one.value("rate(node_context_switches_total[10s]) > bool 0") == "1", 40)
    # OpenMetrics was negotiated: there, a counter's family has no _total
    kinds = one.ask("targets/metadata", metric="node_cpu_seconds")
    assert [kind["type"] for kind in kinds] == ["counter"]
    assert float(one.value('scrape_samples_scraped{job="jianwei"}')) > 200
    # in one question, since there may be a scrape between two
    same = "scrape_samples_scraped == scrape_samples_post_metric_relabeling"
    assert one.value(f"count({same})") == "1"


def test_plain(tmp_path: Path) -> None:
    with agent(tmp_path, "probes: {gateways: false}") as one:
        target = one.url.removeprefix("http://")
        with prometheus(tmp_path, CONFIG.format(target=target, extra="")) as server:
            check(server)
            assert server.value("jianwei_web_insecure") == "0"


@contextlib.contextmanager
def safe_agent(directory: Path) -> Iterator[Agent]:
    """An agent with TLS and a password."""
    AUTHORITY.issue("agent").write(directory, "server")
    (directory / "ca.crt").write_bytes(AUTHORITY.pem)
    hashed = bcrypt.hashpw(b"wonder:land", bcrypt.gensalt(10)).decode()
    web = directory / "web.yaml"
    web.write_text(
        "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
        f"basic_auth_users: {{prometheus: {hashed}}}\n"
    )
    with agent(directory, "probes: {gateways: false}", "--web.config.file", str(web)) as one:
        yield one


def test_tls_and_password(tmp_path: Path) -> None:
    with safe_agent(tmp_path) as one:
        assert one.url.startswith("https://")
        target = one.url.removeprefix("https://")
        right = SAFE.format(password="wonder:land")
        with prometheus(tmp_path, CONFIG.format(target=target, extra=right)) as server:
            check(server)
            # a new certificate takes effect without a restart of either
            loaded = "jianwei_web_config_reload_timestamp_seconds"
            before = eventually(lambda: server.value(loaded))
            AUTHORITY.issue("agent").write(tmp_path, "server")
            eventually(lambda: float(server.value(loaded) or 0) > float(before))
            assert server.value("jianwei_web_config_reload_success") == "1"


def test_a_wrong_password_is_no_scrape(tmp_path: Path) -> None:
    with safe_agent(tmp_path) as one:
        target = one.url.removeprefix("https://")
        wrong = SAFE.format(password="looking-glass")
        with prometheus(tmp_path, CONFIG.format(target=target, extra=wrong)) as server:
            eventually(lambda: server.value('up{job="jianwei"}') == "0", 40)
            (target_state,) = server.ask("targets")["activeTargets"]
            assert "401" in target_state["lastError"]
