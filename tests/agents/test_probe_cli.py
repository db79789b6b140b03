"""`jianwei probe` as a person or a script calls it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.cli.options import language_of
from agents.cli.probetable import progress, table
from collectors.model import ProbeResult
from tests.agentlab import eventually
from tests.exporters.test_probe import pings

ROOT = Path(__file__).parent.parent.parent
PROBE = (sys.executable, "-m", "agents", "probe")
QUICK = ("--count", "2", "--interval", "0.01", "--timeout", "0.5")
KEYS = {"target", "family", "address", "sent", "received", "loss", "rtt", "success", "reason"}


def jianwei(*arguments: str, stdin: str = "") -> Result:
    return CliRunner().invoke(main, ["probe", *arguments], input=stdin)


def objects(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pings
def test_json_has_one_object_a_target_and_family() -> None:
    result = jianwei("127.0.0.1", "::1", "nosuch.invalid", "--json", *QUICK)
    assert result.exit_code == 1
    four, six, *missing = objects(result)
    for found, family, address in ((four, "ipv4", "127.0.0.1"), (six, "ipv6", "::1")):
        assert set(found) >= KEYS
        assert (found["target"], found["family"], found["address"]) == (address, family, address)
        assert (found["sent"], found["received"], found["loss"]) == (2, 2, 0)
        assert (found["success"], found["reason"]) == (True, "")
        rtt = found["rtt"]
        assert isinstance(rtt, dict)
        assert 0 < rtt["min"] <= rtt["median"] <= rtt["p95"] <= rtt["max"] < 0.5
        assert rtt["min"] <= rtt["mean"] <= rtt["max"]
    assert [m["family"] for m in missing] == ["ipv4", "ipv6"]
    for found in missing:
        assert (found["address"], found["sent"], found["success"]) == ("", 0, False)
        assert str(found["reason"]).startswith("dns_")
        assert found["rtt"] == dict.fromkeys(("min", "median", "p95", "max", "mean"))


@pings
def test_one_answering_family_is_enough_unless_the_other_is_asked_for() -> None:
    """localhost has 127.0.0.1 everywhere; whether it has ::1, its own hosts file says."""
    assert jianwei("localhost", "--json", *QUICK).exit_code == 0
    both = jianwei("localhost", "--json", *QUICK)
    assert [found["family"] for found in objects(both)] == ["ipv4", "ipv6"]
    only = jianwei("localhost", "--family", "ipv4", "--json", *QUICK)
    assert [found["family"] for found in objects(only)] == ["ipv4"]


@pings
def test_targets_from_a_file_and_from_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("# 县级\n127.0.0.1  # loopback\n\n127.0.0.2\n127.0.0.1\n")
    found = objects(jianwei("--targets-file", str(path), "::1", "--json", *QUICK))
    assert [one["target"] for one in found] == ["::1", "127.0.0.1", "127.0.0.2"]
    found = objects(jianwei("--targets-file", "-", "--json", *QUICK, stdin="127.0.0.3\n"))
    assert [one["target"] for one in found] == ["127.0.0.3"]


@pings
def test_ten_thousand_targets(tmp_path: Path) -> None:
    addresses = [f"127.1.{n >> 8}.{n & 255}" for n in range(1, 10_001)]
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(addresses))
    found = objects(
        jianwei("--targets-file", str(path), "--count", "1", "--timeout", "20", "--json")
    )
    assert [one["target"] for one in found] == addresses
    assert all(one["success"] for one in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no targets"),
        (("127.1",), "TARGET: '127.1' is no address and no DNS name"),
        (("a b", "c..d"), "'c..d' is no address"),
        (("::1", "--family", "ipv4"), "is no ipv4 address"),
        (("::1", "--count", "0"), "--count"),
        (("::1", "--family", "ipv5"), "--family"),
        (("--targets-file", "/nowhere/lines.txt"), "/nowhere/lines.txt"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str) -> None:
    result = jianwei(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_every_mistake_of_a_file_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_text("127.0.0.1\n127.1\n::1\n\x1b[31mred\n" + "a..b\n" * 50)
    result = jianwei("--targets-file", str(path))
    assert result.exit_code == 2
    assert f"{path}:2: '127.1'" in result.stderr
    assert f"{path}:4:" in result.stderr
    assert "\x1b" not in result.stderr
    assert "and 32 more" in result.stderr


# --- for people


def result(target: str, family: str, rtts: tuple[float, ...] = (), **more: object) -> ProbeResult:
    fields: dict[str, object] = {
        "target": target,
        "address": "192.0.2.1" if family == "ipv4" else "2001:db8::1",
        "family": family,
        "prober": "icmp",
        "sent": 4,
        "received": len(rtts),
        "rtts": rtts,
        "reason": "",
        "duration": 1.0,
        "mode": "raw",
    }
    return ProbeResult(**{**fields, **more})  # type: ignore[arg-type]


RESULTS = [
    result("portal.example", "ipv4", (0.001, 0.002, 0.003), late=1, duplicates=2),
    result(
        "portal.example", "ipv6", reason="unreachable_admin", detail="ICMP 1/1 from 2001:db8::f"
    ),
    result("192.0.2.1", "ipv4", (0.001,) * 4),
    result("six.example", "ipv6", address="", sent=0, reason="dns_nxdomain", detail="Name unknown"),
]


def test_both_families_in_one_line_in_words() -> None:
    head, portal, literal, six = map(str.split, table(RESULTS, "en").splitlines())
    assert head[:3] == ["Target", "IPv4", "Loss"]
    assert portal == [
        *("portal.example", "192.0.2.1", "25%"),
        *("\x1b[33m1.00/2.00/3.00/3.00", "late", "1", "duplicates", "2\x1b[0m"),
        *(
            "2001:db8::1",
            "100%",
            "\x1b[31mprohibited",
            "(ICMP",
            "1/1",
            "from",
            "2001:db8::f)\x1b[0m",
        ),
    ]
    assert literal == ["192.0.2.1", "192.0.2.1", "0%", "\x1b[32m1.00/1.00/1.00/1.00\x1b[0m", "—"]
    assert six[:3] == ["six.example", "—", "—"]
    assert "Name unknown" not in table(RESULTS, "en")
    chinese = table(RESULTS, "zh")
    for words in ("目标", "丢包", "被管理策略禁止", "域名不存在", "迟到 1", "重复 2"):
        assert words in chinese


def test_columns_stand_under_each_other_with_wide_characters() -> None:
    lines = table(
        [result(name, "ipv4", (0.001,)) for name in ("政务.中国", "a")], "zh"
    ).splitlines()
    # each Chinese character is two columns wide, so it stands for one more blank
    assert lines[1].index("192.0.2.1") + 4 == lines[2].index("192.0.2.1")


def test_without_raw_sockets_it_says_so() -> None:
    assert "数据报" in table([result("a", "ipv4", (0.1,), mode="datagram")], "zh")


def test_progress() -> None:
    waiting = result("c", "ipv4", sent=0)
    assert progress([*RESULTS, waiting], "en") == "3 of 4 targets have results, 2 answering"


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "zh"),
        ({"LANG": "C.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE"}, "en"),
    ],
)
def test_the_language_of_the_locale(
    environment: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language_of(None) == language
    assert language_of("en") == "en"


def asks(pid: int) -> bool:
    """Whether a process has opened a socket for ICMP."""
    own = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            own.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    tables = (Path(f"/proc/net/{kind}").read_text().splitlines()[1:] for kind in ("icmp", "raw"))
    return any(f"socket:[{row.split()[9]}]" in own for rows in tables for row in rows)


@pings
def test_an_interrupt_shows_what_is_known() -> None:
    process = subprocess.Popen(
        [*PROBE, "127.0.0.1", "--json", "--count", "1000", "--interval", "0.1"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    eventually(lambda: asks(process.pid))
    time.sleep(1)  # some are answered
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    found = json.loads(output)
    assert process.returncode == 0
    assert 0 < found["received"] == found["sent"] < 1000


@pings
def test_a_live_table_on_a_terminal() -> None:
    controller, terminal = os.openpty()
    process = subprocess.Popen(
        [*PROBE, "127.0.0.1", "--lang", "en", "--count", "8", "--interval", "0.1"],
        cwd=ROOT,
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": "200", "LINES": "50"},
    )
    os.close(terminal)
    output = b""
    while True:
        try:
            more = os.read(controller, 65536)
        except OSError:  # how Linux says that the other end has closed
            break
        if not more:
            break
        output += more
    os.close(controller)
    assert process.wait(30) == 0
    assert output.count(b"Target") > 2, "it is drawn again and again"
    assert b"\x1b[2A\x1b[J" in output
    assert output.rstrip().endswith(b"\x1b[0m"), "the times in green at the end"


def test_a_module_probes_both_families_and_says_why_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        shown = jianwei(
            "--module",
            "tcp_connect",
            "--json",
            "--count",
            "2",
            "--interval",
            "0.01",
            f"127.0.0.1:{port}",
        )
        assert shown.exit_code == 0, shown.output
        (told,) = map(json.loads, shown.stdout.splitlines())
    assert (told["target"], told["prober"], told["family"]) == (f"127.0.0.1:{port}", "tcp", "ipv4")
    assert (told["sent"], told["received"], told["loss"], told["reason"]) == (2, 2, 0, "")
    assert len(told["rtt"]) == 5
    shown = jianwei("--module", "tcp_connect", "--json", f"localhost:{port}", "--family", "ipv4")
    assert shown.exit_code == 1
    assert json.loads(shown.stdout)["reason"] == "connect_refused"


def test_bad_input_of_modules() -> None:
    for arguments, words in (
        (["--module", "nix", "127.0.0.1"], "no module 'nix'"),
        (["--module", "tcp_connect", "127.0.0.1"], "TARGET: '127.0.0.1' has no port"),
        (["--module", "tcp_connect", "127.0.0.1:1", "--family", "ipv6"], "is no ipv6 address"),
        (["--module", "icmp", "--modules-file", "/nonexistent", "::1"], "cannot be read"),
        (["--module", "tcp_connect"], "no targets"),
    ):
        shown = jianwei(*arguments)
        assert shown.exit_code == 2, arguments
        assert words in shown.stderr
