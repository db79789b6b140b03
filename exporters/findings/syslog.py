"""Messages for syslog receivers: RFC 5424 over TLS (RFC 5425), TCP (RFC 6587, octet counting) and UDP
(RFC 5426).

Syslog has no acknowledgement. Over TLS and TCP a batch has a connection of its own: when it is sent it is held
open for a moment, in which a receiver that dies is seen to; then our side is closed, and only when the receiver has
closed its own, after it read everything before, the batch counts as taken. What a receiver read and lost later is
beyond that. Over UDP only a port that nobody listens on is noticed.
"""

from __future__ import annotations

import fcntl
import socket
import ssl
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from typing import Final

from exporters.findings.delivery import SinkError, context, told
from exporters.findings.settings import CefSettings, Facility, endpoint
from exporters.findings.told import CLOSED, Told
from rules.model import Severity

APP: Final = "jianwei"
MSGID: Final = "finding"
MAX_STREAM: Final = 8192  # bytes: RFC 5425, 4.3.1, what receivers should take
MAX_DATAGRAM: Final = 2048  # RFC 5426, 3.2, the same
STREAM_BATCH: Final = 1000
DATAGRAM_BATCH: Final = 200
HOLD: Final = 1.0  # seconds that a receiver has to be seen dying
PACE: Final = 0.001  # seconds between datagrams: a receiver's buffer holds few
_FACILITY: Final[Mapping[Facility, int]] = {
    "user": 1,
    "daemon": 3,
    "auth": 4,
    "authpriv": 10,
    "local0": 16,
    "local1": 17,
    "local2": 18,
    "local3": 19,
    "local4": 20,
    "local5": 21,
    "local6": 22,
    "local7": 23,
}
_SEVERITY: Final[Mapping[Severity, int]] = {
    "critical": 2,
    "high": 3,
    "medium": 4,
    "low": 5,
    "info": 6,
}
_INFORMATIONAL: Final = 6


def message(told: Told, text: str, facility: Facility) -> bytes:
    """A message of RFC 5424 without its framing. No byte order mark: parsers of CEF want it first."""
    severity = _INFORMATIONAL if told.activity == CLOSED else _SEVERITY[told.severity]
    when = told.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    kept = "".join(c for c in told.host.name or told.host.id if "!" <= c <= "~")[:255]
    header = f"<{8 * _FACILITY[facility] + severity}>1 {when} {kept or '-'} {APP} - {MSGID} -"
    return f"{header} {text}".encode()


def cut(body: bytes, most: int) -> bytes:
    """The body in at most so many bytes, with no half character or escape at its end."""
    if len(body) <= most:
        return body
    short = body[:most].decode("utf-8", "ignore")
    slashes = len(short) - len(short.rstrip("\\"))
    return (short[:-1] if slashes % 2 else short).encode()


class StreamSink:
    """TLS or TCP."""

    batch = STREAM_BATCH

    def __init__(self, settings: CefSettings, hold: float = HOLD) -> None:
        self._where = endpoint(settings.address)
        self._settings, self._hold = settings, hold
        self._socket: socket.socket | None = None
        self._ended = False

    def send(self, bodies: Sequence[bytes]) -> None:
        frames = (cut(body, MAX_STREAM) for body in bodies)
        content = b"".join(b"%d %s" % (len(frame), frame) for frame in frames)
        where = f"syslog {self._settings.address}"
        try:
            self._socket = self._connected()
            try:
                self._socket.sendall(content)
                self._hold_open(self._socket)
                self._until_closed(self._socket)
            finally:
                self._socket.close()
                self._socket = None
        except OSError as error:  # first: what is wrong with a certificate is a ValueError too
            raise SinkError(f"{where}: {told(error)}") from error
        except ValueError as error:
            raise SinkError(f"{where}: {error}") from error

    def close(self) -> None:
        self._ended = True
        if current := self._socket:
            # a thread that waits for it wakes up; it may have closed it by now
            try:
                socket.socket.shutdown(current, socket.SHUT_RDWR)
            except OSError:
                return

    def _connected(self) -> socket.socket:
        seconds = float(self._settings.timeout)
        host, _ = self._where
        # read anew each time: certificates are renewed while the agent runs
        tls = context(self._settings) if self._settings.transport == "tls" else None
        plain = socket.create_connection(self._where, seconds)
        try:
            # half-open connections: what is not acknowledged in time is an error
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1000 * seconds))
            if self._ended:
                raise ConnectionAbortedError("the agent ends")
            if tls is None:
                return plain
            return tls.wrap_socket(plain, server_hostname=self._settings.server_name or host)
        except BaseException:
            plain.close()
            raise

    def _hold_open(self, connection: socket.socket) -> None:
        """Until all is acknowledged by the receiver's kernel, and a moment more."""
        start = time.monotonic()
        deadline = start + self._settings.timeout
        while time.monotonic() < start + self._hold or _unacknowledged(connection):
            if time.monotonic() > deadline + self._hold:
                raise TimeoutError
            _still_open(connection)
            time.sleep(0.02)
        _still_open(connection)

    def _until_closed(self, connection: socket.socket) -> None:
        """Close our side, and wait until the receiver, who reads that last, closes its own."""
        connection.settimeout(float(self._settings.timeout))
        if isinstance(connection, ssl.SSLSocket):
            try:
                rest = connection.unwrap()
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return  # closed without a close_notify of its own
            except OSError as error:
                if error.errno == 0:  # how OpenSSL may tell the same
                    return
                raise
            connection = rest
        connection.shutdown(socket.SHUT_WR)
        deadline = time.monotonic() + self._settings.timeout
        while connection.recv(4096):
            if time.monotonic() > deadline:
                raise TimeoutError


class DatagramSink:
    """UDP: nothing tells what arrived."""

    batch = DATAGRAM_BATCH

    def __init__(self, settings: CefSettings) -> None:
        self._where = endpoint(settings.address)
        self._address = settings.address

    def send(self, bodies: Sequence[bytes]) -> None:
        try:
            found = socket.getaddrinfo(*self._where, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, where = found[0]
            with socket.socket(family, kind, protocol) as connection:
                connection.connect(where)
                for body in bodies:
                    connection.send(cut(body, MAX_DATAGRAM))
                    time.sleep(PACE)
                connection.settimeout(0.2)
                try:
                    connection.recv(1)  # raises what ICMP told of the last ones
                except TimeoutError:
                    return
        except OSError as error:
            raise SinkError(f"syslog {self._address} (UDP): {told(error)}") from error

    def close(self) -> None:
        """It never waits for long."""


def _unacknowledged(connection: socket.socket) -> int:
    """Bytes in the socket that the peer's kernel has not acknowledged: tcp(7), SIOCOUTQ."""
    found: int = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0]
    return found


def _still_open(connection: socket.socket) -> None:
    """Raises OSError where the receiver has closed the connection or is gone."""
    seconds = connection.gettimeout()
    connection.setblocking(False)
    try:
        while connection.recv(4096):
            pass  # no receiver of syslog answers; whatever it says is no acknowledgement
    except (BlockingIOError, ssl.SSLWantReadError):
        return
    finally:
        connection.settimeout(seconds)
    raise ConnectionResetError("the receiver closed the connection before it had everything")
