"""What deployers write of what they did: whole lines, of a host its log, no secret in either."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import msgspec
import pytest

from agents.errors import UserError
from agents.fleet.hostlog import masking
from agents.fleet.hostside import digest
from agents.fleet.journal import NAME, Journal, deployed
from agents.fleet.model import Outcome
from agents.fleet.rollout import Pace
from agents.fleet.working import MAX_TOLD
from collectors.strictyaml import Secret
from exporters.findings.text import neutral
from tests.agents.fleetfake import CONFIG, KeptHosts, deploying, named, rolled


def test_the_journal_knows_who_failed_and_who_was_never_begun(tmp_path: Path) -> None:
    kept = KeptHosts(
        tmp_path / "hosts", unreachable=frozenset({"h001"}), broken={"h002 upload": "no room"}
    )
    hosts = named(4)
    rolled(kept, hosts[:3], tmp_path / "state", pace=Pace(parallel=1))
    assert deployed(tmp_path / "state") == {"h000": digest({"jianwei.yaml": CONFIG})}
    journal = Journal(tmp_path / "state")
    journal.began("deploy", "b" * 64, ["h003"])
    journal.step("h003", "upload", "c" * 64)
    journal.close()
    journal = Journal(tmp_path / "state")
    assert [name for name, it in journal.last.items() if it.bad] == ["h001", "h002"]
    assert [name for name, it in journal.last.items() if not it.well] == ["h001", "h002", "h003"]
    assert journal.last["h003"].step == "upload"
    journal.close()


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_journal_loses_its_last_line_only(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path)
    journal.ended(Outcome(host="a", state="changed"), "")
    journal.ended(Outcome(host="b", state="changed", problem="x" * 100), "")
    journal.close()
    path = tmp_path / NAME
    os.truncate(path, path.stat().st_size - cut)
    journal = Journal(tmp_path)
    assert set(journal.last) == {"a"} | ({"b"} if cut == 1 else set())
    journal.ended(Outcome(host="c", state="failed"), "")
    journal.close()
    journal = Journal(tmp_path)
    assert journal.last["c"].bad
    assert journal.torn == (cut > 1)
    journal.close()


def test_a_full_disk_takes_a_whole_line_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really, room = os.write, 40

    def write(file: int, content: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, "No space left on device")
        count = really(file, content[:room])
        room -= count
        return count

    journal = Journal(tmp_path)
    journal.ended(Outcome(host="a", state="changed"), "")
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space left"):
            journal.began("deploy", "b" * 64, [f"h{n}" for n in range(50)])
    journal.ended(Outcome(host="b", state="failed"), "")
    journal.close()
    journal = Journal(tmp_path)
    assert (set(journal.last), journal.torn) == ({"a", "b"}, 0)
    journal.close()


def test_what_a_host_says_fills_no_log(tmp_path: Path) -> None:
    kept = KeptHosts(tmp_path / "hosts", broken={"h000": "it is full"})
    kept.log = [f"line {n}" for n in range(1000)]
    rolled(kept, named(1), tmp_path / "state")
    lines = (tmp_path / "state/logs/h000.log").read_text().splitlines()
    said = [line.partition("agent: ")[2] for line in lines if "agent: " in line]
    assert said == kept.log[-MAX_TOLD:]


@pytest.mark.parametrize("secret", ["pa\u200bss1234", "pass\t1234", "p\u00e4ss\u00adword"])
def test_a_secret_is_masked_as_it_is_shown(secret: str) -> None:
    """What hosts say has been made harmless before it is masked."""
    assert masking({secret})(neutral(f"bad value {secret} here")) == "bad value *** here"


def test_a_long_journal_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.fleet.journal.MAX_BYTES", 2000)
    for _ in range(40):
        journal = Journal(tmp_path)
        journal.began("deploy", "b" * 64, ["a", "b"])
        journal.ended(Outcome(host="a", state="failed"), "")
        journal.close()
    assert (tmp_path / NAME).stat().st_size < 3000
    journal = Journal(tmp_path)
    assert journal.last["a"].bad
    assert journal.last["b"].state is None
    journal.close()


def test_two_deployers_are_kept_apart(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(UserError, match="another deployer"):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_no_secret_is_written_or_told(tmp_path: Path) -> None:
    """A hostile host says the secret back, with control characters."""
    (tmp_path / "site.yaml").write_text("console: {url: https://c.example, token_file: token}\n")
    (tmp_path / "token").write_text("topsecret-of-the-console\n")
    hosts = [
        msgspec.structs.replace(
            host, sudo_password=Secret("geheim-sudo-7"), config=str(tmp_path / "site.yaml")
        )
        for host in named(2)
    ]
    said = "sudo: geheim-sudo-7 \x1b[2J topsecret-of-the-console\nand more"
    kept = KeptHosts(tmp_path / "hosts", broken={"h000 activate": said})
    done = rolled(kept, hosts, tmp_path / "state", deploying(folder=tmp_path))
    assert done["h000"].state == "failed"
    told = repr(done) + "".join(
        path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file()
    )
    assert "geheim" not in told
    assert "topsecret" not in told
    assert "\x1b" not in told
    assert "***" in done["h000"].problem
    log = (tmp_path / "state/logs/h000.log").read_text()
    assert "activate: the first version" in log
    assert "agent: what the agent said" in log
    assert (tmp_path / "state/logs/h000.log").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "主机一", "x" * 300, "..", "a b\n"])
def test_a_log_of_any_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    kept = KeptHosts(tmp_path / "hosts", unreachable=frozenset({name}))
    host = msgspec.structs.replace(named(1)[0], name=name)
    assert rolled(kept, [host], tmp_path / "state")[name].state == "unreachable"
    (log,) = (tmp_path / "state/logs").iterdir()
    assert log.parent == tmp_path / "state/logs"


def test_a_journal_of_each_host_is_in_order(tmp_path: Path) -> None:
    kept = KeptHosts(tmp_path / "hosts")
    rolled(kept, named(4), tmp_path / "state")
    text = (tmp_path / "state" / NAME).read_text()
    for host in named(4):
        lines = [line for line in text.splitlines() if f'"host":"{host.name}"' in line]
        assert [re.findall(r'"step":"(\w+)"', line) for line in lines] == [
            ["upload"],
            ["unpack"],
            ["configure"],
            ["activate"],
            [],
        ]
