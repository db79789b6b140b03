"""DNS: one question to the target over UDP, TCP or TLS, and rules for the answer.

Keys and metric names: blackbox_exporter's dns module. Messages: dnsmessage.py (RFC 1035; over TCP
with two bytes of length before each; over TLS RFC 7858). Unlike blackbox_exporter's, an answer that
says it was cut short fails (dns_truncated), and what is no answer to the question (another id,
another question, garbage) is counted and waited past. No EDNS is sent.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from collectors.link import dnsmessage
from collectors.link.connect import Deadline, Failure, Stream, connect, result
from collectors.link.datagram import Datagram, Problem, locate, open_socket
from collectors.link.dnsmessage import Answer, Ignored, Question, RecordRules
from collectors.link.tls import Seen, Untrusted, secure
from collectors.link.tlsconfig import Protocol, TlsConfig
from collectors.model import Family, ProbeResult, Reason, Target, gauge, sample

PORT, TLS_PORT = 53, 853
_Why = Literal[Ignored, "source"]
_IGNORED: Final[dict[_Why, str]] = {
    "malformed": "unreadable",
    "id": "with another id",
    "question": "to another question",
    "query": "no answer but a query",
    "source": "from elsewhere",
}


class DnsModule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the prober `dns`."""

    query_name: Annotated[str, msgspec.Meta(min_length=1)]
    preferred_ip_protocol: Protocol = "ip6"
    ip_protocol_fallback: bool = True
    source_ip_address: str = ""
    query_type: str = "ANY"
    query_class: str = "IN"
    transport_protocol: Literal["udp", "tcp"] = "udp"
    dns_over_tls: bool = False
    tls_config: TlsConfig = TlsConfig()
    recursion_desired: bool = True
    valid_rcodes: tuple[str, ...] = ("NOERROR",)
    validate_answer_rrs: RecordRules = RecordRules()
    validate_authority_rrs: RecordRules = RecordRules()
    validate_additional_rrs: RecordRules = RecordRules()

    def __post_init__(self) -> None:
        if self.dns_over_tls and self.transport_protocol != "tcp":
            raise ValueError("dns_over_tls needs transport_protocol: tcp")
        dnsmessage.known("type", self.query_type)
        dnsmessage.known("class", self.query_class)
        for rcode in self.valid_rcodes:
            dnsmessage.known("rcode", rcode)
        self.question()

    def question(self) -> Question:
        """The query, with a new id."""
        return dnsmessage.question(
            self.query_name, self.query_type, self.query_class, self.recursion_desired
        )

    @property
    def port(self) -> int:
        """The port of targets that name none."""
        return TLS_PORT if self.dns_over_tls else PORT


class _Heard(NamedTuple):
    """An answer and how many seconds after the question it came."""

    answer: Answer
    after: float


def probe(target: Target, settings: DnsModule, timeout: float) -> ProbeResult:
    """One question to the target. The round trip is the phase `request`. `resolve` is 0: the name
    of the target, if it had one, was looked up before."""
    start = time.perf_counter()
    course = _Course(target, settings, Deadline(timeout))
    failure: Failure | None = None
    try:
        course.run()
    except Untrusted as error:
        failure, course.seen = error, error.seen
    except Failure as error:
        failure = error
    return result(
        "dns",
        target,
        start,
        course.phases,
        failure,
        course.families(),
        rtt="request",
        answered=course.answer is not None,
    )


def unseen() -> tuple[Family, ...]:
    """The series of a target that was not asked."""
    return _families(None, {}, Counter())


def _families(
    answer: Answer | None, phases: dict[str, float], ignored: Counter[_Why]
) -> tuple[Family, ...]:
    """blackbox_exporter's series, there whatever happened, and ours."""
    seen = answer or Answer("", truncated=False)
    made = [
        gauge(
            "probe_dns_answer_rrs",
            "Records in the answer section.",
            sample(float(len(seen.answer))),
        ),
        gauge(
            "probe_dns_authority_rrs",
            "Records in the authority section.",
            sample(float(len(seen.authority))),
        ),
        gauge(
            "probe_dns_additional_rrs",
            "Records in the additional section.",
            sample(float(len(seen.additional) + seen.pseudo)),
        ),
        gauge(
            "probe_dns_query_succeeded",
            "Whether an answer came, right or wrong.",
            sample(float(answer is not None)),
        ),
        gauge(
            "probe_dns_duration_seconds",
            "Time by phase: resolve (the target's own name), connect, request.",
            *(sample(phases.get(name, 0.0), phase=name) for name in _PHASES),
        ),
        gauge(
            "jianwei_probe_dns_ignored_messages",
            "Messages that came and were no answer to the question, by why.",
            *(sample(float(count), why=why) for why, count in sorted(ignored.items())),
        ),
    ]
    if seen.serial is not None:
        serial = sample(float(seen.serial))
        made.append(gauge("probe_dns_serial", "Serial number of the zone.", serial))
    return tuple(family for family in made if family.samples)


_PHASES = ("resolve", "connect", "request")


class _Course:
    """One probe as it goes."""

    def __init__(self, target: Target, settings: DnsModule, deadline: Deadline) -> None:
        self._target, self._settings, self._deadline = target, settings, deadline
        self._port = target.port or settings.port
        self._asked = settings.question()
        self._ignored: Counter[_Why] = Counter()
        self.phases: dict[str, float] = {}
        self.answer: Answer | None = None
        self.seen: Seen | None = None

    def run(self) -> None:
        if self._settings.transport_protocol == "udp":
            heard = self._by_datagram()
        else:
            heard = self._by_stream()
        self.answer, self.phases["request"] = heard
        self._judge(heard.answer)

    def families(self) -> tuple[Family, ...]:
        shown = self.seen.families(time.time()) if self.seen else ()
        return (*_families(self.answer, self.phases, self._ignored), *shown)

    def _judge(self, answer: Answer) -> None:
        settings = self._settings
        valid = [dnsmessage.known("rcode", one) for one in settings.valid_rcodes or ("NOERROR",)]
        if answer.rcode not in valid:
            raise Failure("dns_rcode", f"{answer.rcode} instead of {', '.join(valid)}")
        if answer.truncated:
            by = settings.transport_protocol
            hint = "; ask with transport_protocol: tcp" if by == "udp" else ""
            raise Failure("dns_truncated", f"the answer by {by} is cut short{hint}")
        for name, rules, records in (
            ("answer", settings.validate_answer_rrs, answer.answer),
            ("authority", settings.validate_authority_rrs, answer.authority),
            ("additional", settings.validate_additional_rrs, answer.additional),
        ):
            if broken := rules.broken_by(records):
                raise Failure("dns_answer", f"{name}: {broken}")

    def _by_datagram(self) -> _Heard:
        start = time.perf_counter()
        located = locate(self._target.family, self._target.address, self._port)
        if isinstance(located, Problem):
            raise Failure(*located)
        opened = open_socket(self._target.family, self._settings.source_ip_address)
        if isinstance(opened, Problem):
            raise Failure(*opened)
        with opened:
            self.phases["connect"] = time.perf_counter() - start
            asked, asked_at = time.monotonic(), time.time_ns()
            end = asked + self._deadline.left()
            if problem := opened.send(self._asked.wire, located):
                raise Failure(*problem)
            while heard := opened.receive(end, located):
                if isinstance(heard, Problem):
                    raise Failure(*heard)
                if heard.source != located.peer:
                    self._ignored["source"] += 1
                elif answer := self._read(heard.data):
                    return _Heard(answer, _after(heard, asked_at, time.monotonic() - asked))
        raise self._unanswered("dns_timeout")

    def _by_stream(self) -> _Heard:
        start = time.perf_counter()
        with self._dial() as plain:
            stream = self._secure(plain) if self._settings.dns_over_tls else plain
            self.phases["connect"] = time.perf_counter() - start
            start = time.perf_counter()
            try:
                wire = self._asked.wire
                stream.send(len(wire).to_bytes(2, "big") + wire)
                while (message := _message(stream)) is not None:
                    if answer := self._read(message):
                        return _Heard(answer, time.perf_counter() - start)
            except Failure as error:
                if error.reason == "timeout":
                    raise self._unanswered("dns_timeout") from error
                raise
        raise self._unanswered("connect_reset")

    def _dial(self) -> Stream:
        source = self._settings.source_ip_address
        return connect(self._target, self._port, source, self._deadline)

    def _secure(self, stream: Stream) -> Stream:
        config = self._settings.tls_config
        name = config.server_name or self._target.host or self._target.address
        over, self.seen = secure(stream, self._dial, config, name, self._deadline)
        return over

    def _read(self, message: bytes) -> Answer | None:
        """None where it is no answer to what was asked."""
        read = dnsmessage.read(self._asked, message)
        if isinstance(read, Answer):
            return read
        self._ignored[read] += 1
        return None

    def _unanswered(self, reason: Reason) -> Failure:
        """Why there was no answer, with what came instead."""
        came = [f"{count} {_IGNORED[why]}" for why, count in sorted(self._ignored.items())]
        if self._ignored["malformed"]:
            reason = "dns_malformed"
        words = "no answer in time" if reason == "dns_timeout" else "no answer"
        if reason == "connect_reset":
            words = "the connection ended without an answer"
        return Failure(reason, f"{words}; ignored: {', '.join(came)}" if came else words)


def _after(heard: Datagram, asked_at: int, elapsed: float) -> float:
    """Seconds until it came by the kernel's clock, unless that was set meanwhile."""
    seconds = (heard.at - asked_at) / 1e9
    return seconds if 0 < seconds <= elapsed else elapsed


def _message(stream: Stream) -> bytes | None:
    """The next message of a stream, None at its end."""
    head = _exactly(stream, 2)
    return None if head is None else _exactly(stream, int.from_bytes(head, "big"))


def _exactly(stream: Stream, size: int) -> bytes | None:
    kept = b""
    while len(kept) < size:
        got = stream.receive(size - len(kept))
        if not got:
            return None
        kept += got
    return kept
