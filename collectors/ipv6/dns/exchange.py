"""One question to one address of a name server, over UDP (TCP where that is cut short) or TCP.

Random ids, and ports that the kernel draws; EDNS with 1232 bytes, without it where a server cannot
(RFC 6891 section 7). Messages to another question are waited past; what is unreadable is told.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from collectors.ipv6.dns.failures import SILENCE
from collectors.ipv6.dns.reply import Question, Reply, Truncated, Useless, question, read
from collectors.link.connect import Deadline, Failure, Stream, connect
from collectors.link.datagram import Problem, locate, open_socket
from collectors.link.resolve import literal
from collectors.model import Target

if TYPE_CHECKING:
    from dns.name import Name
    from dns.rdatatype import RdataType

Transport = Literal["udp", "tcp", "any"]  # any: udp first
# Lost messages are no verdict: how often silence is asked, and what share of the time to wait each has.
ASKED: Final = (0.5, 0.5, 0.5, 1.0)  # by walks, where one of several servers is enough
ASKED_LONG: Final = (0.5, 0.5, 0.5, 0.5, 1.0, 1.0)  # where it is about the server itself
_MOST_STRAY = 1000  # messages that are no answer, before a server is given up
_WITHOUT_EDNS = ("FORMERR", "NOTIMP", "BADVERS")


class Spent(Exception):
    """A look-up has used up what it may take. `budget`: of the caller, so nothing is told by it."""

    def __init__(self, detail: str, budget: bool = False) -> None:
        super().__init__(detail)
        self.detail, self.budget = detail, budget


class Allowance:
    """What one look-up may take: time, questions, bytes. Threads of it share one."""

    def __init__(self, deadline: Deadline, seconds: float, questions: int, size: int) -> None:
        self._outer, self._inner = deadline, Deadline(seconds)
        self._words = f"no end within {seconds:.3g} s"
        self._questions, self._bytes = questions, size
        self._most = questions
        self._lock = threading.Lock()

    def left(self) -> float:
        """Seconds left; raises Spent."""
        try:
            outer = self._outer.left()
        except Failure as error:
            raise Spent(error.detail, budget=True) from error
        try:
            return min(outer, self._inner.left())
        except Failure as error:
            raise Spent(self._words) from error

    def ask(self) -> None:
        """One more question; raises Spent."""
        with self._lock:
            self._questions -= 1
            if self._questions < 0:
                raise Spent(f"no end within {self._most} questions")

    def got(self, size: int) -> None:
        with self._lock:
            self._bytes -= size
            if self._bytes < 0:
                raise Spent("too many bytes of answers")


class Exchanged(NamedTuple):
    """The reply, and how many seconds after the question it came."""

    reply: Reply
    seconds: float


class Asker(NamedTuple):
    """How to ask: port and seconds to wait for an answer; by UDP only that share of them."""

    port: int
    timeout: float
    share: float = 1.0

    def patient(self, share: float) -> Asker:
        """The same with another share: who asks again soon need not wait long for each."""
        return self._replace(share=share)

    def ask(
        self,
        address: str,
        name: Name,
        type_: RdataType,
        zone: Name,
        allowance: Allowance,
        by: Transport = "any",
    ) -> Exchanged:
        """The reply of an address as a server of `zone`, never Truncated; raises Failure, Spent."""
        got = Exchanged(Truncated(), 0.0)
        for edns in (True, False):
            try:
                got = self._once(address, question(name, type_, edns), zone, allowance, by)
            except Failure as error:
                if error.reason in SILENCE:
                    allowance.left()  # cut off by the end of our time it is no silence
                raise
            if not (isinstance(got.reply, Useless) and got.reply.rcode in _WITHOUT_EDNS):
                break
        return got

    def _once(
        self, address: str, asked: Question, zone: Name, allowance: Allowance, by: Transport
    ) -> Exchanged:
        got = self._by_stream(address, asked, zone, allowance) if by == "tcp" else None
        got = got or self._by_datagram(address, asked, zone, allowance)
        if isinstance(got.reply, Truncated):
            if by != "any":
                raise Failure("dns_truncated", f"the answer by {by} is cut short")
            try:
                got = self._by_stream(address, asked, zone, allowance)
            except Failure as error:
                words = f"cut short by udp, and by tcp: {error.detail}"
                raise Failure("dns_truncated", words) from error
            if isinstance(got.reply, Truncated):
                raise Failure("dns_truncated", "the answer by tcp is cut short, too")
        return got

    def _by_datagram(
        self, address: str, asked: Question, zone: Name, allowance: Allowance
    ) -> Exchanged:
        allowance.ask()
        family = literal(address)[1]
        located = locate(family, address, self.port)
        if isinstance(located, Problem):
            raise Failure(*located)
        opened = open_socket(family)
        if isinstance(opened, Problem):
            raise Failure(*opened)
        stray = 0
        with opened:
            start, sent_at = time.monotonic(), time.time_ns()
            wanted = self.timeout * self.share
            end = start + min(wanted, allowance.left())
            if problem := opened.send(asked.wire, located):
                raise Failure(*problem)
            while stray < _MOST_STRAY and (heard := opened.receive(end, located)):
                if isinstance(heard, Problem):
                    raise Failure(*heard)
                allowance.got(len(heard.data))
                reply = read(asked, heard.data, zone) if heard.source == located.peer else None
                if reply is not None:
                    elapsed = time.monotonic() - start
                    seconds = (heard.at - sent_at) / 1e9
                    return Exchanged(reply, seconds if 0 < seconds <= elapsed else elapsed)
                stray += 1
        raise _unanswered(stray, wanted)

    def _by_stream(
        self, address: str, asked: Question, zone: Name, allowance: Allowance
    ) -> Exchanged:
        allowance.ask()
        start, stray = time.monotonic(), 0
        deadline = Deadline(min(self.timeout, allowance.left()))
        target = Target(address, address, literal(address)[1])
        with connect(target, self.port, "", deadline) as stream:
            try:
                stream.send(len(asked.wire).to_bytes(2, "big") + asked.wire)
                while stray < _MOST_STRAY and (data := _message(stream)) is not None:
                    allowance.got(len(data))
                    if (reply := read(asked, data, zone)) is not None:
                        return Exchanged(reply, time.monotonic() - start)
                    stray += 1
            except Failure as error:
                if error.reason == "timeout":
                    raise _unanswered(stray, self.timeout) from error
                raise
        raise Failure("connect_reset", "the connection ended without an answer")


def _unanswered(stray: int, seconds: float) -> Failure:
    if stray:
        words = f"{stray} messages came, none an answer to the question"
        return Failure("dns_malformed", words)
    return Failure("dns_timeout", f"no answer within {seconds:.3g} s")


def _message(stream: Stream) -> bytes | None:
    """The next message of a stream, None at its end."""
    head = _exactly(stream, 2)
    return None if head is None else _exactly(stream, int.from_bytes(head, "big"))


def _exactly(stream: Stream, size: int) -> bytes | None:
    kept = bytearray()
    while len(kept) < size:
        got = stream.receive(size - len(kept))
        if not got:
            return None
        kept += got
    return bytes(kept)
