"""Audits of many hosts: what one of them makes too dear costs that host alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents.cli.fleetaudit import _outline
from agents.errors import UserError
from agents.fleet.judging import OF_A_CHILD, Judges
from collectors.model import Fact
from exporters.findings.fleettable import Row, table
from rules import pack as packs
from rules.audit import Auditor
from rules.model import AuditResult
from tests.agents.test_cli_audit import DEFAULT, HARDENED, PACK, run
from tests.agents.test_sca_cli import as_root, commands, reasons, verdicts

NUMBERS = ", ".join(map(str, range(300)))
LOOPS = f"[{NUMBERS}].all(a, " + "".join(f"params.n.all({x}, " for x in "bcdef") + "true" + ")" * 6
DOUBLED = "params.names" + ".map(a, a + a)" * 60 + " == []"


def dear(path: Path, what: str) -> str:
    """A pack that only a host with many accounts makes dear."""
    text = PACK.format(severity="low", fact="accounts")
    text = text.replace("limit: 100", f"n: [{NUMBERS}], limit: 100")
    text = text.replace("size(accounts) <= params.limit", f"size(accounts) < 100 || {what}")
    path.write_text(text)
    return str(path)


def inventory(folder: Path, *recordings: str | Path) -> str:
    path = folder / "hosts.yaml"
    hosts = [{"name": f"h{i:02}", "host": f"recorded: {it}"} for i, it in enumerate(recordings)]
    path.write_text(json.dumps({"hosts": hosts}))
    return str(path)


def crowded(folder: Path) -> Path:
    """A host whose owner has made many accounts."""
    shutil.copytree(DEFAULT, folder)
    passwd = folder / "root/etc/passwd"
    passwd.write_text(
        passwd.read_text() + "".join(f"u{i}:x:{2000 + i}:100::/:/bin/sh\n" for i in range(200))
    )
    machine = folder / "root/etc/machine-id"
    machine.write_text("f" * 32 + "\n")
    return folder


@pytest.mark.parametrize("what", [LOOPS, DOUBLED], ids=["time", "memory"])
def test_a_host_too_dear_to_judge_costs_itself(tmp_path: Path, what: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("audit: {deadline: 3s}\n")
    pack = dear(tmp_path / "dear.yaml", what)
    hosts = inventory(tmp_path, crowded(tmp_path / "evil"), HARDENED, DEFAULT)
    arguments = ("--config", str(config), "--pack", pack, "--format", "json")
    done = run("audit", "--inventory", hosts, *arguments)
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == 1
    assert rows["h00"]["problem"] == (
        "judging was ended before it was done; it may take 3 s (audit.deadline) and 1 GiB"
    )
    assert [rows[name]["problem"] for name in ("h01", "h02")] == ["", ""]
    assert [rows[name]["result"]["packs"][0]["counts"]["pass"] for name in ("h01", "h02")] == [1, 1]


FACTS = {"host": Fact("host", {"id": "a" * 32, "name": "a"}), "accounts": Fact("accounts", [])}


@pytest.fixture
def judges(tmp_path: Path) -> Iterator[Judges]:
    pack = packs.load(dear(tmp_path / "dear.yaml", LOOPS))
    with Judges(Auditor([pack], {}), 60.0, "audit.deadline", 2) as judges:
        yield judges


def audit(judges: Judges, facts: dict[str, Fact] = FACTS) -> AuditResult:
    return judges.audit(facts, datetime.now(UTC), 1.5)


def test_children_judge_as_we_do(judges: Judges, tmp_path: Path) -> None:
    auditor = Auditor([packs.load(str(tmp_path / "dear.yaml"))], {})
    now = datetime.now(UTC)
    for _ in range(2 * OF_A_CHILD + 3):  # so that each lane has had more than one child
        assert judges.audit(FACTS, now, 1.5) == auditor.audit(FACTS, now, 1.5)
    odd = {**FACTS, "host": Fact("host", {"id": "\udcff", "name": "\udcff"})}
    assert audit(judges, odd).host.name == "\udcff"


def test_a_lane_that_is_killed_is_replaced(judges: Judges) -> None:
    for lane in judges._lanes:
        os.kill(lane.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(UserError, match="was ended"):
            audit(judges)
    assert audit(judges).host.id == "a" * 32


def test_closing_ends_what_is_judged(judges: Judges) -> None:
    """As when somebody presses Ctrl-C: nothing is waited for, nothing stays."""
    many = {**FACTS, "accounts": Fact("accounts", [{}] * 200)}
    problems: list[str] = []

    def judge() -> None:
        try:
            audit(judges, many)
        except UserError as error:
            problems.append(str(error))

    thread = threading.Thread(target=judge)
    thread.start()
    time.sleep(0.5)
    judges.close()
    thread.join(10)
    assert not thread.is_alive()
    assert len(problems) == 1


@as_root
def test_commands_of_policies_are_allowed_by_the_flag(tmp_path: Path) -> None:
    policy = commands(tmp_path)
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text("hosts: [{name: here, host: local}]\n")
    found: list[dict[str, Any]] = []
    for more in ((), ("--allow-commands",)):
        arguments = ("--inventory", str(hosts), "--pack", policy, "--format", "json", *more)
        done = run("audit", *arguments)
        found.append(json.loads(done.stdout)["result"])
    assert set(verdicts(found[0]).values()) == {"unknown"}
    assert reasons(found[0]).count("--allow-commands") >= 5
    assert [verdicts(found[1])[check] for check in "123"] == ["pass"] * 3


def test_clones_are_told(tmp_path: Path) -> None:
    shutil.copytree(DEFAULT, tmp_path / "clone")
    hosts = inventory(tmp_path, DEFAULT, tmp_path / "clone", HARDENED)
    done = run("audit", "--inventory", hosts, "--format", "json")
    assert len(done.stdout.splitlines()) == 3
    (line,) = [line for line in done.stderr.splitlines() if "machine-id" in line]
    assert line.startswith("2 hosts have one machine-id (")
    assert "): h00, h01; " in line
    alone = run("audit", "--inventory", inventory(tmp_path, DEFAULT, HARDENED), "--format", "json")
    assert "machine-id" not in alone.stderr


def test_the_table_is_that_of_all_that_was_found() -> None:
    found = run("audit", "--recorded", DEFAULT, "--pack", "mlps-l3", "--format", "json").stdout
    result = msgspec.json.decode(found, type=AuditResult)
    slim = _outline(result)
    assert table([Row("a", slim, "")], "en") == table([Row("a", result, "")], "en")
    assert len(msgspec.json.encode(slim)) < len(found) / 2
