"""An audit by the agent that is installed on a host, as it audits itself, brought here as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol

import msgspec
from msgspec.json import Decoder

from agents.fleet.audit import HostResult
from agents.fleet.hostlog import masking
from agents.fleet.model import PREFIX, FleetHost
from agents.fleet.remote import Done
from agents.fleet.working import secrets
from collectors.sources.ssh.target import SshError
from exporters.findings.text import neutral
from rules.model import AuditResult

PROGRAM: Final = f"{PREFIX}/current/bin/jianwei"
CONFIG: Final = "/etc/jianwei/jianwei.yaml"
MAX_BYTES: Final = 64 << 20
MAX_SAID: Final = 300  # characters


class Runs(Protocol):
    """A connected host, as agents.fleet.remote has it."""

    def run(
        self,
        program: str | Sequence[str],
        arguments: Sequence[str] = (),
        *,
        stdin: bytes = b"",
        root: bool = False,
        seconds: float = 60.0,
        limit: int = MAX_BYTES,
    ) -> Done: ...


Connect = Callable[[FleetHost], AbstractContextManager[Runs]]


def arguments(packs: Sequence[str], keep: bool, scan: bool) -> tuple[str, ...]:
    """The command there. `keep`: its hits are kept on the host, as `jianwei audit --hits` does."""
    chosen = (word for pack in packs for word in ("--pack", pack))
    more = (*(["--hits"] if keep else []), *(["--scan"] if scan else []))
    return (PROGRAM, "audit", "--config", CONFIG, "--format", "json", *chosen, *more)


def decoder() -> Decoder[AuditResult]:
    """To be made once, before there are threads: msgspec learns a type when it first meets it."""
    return Decoder(AuditResult)


def audited(
    host: FleetHost,
    connect: Connect,
    argv: Sequence[str],
    seconds: float,
    decoder: Decoder[AuditResult],
) -> tuple[HostResult, bytes]:
    """The audit, and its JSON as the host gave it; a problem where there is none. What the host says is believed
    as far as it is an audit."""
    problem = ""
    try:
        with connect(host) as remote:
            done = remote.run(argv, root=True, seconds=seconds, limit=MAX_BYTES)
        if done.status == 0 or (done.status == 1 and done.out.strip()):
            result = decoder.decode(done.out)
            return _result(host, result=result), done.out
        if done.status in (126, 127):
            problem = "no agent is here: jianwei fleet deploy puts one"
        else:
            said = " ".join((done.err.splitlines() or [""])[-1].split())[
                :MAX_SAID
            ]  # of a traceback
            problem = f"the audit ended with status {done.status}: {said}"
    except SshError as error:
        problem = str(error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        problem = f"what the agent there told is no audit of this version: {error}"
    return _result(host, problem=neutral(masking(secrets(host))(problem))), b""


def _result(host: FleetHost, result: AuditResult | None = None, problem: str = "") -> HostResult:
    return HostResult(
        host.name, host.address, host.department, host.owner, result=result, problem=problem
    )
