"""TCP: a connection, perhaps TLS over it, perhaps a dialogue of lines (`query_response`).

Keys, and `$1` or `${name}` in what is sent: blackbox_exporter's tcp module; the templates are those
of Go's regexp.Expand. What came is matched line by line in RE2 syntax.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from collectors.link.connect import Deadline, Failure, Stream, connect, result
from collectors.link.tls import Seen, Untrusted, secure
from collectors.link.tlsconfig import Protocol, TlsConfig
from collectors.model import Family, ProbeResult, Target, gauge, sample
from collectors.strictyaml import Regex

MAX_LINE = 65536  # bytes
_TEMPLATE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


class QueryResponse(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step: wait for a line that matches `expect`, send a line, go over to TLS."""

    expect: Regex = Regex("")
    send: str = ""
    starttls: bool = False


class TcpModule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the prober `tcp`."""

    preferred_ip_protocol: Protocol = "ip6"
    ip_protocol_fallback: bool = True
    source_ip_address: str = ""
    query_response: tuple[QueryResponse, ...] = ()
    tls: bool = False
    tls_config: TlsConfig = TlsConfig()

    def __post_init__(self) -> None:
        upgrades = self.tls + sum(step.starttls for step in self.query_response)
        if upgrades > 1:
            raise ValueError("TLS begins once: either tls or one starttls")


def probe(target: Target, settings: TcpModule, timeout: float) -> ProbeResult:
    """One connection to the target and what is said on it; connecting is the round trip."""
    start = time.perf_counter()
    course = _Course(target, settings, Deadline(timeout))
    failure: Failure | None = None
    try:
        course.run()
    except Untrusted as error:
        failure, course.seen = error, error.seen
    except Failure as error:
        failure = error
    answered = "connect" in course.phases
    families = course.families()
    return result("tcp", target, start, course.phases, failure, families, answered=answered)


class _Course:
    """One probe as it goes."""

    def __init__(self, target: Target, settings: TcpModule, deadline: Deadline) -> None:
        self._target, self._settings, self._deadline = target, settings, deadline
        self.phases: dict[str, float] = {}
        self.seen: Seen | None = None
        self._mismatch = False

    def run(self) -> None:
        start = time.perf_counter()
        stream = self._dial()
        self.phases["connect"] = time.perf_counter() - start
        try:
            if self._settings.tls:
                stream = self._secure(stream, ())
            start, tls = time.perf_counter(), self.phases.get("tls", 0.0)
            self._talk(stream, self._settings.query_response)
            if self._settings.query_response:
                upgraded = self.phases.get("tls", 0.0) - tls
                self.phases["dialogue"] = time.perf_counter() - start - upgraded
        finally:
            stream.close()

    def families(self) -> tuple[Family, ...]:
        regex = gauge(
            "probe_failed_due_to_regex",
            "Whether the connection ended without a line that was expected.",
            sample(float(self._mismatch)),
        )
        return (regex, *(self.seen.families(time.time()) if self.seen else ()))

    def _dial(self) -> Stream:
        source = self._settings.source_ip_address
        return connect(self._target, self._target.port, source, self._deadline)

    def _secure(self, stream: Stream, before: Sequence[QueryResponse]) -> Stream:
        """TLS over the stream; a second look repeats the dialogue `before` it."""

        def again() -> Stream:
            other = self._dial()
            try:
                self._talk(other, before, upgrade=False)
            except Failure:
                other.close()
                raise
            return other

        config = self._settings.tls_config
        name = config.server_name or self._target.host or self._target.address
        start = time.perf_counter()
        stream, self.seen = secure(stream, again, config, name, self._deadline)
        self.phases["tls"] = time.perf_counter() - start
        return stream

    def _talk(self, stream: Stream, steps: Sequence[QueryResponse], upgrade: bool = True) -> None:
        lines = _Lines(stream)
        for number, step in enumerate(steps):
            send = step.send
            if step.expect:
                send = expand(send, self._await(lines, step.expect))
            if send:
                stream.send(f"{send}\n".encode())
            if step.starttls and upgrade:
                self._secure(stream, steps[: number + 1])
                lines = _Lines(stream)  # what came in plain text is not part of it

    def _await(self, lines: _Lines, pattern: str) -> Any:
        """The match of the first line that has one."""
        compiled = compile_regex(pattern)
        last = ""
        while (line := lines.next()) is not None:
            last = line.decode("utf-8", "replace")
            if found := compiled.search(last):
                return found
        self._mismatch = True
        raise Failure("response_mismatch", f"no line matches {pattern!r}; the last: {last[:80]!r}")


class _Lines:
    """The lines of a stream, without their ends."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._kept, self._ended = stream, b"", False

    def next(self) -> bytes | None:
        """None at the end; raises Failure."""
        while b"\n" not in self._kept and not self._ended:
            if len(self._kept) > MAX_LINE:
                raise Failure("response_mismatch", f"a line is longer than {MAX_LINE} bytes")
            got = self._stream.receive()
            self._kept, self._ended = self._kept + got, not got
        if not self._kept:
            return None
        line, _, self._kept = self._kept.partition(b"\n")
        return line.removesuffix(b"\r")


def expand(template: str, found: Any) -> str:
    """`$1`, `${name}` and `$$` in a template; a group that is not there, or empty, is nothing."""

    def group(match: re.Match[str]) -> str:
        dollar, bare, braced = match.groups()
        if dollar:
            return "$"
        name = bare or braced
        number = name.isdigit() and len(name) < 10
        index = int(name) if number else found.re.groupindex.get(name, -1)
        if not 0 <= index <= found.re.groups:
            return ""
        return found.group(index) or ""

    return _TEMPLATE.sub(group, template)


def compile_regex(pattern: str) -> Any:
    """A pattern that was checked when it was read."""
    import re2

    return re2.compile(pattern)
