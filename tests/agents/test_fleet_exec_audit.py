"""Audits by the agents of hosts: what comes of what they tell, and of what they do not."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from agents.fleet import execaudit
from agents.fleet.model import FleetHost
from agents.fleet.remote import Done
from collectors.sources.ssh.target import SshError
from collectors.strictyaml import Secret
from rules.model import AuditResult

HOST = FleetHost(
    name="a", address="ssh://192.0.2.1", department="财政局", sudo_password=Secret("geheim-1")
)


class Told:
    """A host that answers every program the same."""

    def __init__(self, done: Done | SshError) -> None:
        self.done = done
        self.asked: list[tuple[str, ...]] = []

    @contextlib.contextmanager
    def connect(self, host: FleetHost) -> Iterator[Told]:
        if isinstance(self.done, SshError):
            raise self.done
        yield self

    def run(
        self,
        program: str | Sequence[str],
        arguments: Sequence[str] = (),
        *,
        stdin: bytes = b"",
        root: bool = False,
        seconds: float = 60.0,
        limit: int = 0,
    ) -> Done:
        assert isinstance(self.done, Done)
        assert root
        self.asked.append(tuple(program))
        return self.done


def audited(told: Told, *packs: str) -> tuple[AuditResult | None, str]:
    argv = execaudit.arguments(packs, keep=True, scan=False)
    it, _ = execaudit.audited(HOST, told.connect, argv, 5, execaudit.decoder())
    assert (it.name, it.department) == ("a", "财政局")
    return it.result, it.problem


@pytest.fixture(scope="module")
def real() -> bytes:
    """What an agent tells."""
    argv = [sys.executable, "-m", "agents", "audit", "--format", "json", "--pack", "host-basics"]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def test_the_audit_is_the_hosts(real: bytes) -> None:
    told = Told(Done(0, real, ""))
    result, problem = audited(told, "host-basics")
    assert problem == ""
    assert result
    assert result.packs[0].pack == "host-basics"
    (argv,) = told.asked
    assert argv[:2] == ("/opt/jianwei/current/bin/jianwei", "audit")
    assert argv[-3:] == ("--pack", "host-basics", "--hits")


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Done(127, b"", ""), "no agent is here"),
        (Done(2, b"", "no pack\x1b[2J geheim-1"), "status 2: no pack"),
        (
            Done(1, b"", "Traceback (most recent call last):\n  File\nModuleNotFoundError: x"),
            "the audit ended with status 1: ModuleNotFoundError: x",
        ),
        (Done(0, b"", ""), "no audit of this version"),
        (Done(0, b'{"host": 1}', ""), "no audit of this version"),
        (Done(0, b"[" * 100_000, ""), "no audit of this version"),
        (Done(0, b"\xff", ""), "no audit of this version"),
        (SshError("ssh://a: cannot connect"), "cannot connect"),
    ],
)
def test_what_is_no_audit_is_a_problem(done: Done | SshError, words: str) -> None:
    result, problem = audited(Told(done))
    assert result is None
    assert words in problem
    assert "\x1b" not in problem
    assert "geheim" not in problem


def test_an_audit_of_an_agent_with_more_keys_is_taken(real: bytes) -> None:
    more = {**json.loads(real), "of_the_next_version": 1}
    result, problem = audited(Told(Done(1, msgspec.json.encode(more), "")))
    assert (result is not None, problem) == (True, "")
