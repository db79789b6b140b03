"""A real agent that reflects STAMP packets: it answers, counts, and stops when it is told to."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import httpx

from collectors.link.stamp import StampModule, probe
from collectors.model import AddressFamily, ProbeResult, Target
from collectors.strictyaml import Duration, Secret
from tests.agentlab import agent, eventually

KEY = "a key in a file"
FAMILIES: dict[AddressFamily, str] = {"ipv4": "127.0.0.1", "ipv6": "::1"}


def free_port() -> int:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as both:
        both.bind(("::", 0))
        return int(both.getsockname()[1])


def config(port: int, enable: str = "true") -> str:
    return (
        f"stamp_reflector: {{enable: {enable}, key: !file key, "
        f"listen: ['127.0.0.1:{port}', '[::1]:{port}']}}\nprobes: {{gateways: false}}\n"
    )


def probed(family: AddressFamily, port: int, key: str) -> ProbeResult:
    settings = StampModule(count=3, spacing=Duration(0.005), key=Secret(key))
    return probe(Target("t", FAMILIES[family], family, port=port), settings, 2.0)


def reflected(url: str, result: str) -> float:
    page = httpx.get(f"{url}/metrics").text
    found = re.search(rf'jianwei_stamp_reflector_packets_total{{result="{result}"}} (\S+)', page)
    return float(found[1]) if found else -1


def test_an_agent_reflects(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    port = free_port()
    with agent(tmp_path, config(port)) as running:
        for family in FAMILIES:
            good = probed(family, port, KEY)
            assert (good.success, good.received) == (True, 3), good
        assert probed("ipv4", port, "another").reason == "timeout"
        assert eventually(lambda: reflected(running.url, "reflected") == 6)
        assert reflected(running.url, "authentication") == 3
        running.config.write_text(config(port, "false"))
        assert httpx.post(f"{running.url}/-/reload").status_code == 200
        assert probed("ipv6", port, KEY).reason == "unreachable_port"
        assert reflected(running.url, "reflected") == -1
        running.config.write_text(config(port))
        assert httpx.post(f"{running.url}/-/reload").status_code == 200
        assert probed("ipv6", port, KEY).success


def test_the_key_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    with agent(tmp_path, config(free_port())) as running:
        assert probed("ipv4", 9, KEY).reason == "unreachable_port"
        pages = httpx.get(f"{running.url}/metrics").text + httpx.get(running.url).text
        assert KEY not in pages + running.log.read_text()
