"""The fleet commands as they are given: what they refuse, what they print, what ends them."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.cli.fleet import tables
from agents.cli.fleet.board import Board
from agents.cli.fleet.tables import Look
from agents.fleet.model import Outcome, Step
from tests.agents.fleetfake import EMPTY, KeptHosts
from tests.hostspace import bundle
from tests.sshlab import SshLab, needs_sshd


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    name = "name=jianwei-agent\nversion=1.0\narch=linux-x86_64\n"
    path = tmp_path / "jianwei-agent-1.0-linux-x86_64.tar.gz"
    path.write_bytes(bundle("1.0", {"share/jianwei/BUNDLE": name}))
    return tmp_path


def inventory(folder: Path, *hosts: dict[str, object], **defaults: object) -> str:
    path = folder / "hosts.yaml"
    rows = hosts or ({"name": "a", "host": "ssh://192.0.2.1"},)
    path.write_text(json.dumps({"defaults": defaults, "hosts": rows}))
    return str(path)


def given(folder: Path, command: str, *more: str) -> tuple[int, str, str]:
    chosen = [f"--bundle={folder}/jianwei-agent-1.0-linux-x86_64.tar.gz"]
    if command not in ("plan", "deploy", "upgrade"):
        chosen = []
    argv = ["fleet", command, f"--inventory={folder}/hosts.yaml", *chosen, *more]
    result = CliRunner().invoke(main, argv, catch_exceptions=False)
    return result.exit_code, result.stdout, result.stderr


def test_a_configuration_that_is_wrong_is_told_before_anything_is_sent(folder: Path) -> None:
    (folder / "site.yaml").write_text("log:\n  level: ${level}\n")
    inventory(
        folder,
        {"name": "a", "host": "ssh://192.0.2.1", "variables": {"level": "info"}},
        {"name": "b", "host": "ssh://192.0.2.2", "variables": {"level": "loud"}},
        config="site.yaml",
    )
    status, out, err = given(folder, "deploy")
    assert (status, out) == (2, "")
    assert re.search(r"nothing was sent:\n.*site.yaml:2: host b: log.level", err)
    assert not (folder / "hosts.yaml.fleet").exists()


def test_a_mistake_of_many_hosts_is_told_once(folder: Path) -> None:
    (folder / "site.yaml").write_text("log:\n  level: loud\n")
    inventory(folder, {"name": "h[1:8]", "host": "ssh://192.0.2.[1:8]"}, config="site.yaml")
    status, _, err = given(folder, "deploy")
    assert status == 2
    assert len(err.splitlines()) == 2
    assert "site.yaml:2: hosts h1, h2, h3, h4, h5 and 3 more: log.level" in err


def test_nothing_is_done_without_a_yes(folder: Path) -> None:
    inventory(folder)
    for command in ("rollback", "uninstall"):
        status, out, err = given(folder, command, "--lang=en")
        assert (status, out) == (2, "")
        assert "nothing was done" in err
        assert "未执行任何操作" in given(folder, command, "--lang=zh")[2]
    assert not (folder / "hosts.yaml.fleet").exists()


@pytest.mark.parametrize(
    "option", ["--canary=many", "--batch=-1", "--batch=0", "--batch=0%", "--max-failures=200%"]
)
def test_what_is_no_number_of_hosts(folder: Path, option: str) -> None:
    inventory(folder)
    status, _, err = given(folder, "deploy", option)
    assert status == 2
    assert "write" in err


@pytest.mark.parametrize(
    ("agent", "listen", "told"),
    [
        (":9808", "", True),
        ("none", "", False),
        (":9808", "['127.0.0.1:9808', '[::1]:9808']", True),
        (":9808", "['127.0.0.1:9808', '${address}:9808']", False),
    ],
)
def test_an_agent_that_prometheus_cannot_reach_is_told_once(
    folder: Path, agent: str, listen: str, told: bool
) -> None:
    (folder / "site.yaml").write_text(f"web: {{listen: {listen}}}\n")
    hosts: list[dict[str, object]] = [
        {"name": name, "host": f"ssh://192.0.2.{n}"} for n, name in enumerate("ab", 1)
    ]
    config = {"config": "site.yaml"} if listen else {}
    inventory(folder, *hosts, agent=agent, connect_timeout="100ms", **config)
    for language, words in (("en", "note: 2 hosts (a"), ("zh", "2 台主机（如 a）")):
        _, _, err = given(folder, "plan", f"--lang={language}")
        assert err.count(words) == int(told)
        assert err.count('listen: ["${address}:9808"]') == int(told)


def test_the_bundle_of_everything_is_said_to_be_that(folder: Path) -> None:
    inventory(folder, connect_timeout="100ms")
    path = folder / "jianwei-agent-1.0-linux-x86_64.tar.gz"
    assert "has the console in it" not in given(folder, "plan", "--lang=en")[2]
    name = "name=jianwei\nversion=1.0\narch=linux-x86_64\n"
    path.write_bytes(bundle("1.0", {"share/jianwei/BUNDLE": name}, "jianwei"))
    assert f"note: {path.name} has the console in it" in given(folder, "plan", "--lang=en")[2]


def test_a_pack_beside_us_is_not_on_the_hosts(folder: Path) -> None:
    inventory(folder)
    status, _, err = given(folder, "exec-audit", "--pack=./city.yaml")
    assert status == 2
    assert "absolute path" in err


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[SshLab]:
    (tmp_path / "ssh").mkdir()
    lab = SshLab(tmp_path / "ssh")
    yield lab
    lab.close()


@needs_sshd
def test_hosts_that_are_looked_at_and_not_changed(folder: Path, lab: SshLab) -> None:
    there, unknown = lab.server(), lab.server(known=False)
    inventory(
        folder,
        {"name": "there", "host": "ssh://127.0.0.1", "port": there.port},
        {"name": "unknown", "host": "ssh://127.0.0.1", "port": unknown.port},
        {"name": "gone", "host": "ssh://127.0.0.1", "port": 1},
        key_file=str(lab.key),
        known_hosts=str(lab.known_hosts),
        config_file="",
        use_agent=False,
        agent="none",
    )
    status, out, err = given(folder, "plan", "--json")
    assert status == 1, err
    told = {it["host"]: it for it in map(json.loads, out.splitlines())}
    assert told["there"]["seen"]["arch"] == os.uname().machine
    assert "unknown ssh-ed25519 key" in told["unknown"]["problem"]
    assert "cannot connect" in told["gone"]["problem"]
    status, out, err = given(folder, "status", "--lang=en", "--limit=gone", "--limit=there")
    assert status == 1
    assert re.search(r"^there\s+-\s+-\s+no\s+-\s+no", out, re.M)
    assert out.splitlines()[-1].startswith("2 hosts")
    assert "gone: unreachable" in err
    status, out, _ = given(folder, "exec-audit", "--lang=en", "--limit=there")
    assert status == 1
    assert "there: no agent is here" in out
    status, out, err = given(folder, "exec-audit", "--lang=zh", "--limit=there", "--limit=gone")
    assert "请用 jianwei fleet deploy 安装" in out
    assert "无法建立连接：连接被拒绝" in out
    status, out, err = given(folder, "plan", "--lang=zh", "--limit=there", "--limit=unknown")
    assert "there: 已查看" in err
    assert "无变化" not in out + err
    assert "请在主机上用" in out
    assert "known_hosts" in out.splitlines()[1]
    status, out, _ = given(folder, "deploy", "--lang=zh", "--limit=gone")
    assert status == 1
    assert re.search(r"^gone\s+无法连接", out, re.M)
    assert not Path("/opt/jianwei/.staged").exists()


INTERRUPTED = """
import sys, time
from pathlib import Path
from agents.cli.fleet import session
from agents.cli.fleet.options import Given
from tests.agents.fleetfake import KeptHosts, deploying, named
where = Path(sys.argv[1])
kept = KeptHosts(where / "hosts", before=lambda host, step: time.sleep(0.1 if host == "h000" else 0.3))
it = Given(inventory=str(where / "hosts.yaml"), parallel=2, as_json=True)
sys.exit(session.change(it, named(40), deploying(), "deploy", reach=kept.reach))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_lets_no_new_host_begin(tmp_path: Path, number: int) -> None:
    argv = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    with (tmp_path / "err").open("w") as file:
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=file, text=True)
    assert process.stdout
    lines = [process.stdout.readline()]
    process.send_signal(number)
    lines += process.stdout.readlines()
    process.stdout.close()
    assert process.wait(60) == 130
    err = (tmp_path / "err").read_text()
    told = [json.loads(line) for line in lines]
    assert len(told) == 40
    states = [it["state"] for it in told]
    assert states.count("skipped") >= 30
    assert "失败" not in err
    assert "再按一次立即结束" in err or "once more ends at once" in err
    # those that were at work are as a step left them
    kept = KeptHosts(tmp_path / "hosts")
    for one in told:
        seen = kept.seen(one["host"])
        assert seen.ready == (one["state"] == "changed")


def test_a_second_interrupt_ends_at_once(tmp_path: Path) -> None:
    slow = INTERRUPTED.replace("0.3", "600")
    argv = [sys.executable, "-c", slow, str(tmp_path)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_the_live_table_stays_within_the_screen() -> None:
    """On a terminal of 60 × 10 with hosts that name themselves maliciously."""
    script = """
import fcntl, struct, sys, termios
fcntl.ioctl(2, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 60, 0, 0))
from agents.cli.fleet.board import Board
from agents.cli.fleet.options import Given
from agents.fleet.model import Outcome
with Board(2000, "en", 1 << 26) as board:
    for number in range(32):
        board.began(f"\\x1b[31mhost-{number}-" + "x" * 80)
        board.step(f"\\x1b[31mhost-{number}-" + "x" * 80, "upload", "it is not there")
    board.tick()
    board.ended(Outcome(host="bad", state="failed", problem="\\x1b]0;title\\x07"))
    board._painted = 0
    board.tick()
"""
    leader, follower = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", script], stderr=follower)
    os.close(follower)
    seen = b""
    try:
        while piece := os.read(leader, 65536):
            seen += piece
    except OSError:
        pass
    process.wait(60)
    os.close(leader)
    text = seen.decode()
    assert process.returncode == 0
    assert "0/2000" in text
    assert "1/2000" in text
    assert "and 25 more at work" in text
    assert set(re.findall(r"\x1b[^AJ]*[AJ]", text)) == {"\x1b[9A", "\x1b[J"}
    assert "\x07" not in text
    shown = re.sub(r"\x1b\[\d*[AJ]", "", text).splitlines()
    assert max(len(line) for line in shown if "bad" not in line) < 60


def test_what_is_told_where_nobody_has_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Board(2, "zh") as board:
        board.began("a")
        board.step("a", "upload", "1.0 is not there")
        board.tick()
        board.ended(Outcome(host="a", state="changed", seconds=1.25))
    assert capsys.readouterr().err == "a: 上传 (主机上没有 1.0)\na: 已变更 1.2 s\n"


def test_the_final_table(capsys: pytest.CaptureFixture[str]) -> None:
    done = [
        Outcome(host="a", state="changed", after="1.0", steps=(Step("upload", ""),)),
        Outcome(host="b", state="failed", before="0.9", problem="x\x1b[2J"),
    ]
    tables.outcomes(done, "en")
    out = capsys.readouterr().out
    assert out.splitlines()[1].startswith("b     failed   0.9     -      0.0      x\\x1b[2J")
    assert out.endswith("2 hosts  changed 1  failed 1\n")


def test_the_table_of_what_runs_says_since_when(capsys: pytest.CaptureFixture[str]) -> None:
    since = datetime(2026, 2, 1, 8, 9, 10, tzinfo=UTC)
    up = msgspec.structs.replace(
        EMPTY, current="1.0", active=True, ready=True, since=int(since.timestamp())
    )
    tables.statuses([Look(host="a", seen=up), Look(host="b", seen=EMPTY), Look(host="c")], "en")
    head, a, b, c, total = capsys.readouterr().out.splitlines()
    at = head.index("Since")
    shown = f"{since.astimezone():%Y-%m-%d %H:%M:%S %z}"
    assert [row[at:].split("  ")[0] for row in (a, b, c)] == [shown, "-", "-"]
    assert total == "3 hosts  Ready 1  1.0 1  not installed 1"


PASSWORDS = """
import json, sys
from agents.cli.fleet import session
from agents.cli.fleet.options import Given
hosts = session.hosts_of(Given(inventory=sys.argv[1], ask_password=True, ask_sudo_password=True))
def told(secret): return secret.reveal() if secret else None
print(json.dumps([[told(h.ssh.password), told(h.sudo_password)] for h in hosts]))
"""


def test_passwords_that_are_asked_for(folder: Path) -> None:
    """Once for all, unseen; who has one keeps it, and who needs no sudo gets none of it."""
    path = folder / "hosts.yaml"
    (folder / "secret").write_text("own\n")
    (folder / "secret").chmod(0o600)
    path.write_text("""hosts:
      - {name: a, host: ssh://192.0.2.1, sudo: true}
      - {name: b, host: ssh://192.0.2.2}
      - {name: c, host: ssh://192.0.2.3, password: !file secret, sudo_password: !file secret}
    """)
    leader, follower = pty.openpty()
    script = f"import os\nos.open({os.ttyname(follower)!r}, os.O_RDWR)\n"  # the session's own
    process = subprocess.Popen(
        [sys.executable, "-c", script + PASSWORDS, path],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    shown = b""
    for words, typed in ((b"SSH password: ", b"first-one\n"), (b"sudo password: ", b"other-one\n")):
        while words not in shown:
            shown += os.read(leader, 1024)
        os.write(leader, typed)
    out, _ = process.communicate(timeout=60)
    os.close(follower)
    os.close(leader)
    assert json.loads(out) == [["first-one", "other-one"], ["first-one", None], ["own", "own"]]
    assert (shown.count(b"password: "), b"-one" in shown) == (2, False)


@pytest.mark.parametrize("command", ["status", "rollback", "uninstall"])
def test_a_bundle_where_none_is_wanted_is_told(folder: Path, command: str) -> None:
    status, _, err = given(folder, command, "--bundle=x.tar.gz")
    assert status == 2
    assert "it is about what is on the hosts; leave --bundle out" in err
