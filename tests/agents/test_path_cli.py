"""`jianwei path` as a person or a script calls it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path as Folder
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.cli.pathtable import table
from collectors.link.path import Hop, Path
from tests import netlab
from tests.pathlab import chain, four, six

ROOT = Folder(__file__).parent.parent.parent
PATH = (sys.executable, "-m", "agents", "path")
needs_lab = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())
KEYS = {"target", "family", "method", "hops", "reached", "reason", "mtu", "mtu_black_hole"}


def jianwei(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["path", *arguments])


@pytest.fixture(scope="module")
def lab() -> Iterator[netlab.Lab]:
    with netlab.Lab() as made:
        chain(made, "abcde")
        yield made


def inside(lab: netlab.Lab, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        lab.argv("a", *PATH, *arguments), capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert not done.stderr
    return done.returncode, done.stdout


@needs_lab
def test_json_has_one_object_a_target_and_family(lab: netlab.Lab) -> None:
    status, text = inside(lab, four(4, 2), six(4, 2), "192.0.2.1", "--json", "--timeout", "0.3")
    assert status == 1  # the last one is not reached
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert [(one["target"], one["family"]) for one in found] == [
        (four(4, 2), "ipv4"),
        (six(4, 2), "ipv6"),
        ("192.0.2.1", "ipv4"),
    ]
    for one, address in zip(found, (four, six), strict=False):
        assert set(one) >= {*KEYS, "signature"}
        assert [hop["addresses"] for hop in one["hops"]] == [[address(n, 2)] for n in (1, 2, 3, 4)]
        assert (one["reached"], one["reason"], one["mtu"]) == (True, "", 1500)
        assert one["mtu_black_hole"] is False
    assert (found[2]["reached"], found[2]["reason"]) == (False, "no_route")
    for line in text.splitlines():  # what a schedule reads back
        path = msgspec.json.decode(line, type=Path)
        assert path.signature == json.loads(line)["signature"]


@needs_lab
def test_a_person_sees_hops_and_the_end(lab: netlab.Lab) -> None:
    status, text = inside(lab, four(4, 2), "--lang", "en", "--names", "--method", "udp")
    assert status == 0
    lines = text.splitlines()
    assert lines[0] == f"{four(4, 2)}  IPv4  UDP"
    assert [line.split()[:2] for line in lines[2:6]] == [[str(n), four(n, 2)] for n in (1, 2, 3, 4)]
    assert lines[6:] == ["reached, 4 hops", "path MTU 1500 bytes"]
    assert "已到达,共 4 跳" in inside(lab, four(4, 2), "--lang", "zh")[1]


@needs_lab
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_without_the_privilege_the_reason_is_told(lab: netlab.Lab) -> None:
    drop = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    done = subprocess.run(
        lab.argv("a", *drop, *PATH, four(4, 2), "--json"),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["reason"], found["detail"]) == ("permission", "needs CAP_NET_RAW")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no targets"),
        (("-x",), "No such option"),
        (("1.2.3",), "'1.2.3' is no address"),
        (("a b", "2130706433"), "is no address and no DNS name"),
        (("192.0.2.1", "--family", "ipv6"), "is no ipv6 address"),
        (("192.0.2.1", "--port", "80"), "ICMP has no ports"),
        (("192.0.2.1", "--flows", "0"), "Invalid value"),
        (("192.0.2.1", "--max-hops", "256"), "Invalid value"),
        (("192.0.2.1", "--timeout", "nan"), "Invalid value"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str) -> None:
    result = jianwei(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_name_without_address_has_a_reason() -> None:
    result = jianwei("nosuch.invalid", "--json")
    assert result.exit_code == 1
    for line in result.stdout.splitlines():
        assert json.loads(line)["reason"].startswith("dns_")


def test_the_table_shows_silence_alternatives_and_a_black_hole() -> None:
    hops = (
        Hop(1, ("192.0.2.1", "192.0.2.2"), ("r1.example", ""), 0.0012),
        Hop(2),
        Hop(3, ("192.0.2.9",), ("evil\x1b[2J",), 0.01),
    )
    path = Path("t", "192.0.2.9", "ipv4", "icmp", hops, True, mtu=1300, mtu_black_hole=True)
    text = table(path, "en", names=True)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0] == "t (192.0.2.9)  IPv4  ICMP"
    assert [line.split() for line in lines[2:5]] == [
        ["1", "192.0.2.1", "1.20", "r1.example"],
        ["192.0.2.2"],
        ["2", "*"],
    ]
    assert lines[-1].startswith("path MTU 1300 bytes; a black hole")
    assert "黑洞" in table(path, "zh")


def test_scapy_is_loaded_only_where_packets_are_made() -> None:
    code = "import sys, agents.paths, agents.cli.path, collectors.link.traceroute\nprint('scapy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == "False"
