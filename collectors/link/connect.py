"""TCP connections with one deadline for all that happens on them, and what their failures mean.

ICMP errors that end a handshake are read from the socket's error queue (ip(7), IP_RECVERR; for TCP
since Linux 5.9): errno alone does not tell an administratively prohibited host from an absent one.
"""

from __future__ import annotations

import errno
import socket
import ssl
import struct
import time
from typing import Any, Final

from collectors.link import icmppacket
from collectors.link.refusals import REFUSALS
from collectors.link.resolve import AF
from collectors.model import Family, ProbeResult, Reason, Target

CHUNK: Final = 65536
_IP_RECVERR, _IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h
_FROM_ICMP = (2, 3)  # linux/errqueue.h: SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_EXTENDED = struct.Struct("IBBBBII")  # struct sock_extended_err

# What the system answers. EINVAL is a blackhole route; EACCES a prohibit route, EPERM the packet
# filter of this machine.
_REASONS: Final[dict[int, Reason]] = {
    **REFUSALS,
    errno.ETIMEDOUT: "timeout",
    errno.ECONNREFUSED: "connect_refused",
    errno.ECONNRESET: "connect_reset",
    errno.ECONNABORTED: "connect_reset",
    errno.EPIPE: "connect_reset",
    errno.ENOTCONN: "connect_reset",  # reset before anything was done with it
}


class Failure(Exception):
    """Why a probe has failed: a reason of the closed list, and words for people."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


class Deadline:
    """The end of a probe, whatever it does until then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left; raises Failure where there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> Failure:
        return Failure("timeout", f"no end within {self._seconds:.3g} s")


class Stream:
    """A connected socket, plain or TLS. Every call ends by the deadline and raises only Failure."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self.socket, self._deadline = connected, deadline

    def send(self, data: bytes) -> None:
        self.socket.settimeout(self._deadline.left())
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise failed(error, self._deadline) from error

    def receive(self, limit: int = CHUNK) -> bytes:
        """What has come, at most `limit` bytes; empty at the end."""
        self.socket.settimeout(self._deadline.left())
        try:
            return self.socket.recv(limit)
        except OSError as error:
            raise failed(error, self._deadline) from error

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def connect(target: Target, port: int, source: str, deadline: Deadline) -> Stream:
    """A connection to the target's address, from the address `source` where there is one."""
    family = AF[target.family]
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:  # of this machine: no more files, no such family
        raise failed(error, deadline) from error
    try:
        if family == socket.AF_INET:
            made.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        if source:
            _bind(made, source)
        made.settimeout(deadline.left())
        try:
            made.connect(_sockaddr(target.address, port, family))
        except OSError as error:
            raise _told_by_icmp(made, target) or failed(error, deadline) from error
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        made.close()
        raise failed(error, deadline) from error
    except Failure:
        made.close()
        raise
    return Stream(made, deadline)


def failed(error: OSError, deadline: Deadline) -> Failure:
    """An error of the system as a reason."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return deadline.passed()
    if isinstance(error, ssl.SSLError):
        return Failure("tls_handshake", _ssl_words(error))
    reason = _REASONS.get(error.errno or 0, "error")
    return Failure(reason, (error.strerror or str(error)).lower())


def result(
    prober: str,
    target: Target,
    start: float,
    phases: dict[str, float],
    failure: Failure | None,
    families: tuple[Family, ...] = (),
    rtt: str = "connect",
    answered: bool | None = None,
) -> ProbeResult:
    """The result of a probe that began at `start` (perf_counter); phase `rtt` is its round trip."""
    answered = failure is None if answered is None else answered
    return ProbeResult(
        target=target.name,
        address=target.address,
        family=target.family,
        prober=prober,
        sent=1,
        received=int(answered),
        rtts=(phases[rtt],) if answered and rtt in phases else (),
        reason=failure.reason if failure else "",
        duration=time.perf_counter() - start,
        detail=failure.detail if failure else "",
        phases=tuple(phases.items()),
        families=families,
    )


def _ssl_words(error: ssl.SSLError) -> str:
    """`WRONG_VERSION_NUMBER` as words; OpenSSL's own text has file names of its source in it."""
    return (error.reason or error.strerror or str(error)).replace("_", " ").lower()


def _bind(made: socket.socket, source: str) -> None:
    try:
        made.bind(_sockaddr(source, 0, made.family))
    except OSError as error:
        raise Failure("error", f"cannot send from {source}: {error.strerror}") from error


def _sockaddr(address: str, port: int, family: int) -> Any:
    """A literal address, perhaps with its device, as the kernel takes it."""
    rows = socket.getaddrinfo(
        address, port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )
    return rows[0][4]


def _told_by_icmp(made: socket.socket, target: Target) -> Failure | None:
    """The ICMP error that ended the handshake, if one did."""
    made.settimeout(0)
    try:
        _, ancillary, _, _ = made.recvmsg(0, 512, socket.MSG_ERRQUEUE)
    except OSError:  # none is there
        return None
    for level, kind, data in ancillary:
        ours = (level, kind) in (
            (socket.IPPROTO_IP, _IP_RECVERR),
            (socket.IPPROTO_IPV6, _IPV6_RECVERR),
        )
        if ours and len(data) >= _EXTENDED.size:
            _, origin, icmp_type, code, _, _, _ = _EXTENDED.unpack_from(data)
            if origin in _FROM_ICMP:
                reason = icmppacket.reason(target.family, icmp_type, code)
                return Failure(reason, f"ICMP type {icmp_type} code {code}")
    return None
