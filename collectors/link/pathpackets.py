"""The packets of traces: those sent, built by scapy, and what the answers say. Pure but for scapy.

Every packet of a `Flow` looks the same to a load balancer (the idea of Paris traceroute): addresses,
ports, the IPv6 flow label and the first words of ICMP, checksum included, are constant. What tells
the packets apart is elsewhere: the ICMP sequence number, the UDP checksum, the TCP sequence number.
Flows depend on target and seed only, so that the same one is seen the next time.

scapy builds one packet of a flow; the others differ in hop limit and index, patched in place.
Answers are parsed here: they quote headers cut short, as RFC 792, RFC 1812 4.3.2.3 and RFC 4443
allow, and must match to the bit. What does not parse is None, never an error: anybody can send it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import Final, Literal, NamedTuple

from collectors.link.icmppacket import header_length, number
from collectors.link.path import Method
from collectors.model import AddressFamily

PROTOCOL: Final[dict[tuple[Method, AddressFamily], int]] = {
    ("icmp", "ipv4"): 1,
    ("icmp", "ipv6"): 58,
    ("udp", "ipv4"): 17,
    ("udp", "ipv6"): 17,
    ("tcp", "ipv4"): 6,
    ("tcp", "ipv6"): 6,
}
PORTS: Final[dict[Method, int]] = {"icmp": 0, "udp": 33434, "tcp": 443}
# Source ports outside of the range that Linux gives to others.
_FIRST_PORT, _PORTS = 61000, 4500
HEADERS: Final[dict[AddressFamily, int]] = {"ipv4": 20, "ipv6": 40}
LEAST: Final[dict[AddressFamily, int]] = {"ipv4": 68, "ipv6": 1280}  # MTU, RFC 791 and RFC 8200
_TTL: Final[dict[AddressFamily, int]] = {"ipv4": 8, "ipv6": 7}
_REQUEST: Final[dict[AddressFamily, int]] = {"ipv4": 8, "ipv6": 128}
_REPLY: Final[dict[AddressFamily, int]] = {"ipv4": 0, "ipv6": 129}
UNREACHABLE: Final[dict[AddressFamily, int]] = {"ipv4": 3, "ipv6": 1}
_EXCEEDED: Final[dict[AddressFamily, int]] = {"ipv4": 11, "ipv6": 3}
_TOO_BIG = 2
_FRAGMENTATION_NEEDED = 4
TYPES: Final[dict[AddressFamily, tuple[int, ...]]] = {
    "ipv4": (0, 3, 11),
    "ipv6": (129, 1, 3, 2),
}

_PAYLOAD: Final[dict[Method, int]] = {"icmp": 32, "udp": 32, "tcp": 0}
_NONCE, _WORD = 8, 2
_TRANSPORT = 8  # bytes of ICMP echo and UDP headers, and what an error quotes at least
_SYN, _RST, _ACK = 2, 4, 16
_CHECKSUM: Final[dict[Method, int]] = {"icmp": 2, "udp": 6, "tcp": 16}

Kind = Literal["reply", "exceeded", "unreachable", "too_big"]


class Answer(NamedTuple):
    """A message about one of our packets, or the target's own. `peer` is the address the packet was
    sent to, `head` begins with the transport header that is quoted or, in a reply, received."""

    kind: Kind
    protocol: int
    peer: bytes
    head: bytes
    type: int = 0
    code: int = 0
    mtu: int = 0


class Flow:
    """Packets of one flow to one target; `indexes` of them at most, numbered from 0.

    `size` is that of the whole IP packet, with `whole` never to be cut up by a router (IPv6: always
    so). Off the path nobody knows the ports, the identifier and the ICMP checksum, which depend on
    the `seed`, nor where this trace begins to count: 16 bits at random (TCP: 32), and the nonce.
    """

    def __init__(
        self,
        method: Method,
        family: AddressFamily,
        source: str,
        destination: str,
        seed: bytes,
        number: int = 0,
        port: int = 0,
        indexes: int = 256,
        size: int = 0,
        whole: bool = False,
        start: bytes = b"",
    ) -> None:
        self.method, self.family, self.indexes = method, family, indexes
        self.port = port or PORTS[method]
        which = f"{method} {destination} {self.port} {number}".encode()
        chosen = hashlib.blake2b(which, key=seed[:64]).digest()
        self.label = 1 + int.from_bytes(chosen[:4], "big") % 0xFFFFF
        if method == "icmp":
            self.identifier = int.from_bytes(chosen[4:6], "big")
        else:
            first = int.from_bytes(chosen[4:8], "big")
            self.identifier = _FIRST_PORT + (first + number) % _PORTS
        self._fixed = 1 + int.from_bytes(chosen[8:12], "big") % 0xFFFD  # the ICMP checksum
        # what is drawn at random, or given to share it between flows
        self.start = start or os.urandom(4 + _NONCE)
        drawn = int.from_bytes(self.start[:4], "big")
        self._nonce = self.start[4:]
        if method == "icmp":
            self._base = drawn & 0xFFFF
        elif method == "udp":  # neither 0, which means no checksum, nor its double 0xffff
            self._base = 1 + drawn % (0xFFFE - indexes)
        else:
            self._base = drawn
        header = HEADERS[family]
        length = size - header - _TRANSPORT if size else _PAYLOAD[method]
        self._packet = self._build(source, destination, length, whole)
        self._length = len(self._packet) - header
        self._sum = struct.unpack_from("!H", self._packet, header + _CHECKSUM[method])[0]

    def _build(self, source: str, destination: str, length: int, whole: bool) -> bytes:
        """The packet of base 0, which the others are made from."""
        from scapy.layers.inet import ICMP, IP, TCP, UDP
        from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

        zeros = bytes(max(0, length - _NONCE))
        payload = self._nonce + zeros if length else b""
        match self.method:
            case "icmp" if self.family == "ipv4":
                upper = ICMP(id=self.identifier, seq=0) / payload
            case "icmp":
                upper = ICMPv6EchoRequest(id=self.identifier, seq=0, data=payload)
            case "udp":
                upper = UDP(sport=self.identifier, dport=self.port) / payload
            case "tcp":
                options = [("MSS", 1460 if self.family == "ipv4" else 1440)]
                upper = TCP(sport=self.identifier, dport=self.port, flags="S", options=options)
        destination = destination.partition("%")[0]
        if self.family == "ipv4":
            flags = "DF" if whole else 0
            return bytes(IP(src=source, dst=destination, id=0, flags=flags, ttl=1) / upper)
        return bytes(IPv6(src=source, dst=destination, fl=self.label, hlim=1) / upper)

    @property
    def protocol(self) -> int:
        return PROTOCOL[self.method, self.family]

    def packet(self, index: int, ttl: int) -> bytes:
        """The whole IP packet; the kernel adds the identification and header checksum of IPv4."""
        packet, at = bytearray(self._packet), HEADERS[self.family]
        packet[_TTL[self.family]] = ttl
        checksum = at + _CHECKSUM[self.method]
        balance = at + _TRANSPORT + _NONCE
        # ones' complement sums are numbers modulo 0xffff
        if self.method == "icmp":
            sequence = (self._base + index) & 0xFFFF
            struct.pack_into("!H", packet, at + 6, sequence)
            struct.pack_into("!H", packet, checksum, self._fixed)
            rest = (self._sum - sequence - self._fixed) % 0xFFFF
            struct.pack_into("!H", packet, balance, rest)
        elif self.method == "udp":
            wanted = self._base + index
            struct.pack_into("!H", packet, checksum, wanted)
            struct.pack_into("!H", packet, balance, (self._sum - wanted) % 0xFFFF)
        else:
            sequence = (self._base + index) & 0xFFFFFFFF
            struct.pack_into("!I", packet, at + 4, sequence)
            struct.pack_into("!H", packet, checksum, (self._sum - sequence) % 0xFFFF)
        return bytes(packet)

    def index(self, answer: Answer) -> int | None:
        """Which packet an answer is about, None where it is about none that was ever made."""
        head = answer.head
        if len(head) < _TRANSPORT:
            return None
        found = self._replied(head) if answer.kind == "reply" else self._quoted(head)
        return found if found is not None and 0 <= found < self.indexes else None

    def _quoted(self, head: bytes) -> int | None:
        if self.method == "tcp":
            source, port, sequence = struct.unpack_from("!HHI", head)
            if (source, port) != (self.identifier, self.port):
                return None
            return int(sequence - self._base) & 0xFFFFFFFF
        quoted = head[_TRANSPORT : _TRANSPORT + _NONCE]
        if quoted != self._nonce[: len(quoted)]:
            return None
        if self.method == "udp":
            source, port, length, checksum = struct.unpack_from("!HHHH", head)
            if (source, port, length) != (self.identifier, self.port, self._length):
                return None
            return int(checksum) - self._base
        kind, code, checksum, identifier, sequence = struct.unpack_from("!BBHHH", head)
        expected = (_REQUEST[self.family], 0, self._fixed, self.identifier)
        if (kind, code, checksum, identifier) != expected:
            return None
        return int(sequence - self._base) & 0xFFFF

    def _replied(self, head: bytes) -> int | None:
        if self.method == "tcp":
            port, source, _, acknowledged = struct.unpack_from("!HHII", head.ljust(12, b"\0"))
            if (source, port) != (self.identifier, self.port):
                return None
            return int(acknowledged - 1 - self._base) & 0xFFFFFFFF
        if (
            self.method == "udp"
        ):  # a datagram of its own making says nothing of which one it answers
            return None
        identifier, sequence = struct.unpack_from("!HH", head, 4)
        if identifier != self.identifier or head[_TRANSPORT:][:_NONCE] != self._nonce:
            return None
        return int(sequence - self._base) & 0xFFFF


Key = tuple[AddressFamily, int, bytes, int]


def key(family: AddressFamily, answer: Answer) -> Key | None:
    """What an answer and its flow have in common: protocol, peer, our port or identifier."""
    head, reply = answer.head, answer.kind == "reply"
    if len(head) < _TRANSPORT:
        return None
    echo = answer.protocol == PROTOCOL["icmp", family]
    at = 4 if echo else 2 if reply else 0
    return family, answer.protocol, answer.peer, int.from_bytes(head[at : at + 2], "big")


def parse_icmp(family: AddressFamily, source: bytes, message: bytes) -> Answer | None:
    """An ICMP message: an echo reply, or an error with what it quotes."""
    if len(message) < _TRANSPORT:
        return None
    if family == "ipv4" and number(message) % 0xFFFF:
        return None  # raw sockets get a message before its checksum has been looked at
    kind, code, _, pointer, mtu = struct.unpack_from("!BBHHH", message)
    if kind == _REPLY[family]:
        if code:
            return None
        return Answer("reply", PROTOCOL["icmp", family], source, message, kind, code)
    quoted = message[_TRANSPORT:]
    what: Kind
    if kind == _EXCEEDED[family] and code == 0:
        what, mtu = "exceeded", 0
    elif family == "ipv6" and kind == _TOO_BIG:
        what, mtu = "too_big", (pointer << 16) + mtu
    elif kind != UNREACHABLE[family]:
        return None
    elif family == "ipv4" and code == _FRAGMENTATION_NEEDED:
        what = "too_big"
    else:
        what, mtu = "unreachable", 0
    if family == "ipv4":
        length = header_length(quoted)
        if not length or int.from_bytes(quoted[6:8], "big") & 0x1FFF:
            return None  # no IPv4 packet, or a fragment other than the first
        return Answer(what, quoted[9], quoted[16:20], quoted[length:], kind, code, mtu)
    if len(quoted) < 40 or quoted[0] >> 4 != 6:
        return None
    return Answer(what, quoted[6], quoted[24:40], quoted[40:], kind, code, mtu)


def parse_tcp(source: bytes, segment: bytes) -> Answer | None:
    """The target's own answer to a SYN: SYN with ACK, or RST."""
    if len(segment) < 20 or not segment[13] & _ACK or not segment[13] & (_SYN | _RST):
        return None
    return Answer("reply", 6, source, segment)
