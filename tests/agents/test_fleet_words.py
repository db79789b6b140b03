"""What people read of many hosts: in their language, and not more than they can read."""

from __future__ import annotations

import re
import sys

import pytest

from agents.cli.fleet import tables
from agents.cli.fleet.board import Board
from agents.cli.fleet.said import said
from agents.fleet.model import Outcome


def test_many_hosts_with_one_reason_are_one_row_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = [
        Outcome(
            host=f"h{n:03}",
            state="unreachable",
            problem=f"root@10.0.0.{n}:22: cannot connect: Connection refused",
            seconds=n / 10,
        )
        for n in range(250)
    ]
    done += [
        Outcome(host=f"own{n:03}", state="failed", problem=f"unpack: its own {n}")
        for n in range(100)
    ]
    tables.outcomes(done, "zh")
    everything = capsys.readouterr().out.splitlines()
    assert len(everything) == 352
    assert "root@10.0.0.7:22: 无法建立连接：连接被拒绝" in "\n".join(everything)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    tables.outcomes([it for it in done if it.state == "unreachable"], "zh")
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 3
    assert re.match(r"250 台：h000 h001 .*无法连接 .* 无法建立连接：连接被拒绝$", out[1])
    tables.outcomes(done, "zh")
    out = capsys.readouterr().out.splitlines()
    assert len(out) == tables.MAX_SHOWN + 2
    assert out[-2].startswith("另有 291 台未显示")
    looks = [tables.Look(host=it.host, problem=it.problem) for it in done[:30]]
    tables.plans(looks, "en")
    tables.statuses(looks, "en")
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 6
    assert out[1].startswith("30 hosts: h000 h001")


def test_a_remedy_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    problem = "root@10.0.0.1:22: " + "long " * 80 + "and what to do"
    tables.outcomes([Outcome(host="a", state="failed", problem=problem)], "en")
    assert "and what to do" in capsys.readouterr().out


def test_what_hosts_fail_by_is_bounded_above_the_live_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Board(1000, "zh") as board:
        for number in range(1000):
            board.ended(Outcome(host=f"h{number}", state="unreachable"))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 21
    assert told[-1] == "更多失败的主机见最后的表"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("a@h1:22: sudo on h1 wants a password: set sudo_password in the inventory", "需要密码"),
        ("look: a@h1:22: not root: log in as root, or set sudo for this host", "没有 root 权限"),
        ("a@h1:22: not let in; tried key /k", "登录被拒绝；已尝试 key /k"),
        ("unpack: a@h1:22: no end within 60 s", "解包：a@h1:22: 60 秒内未结束"),
        ("ended after unpack: interrupted; the same command goes on", "在 解包 之后结束：已中断；"),
        (
            "a@[::1]:22: changed ssh-ed25519 key SHA256:x: /k:3 has another: the host was installed "
            "anew, or somebody is in between; find out which before you replace that line",
            "主机密钥已改变 SHA256:x：与 /k:3",
        ),
        (
            "activate: a@h1:22: 0.2 was not ready within 10 s: it said no; 0.1 is back",
            "启用：a@h1:22: 0.2 在 10 秒内未就绪：it said no；0.1 已恢复",
        ),
        ("unpack: a@h1:22: no room: needs 9 MB, has 3 MB on /opt", "需要 9 MB，/opt 可用 3 MB"),
        ("x\ny", "x\ny"),
    ],
)
def test_what_to_do_is_said_in_chinese(english: str, chinese: str) -> None:
    assert chinese in said(english, "zh")
    assert said(english, "en") == english
