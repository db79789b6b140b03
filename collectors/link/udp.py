"""UDP: datagrams sent to the target, and what it answers.

Steps as those of tcp's `query_response`, but with whole datagrams instead of lines. An ICMP error
(ip(7), IP_RECVERR) is the reason at once. Silence is a failure unless the module says otherwise:
nobody can tell a service that says nothing from packets that are lost.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, Literal

import msgspec

from collectors.link.connect import Deadline, Failure, result
from collectors.link.datagram import DatagramSocket, Located, Problem, locate, open_socket
from collectors.link.tcp import compile_regex, expand
from collectors.link.tlsconfig import Protocol
from collectors.model import Family, ProbeResult, Target, gauge, sample
from collectors.strictyaml import Regex

MAX_PAYLOAD = 65507  # bytes in one datagram over IPv4

_Why = Literal["source", "mismatch"]


class UdpStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Wait for a datagram that matches `expect`, then send one: `send` as text, in which `$1` is
    a group of what was expected, or `send_hex` as bytes in hexadecimal."""

    expect: Regex = Regex("")
    send: str = ""
    send_hex: str = ""

    def __post_init__(self) -> None:
        if self.send and self.send_hex:
            raise ValueError("either send or send_hex")
        if not (self.expect or self.send or self.send_hex):
            raise ValueError("a step needs expect, send or send_hex")
        if max(len(self.send.encode()), len(_bytes(self.send_hex))) > MAX_PAYLOAD:
            raise ValueError(f"a datagram has at most {MAX_PAYLOAD} bytes")


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise ValueError(f"send_hex: {text!r:.40} is not hexadecimal") from error


class UdpModule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the prober `udp`.

    `payload` is sent first, an empty datagram where neither it nor a step is written. Where nothing is
    expected after the last datagram sent, any answer is a good one. With `silence_is_success`
    none is good too, provided that no ICMP error comes before the probe's time is over.
    """

    preferred_ip_protocol: Protocol = "ip6"
    ip_protocol_fallback: bool = True
    source_ip_address: str = ""
    payload: str = ""
    query_response: tuple[UdpStep, ...] = ()
    silence_is_success: bool = False

    def __post_init__(self) -> None:
        if len(self.payload.encode()) > MAX_PAYLOAD:
            raise ValueError(f"a datagram has at most {MAX_PAYLOAD} bytes")
        if not self.payload and self.query_response and self.query_response[0].expect:
            raise ValueError(
                "nobody speaks first over UDP: write what is sent as a step of its own, or as "
                "payload, before what is expected"
            )
        if self.silence_is_success and any(step.expect for step in self.query_response):
            raise ValueError("silence_is_success: an answer is expected by query_response")


def probe(target: Target, settings: UdpModule, timeout: float) -> ProbeResult:
    """What is said to the target and what it answers; its first answer is the round trip."""
    start = time.perf_counter()
    course = _Course(target, settings, Deadline(timeout))
    failure: Failure | None = None
    try:
        course.run()
    except Failure as error:
        failure = error
    made = result(
        "udp",
        target,
        start,
        course.phases,
        failure,
        course.families(),
        rtt="request",
        answered=course.answered,
    )
    if course.silent:
        return msgspec.structs.replace(made, detail="no answer and no error")
    return made


class _Course:
    """One probe as it goes."""

    def __init__(self, target: Target, settings: UdpModule, deadline: Deadline) -> None:
        self._target, self._settings, self._deadline = target, settings, deadline
        self._ignored: Counter[_Why] = Counter()
        self._last = ""
        self._sent_at = 0.0
        self.phases: dict[str, float] = {}
        self.answered = self.silent = self._mismatch = False

    def run(self) -> None:
        target = self._target
        located = locate(target.family, target.address, target.port)
        if isinstance(located, Problem):
            raise Failure(*located)
        opened = open_socket(target.family, self._settings.source_ip_address)
        if isinstance(opened, Problem):
            raise Failure(*opened)
        with opened:
            self._talk(opened, located)

    def families(self) -> tuple[Family, ...]:
        made = [
            gauge(
                "probe_failed_due_to_regex",
                "Whether what came did not match.",
                sample(float(self._mismatch)),
            ),
            gauge(
                "jianwei_probe_udp_ignored_datagrams",
                "Datagrams that came and were not what was waited for, by why.",
                *(sample(float(count), why=why) for why, count in sorted(self._ignored.items())),
            ),
        ]
        return tuple(family for family in made if family.samples)

    def _talk(self, opened: DatagramSocket, to: Located) -> None:
        settings = self._settings
        steps = settings.query_response
        if settings.payload or not steps:
            self._send(opened, to, settings.payload.encode())
        waits = True  # for any answer to what was sent last
        for step in steps:
            found = self._await(opened, to, step.expect) if step.expect else None
            waits = not step.expect
            if step.send or step.send_hex:
                text = expand(step.send, found) if found else step.send
                self._send(opened, to, _bytes(step.send_hex) or text.encode())
                waits = True
        if waits:
            self._await(opened, to, "")

    def _send(self, opened: DatagramSocket, to: Located, data: bytes) -> None:
        self._deadline.left()
        self._sent_at = time.monotonic()
        if problem := opened.send(data, to):
            raise Failure(*problem)

    def _await(self, opened: DatagramSocket, to: Located, pattern: str) -> Any:
        """The match of the first datagram that has one; raises Failure at the deadline."""
        compiled = compile_regex(pattern)
        end = time.monotonic() + self._deadline.left()
        while heard := opened.receive(end, to):
            if isinstance(heard, Problem):
                raise Failure(*heard)
            if heard.source != to.peer:
                self._ignored["source"] += 1
                continue
            self.answered = True
            self.phases.setdefault("request", time.monotonic() - self._sent_at)
            self._last = _text(heard.data)
            if found := compiled.search(self._last):
                self._mismatch = False
                return found
            self._ignored["mismatch"] += 1
            self._mismatch = True
        if self._settings.silence_is_success and not self.answered:
            self.answered = self.silent = True
            return None
        raise self._unanswered(pattern)

    def _unanswered(self, pattern: str) -> Failure:
        if self._mismatch:
            words = f"no datagram matches {pattern!r}; the last: {self._last!r:.80}"
            return Failure("response_mismatch", words)
        stray = self._ignored["source"]
        return Failure(
            "timeout", f"no answer; {stray} came from elsewhere" if stray else "no answer"
        )


def _text(data: bytes) -> str:
    """What a regular expression sees: UTF-8, else each byte as the character of its number."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
