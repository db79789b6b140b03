"""Names to addresses of both families side by side: getaddrinfo(3), one look-up a family.

A family that has no address has a reason; it is never hidden behind the other one. getaddrinfo
cannot be interrupted, so look-ups run on a bounded number of daemon threads and are given up.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from collectors.model import AddressFamily, Reason

AF: Final[dict[AddressFamily, socket.AddressFamily]] = {
    "ipv4": socket.AF_INET,
    "ipv6": socket.AF_INET6,
}
_NAME = re.compile(r"(?=.{1,253}\.?$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.|$))+")
# getaddrinfo takes 127.1, 0x7f000001 and 2130706433 for addresses
_NUMBER = re.compile(r"(.*\.)?([0-9]+|0[xX][0-9a-fA-F]*)\.?")

Wanted = tuple[str, AddressFamily]


class NotAnAddress(ValueError):
    """Text that is no literal address."""


class Resolved(NamedTuple):
    """Addresses of one family in the order given, or the reason why there are none."""

    addresses: tuple[str, ...]
    seconds: float
    reason: Reason = ""
    detail: str = ""


def literal(text: str) -> tuple[str, AddressFamily]:
    """A literal address in its canonical form, with the `%device` it had; raises NotAnAddress."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise NotAnAddress(str(error)) from error
    return str(address), "ipv4" if address.version == 4 else "ipv6"


def ascii_name(text: str) -> str:
    """A name as DNS has it: an internationalised one by UTS 46, as browsers have it, which leaves
    faß.de and fass.de two names (RFC 5891); raises UnicodeError."""
    if text.isascii():
        return text
    import idna  # large tables, for few names

    return idna.encode(text, uts46=True).decode("ascii")


def valid_name(text: str) -> bool:
    """Whether a text is a DNS name, perhaps an internationalised one, and no number in disguise."""
    try:
        text = ascii_name(text)
    except UnicodeError:
        return False
    return bool(_NAME.fullmatch(text)) and not _NUMBER.fullmatch(text)


class Resolver:
    """Looks names up on `threads` threads. A look-up that hangs occupies one until it ends."""

    def __init__(self, threads: int = 16) -> None:
        self._threads = threads
        self._running = 0
        self._answered = threading.Condition()

    def resolve(self, wanted: Iterable[Wanted], timeout: float = 3.0) -> Mapping[Wanted, Resolved]:
        """Every name in every family wanted. A literal address is itself, in its own family.

        `timeout` in seconds is how long nothing at all may be answered.
        """
        found: dict[Wanted, Resolved] = {}
        waiting: deque[Wanted] = deque()
        for name, family in dict.fromkeys(wanted):
            known = _known(name, family)
            if known:
                found[name, family] = known
            else:
                waiting.append((name, family))
        asked = list(waiting)
        start = time.perf_counter()
        with self._answered:
            threads = min(len(asked), self._threads - self._running)
            for _ in range(threads):
                threading.Thread(
                    target=self._work, args=(waiting, found), name="resolve", daemon=True
                ).start()
                self._running += 1
            total = len(found) + len(asked)
            while threads > 0 and len(found) < total and self._more(found, timeout):
                pass
            waiting.clear()
            late = Resolved((), time.perf_counter() - start, "dns_timeout", "no answer in time")
            answers = {**dict.fromkeys(asked, late), **found}
        return {one: _side_by_side(answers, one) for one in answers}

    def _more(self, found: Mapping[Wanted, Resolved], timeout: float) -> bool:
        """Wait for one more answer; False if none came in time."""
        known = len(found)
        return self._answered.wait_for(lambda: len(found) > known, timeout)

    def _work(self, waiting: deque[Wanted], found: dict[Wanted, Resolved]) -> None:
        while True:
            with self._answered:
                if not waiting:
                    self._running -= 1
                    return
                one = waiting.popleft()
            answer = self.look_up(*one)
            with self._answered:
                found[one] = answer
                self._answered.notify_all()

    def look_up(self, name: str, family: AddressFamily) -> Resolved:
        """One look-up, which may hang."""
        start = time.perf_counter()
        reason: Reason
        try:
            rows = socket.getaddrinfo(ascii_name(name), None, AF[family], socket.SOCK_STREAM)
        except socket.gaierror as error:
            if error.errno == socket.EAI_NONAME:
                reason = "dns_nxdomain"
            elif error.errno in (socket.EAI_NODATA, socket.EAI_ADDRFAMILY):
                reason = "no_address"
            else:
                reason = "dns_error"
            return Resolved((), time.perf_counter() - start, reason, error.strerror or str(error))
        except (OSError, UnicodeError) as error:
            return Resolved((), time.perf_counter() - start, "dns_error", str(error))
        addresses = tuple(dict.fromkeys(str(row[4][0]) for row in rows))
        return Resolved(addresses, time.perf_counter() - start)


def time_to_live(name: str, family: AddressFamily, timeout: float = 3.0) -> float | None:
    """For how many seconds the name servers say that an address of a name may be kept; None where
    they say nothing (a name of /etc/hosts, no such record, no answer)."""
    import dns.exception
    import dns.resolver

    try:
        found = dns.resolver.resolve(
            name, "A" if family == "ipv4" else "AAAA", search=True, lifetime=timeout
        )
    except (dns.exception.DNSException, OSError, UnicodeError):
        return None
    return float(found.rrset.ttl) if found.rrset else None


def _known(name: str, family: AddressFamily) -> Resolved | None:
    """The answer where nobody needs to be asked."""
    try:
        address, own = literal(name)
    except NotAnAddress:
        return None if valid_name(name) else Resolved((), 0.0, "dns_error", "is no DNS name")
    if own != family:
        return Resolved((), 0.0, "no_address", f"is an {own} address")
    return Resolved((address,), 0.0)


def _side_by_side(answers: Mapping[Wanted, Resolved], one: Wanted) -> Resolved:
    """A name that the other family has does exist, whatever getaddrinfo says of this one."""
    name, family = one
    other = answers.get((name, "ipv4" if family == "ipv6" else "ipv6"))
    if answers[one].reason == "dns_nxdomain" and other and other.addresses:
        return answers[one]._replace(reason="no_address")
    return answers[one]
