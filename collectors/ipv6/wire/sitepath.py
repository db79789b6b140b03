"""The way to a site over IPv6: how large packets may be, which ICMPv6 passes, extension headers.

The path MTU is that of `jianwei path` (RFC 8201).
ICMPv6 that must pass (RFC 4890, 4.3.1) is asked for: each type by what makes the site, or a router on
the way, send it. Silence counts only from a site that answers something, TCP included, and only
after several tries.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from collectors.ipv6.model import (
    ExtensionHeader,
    IcmpType,
    NotTested,
    Site,
    SitePath,
    not_tested,
    site_fact,
)
from collectors.ipv6.wire.asking import (
    DESTINATION,
    EXCEEDED,
    HOP_BY_HOP,
    NONCE,
    PROBLEM,
    REPLY,
    TOO_BIG,
    UNREACHABLE,
    Asked,
    Heard,
    Maker,
)
from collectors.ipv6.wire.asksocket import Asker, Question, Route, nonce, route
from collectors.link.connect import Deadline, Failure
from collectors.link.path import Hop, Path
from collectors.link.pathjob import TraceOptions
from collectors.link.pathsocket import device_mtu, locate
from collectors.link.traceroute import Tracer
from collectors.model import Fact, Target

_SEED = b"jianwei ipv6"
_FIRST_PORT, _PORTS = 40000, 20000  # of UDP, where nobody is likely to listen
_TCP_WAIT = 2.0  # seconds

ECHO, CLOSED, UNKNOWN, OPTION = "echo", "closed port", "next header 253", "option 0x9e"
# name of the fact's row → what asks for it
HEADERS: Final[dict[str, Callable[[Maker, bytes], Asked]]] = {
    "destination options": lambda maker, drawn: maker.padded(DESTINATION, drawn),
    "hop-by-hop options": lambda maker, drawn: maker.padded(HOP_BY_HOP, drawn),
    "atomic fragment": lambda maker, drawn: maker.fragments(1, drawn),
    "two fragments": lambda maker, drawn: maker.fragments(2, drawn),
    "segment routing": lambda maker, drawn: maker.segments(drawn),
}
PATH_FACTS: Final = ("site_path", "site_icmpv6", "site_extension_headers")


class _Seen(NamedTuple):
    """All that packets of ours told."""

    route: Route
    path: Path
    heard: dict[str, list[Heard]]
    alive: bool  # whether the site answered anything at all

    def answered(self, name: str) -> bool:
        """The trace is made of echoes, too."""
        plain = name == ECHO and self.path.reached
        return plain or any(one.type == REPLY for one in self.heard[name])


def check_path(site: Site, address: str, deadline: Deadline) -> list[Fact]:
    """The facts `PATH_FACTS` of one IPv6 address of a site."""
    why, detail = "", ""
    seen: _Seen | None = None
    try:
        seen = _look(site, address, deadline)
    except PermissionError:
        why, detail = "permission", "needs CAP_NET_RAW"
    except Failure as failure:
        why, detail = "budget", failure.detail
    except OSError as error:
        unrouted = error.errno in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
        why, detail = "no_ipv6_here" if unrouted else "error", error.strerror or str(error)
    if seen is None:
        return [not_tested(name, _word(why), detail) for name in PATH_FACTS]
    return [_path(seen), site_fact("site_icmpv6", _types(seen)), _headers(seen)]


def _word(why: str) -> NotTested:
    words: dict[str, NotTested] = {
        "permission": "permission",
        "budget": "budget",
        "no_ipv6_here": "no_ipv6_here",
    }
    return words.get(why, "error")


def _look(site: Site, address: str, deadline: Deadline) -> _Seen:
    place = locate(Target(site.host, address, "ipv6"))
    with Asker(place) as asker:  # before all that takes time: may we at all?
        way = route(place, device_mtu)
        deadline.left()
        path = _trace(site, address, way, deadline)
        questions = _questions(Maker(place.source, address))
        heard = asker.ask(questions, _enough, deadline.left, seldom=HEADERS)
    alive = path.reached or any(
        one.source == place.destination[0] for found in heard.values() for one in found
    )
    return _Seen(way, path, heard, alive or _takes_tcp(place.destination, site.port, deadline))


def _trace(site: Site, address: str, way: Route, deadline: Deadline) -> Path:
    """The way with its MTU. What a lost packet would make look bad is looked at once more: no router
    heard, no answer to large echoes, a black hole."""
    target = Target(site.host, address, "ipv6")

    def look() -> Path:
        options = TraceOptions(seed=_SEED, mtu=True, limit=deadline.left())
        path = Tracer(options).trace([target])[0]
        deadline.left()  # else it was cut
        return path

    path = look()
    heard = not way.gateway or _routers(path)
    if not heard or path.mtu_black_hole or (path.reached and path.mtu is None):
        path = better(path, look())
    return path


def better(one: Path, other: Path) -> Path:
    """Of two looks at one way what each saw: loss hides routers and makes packets look too large."""
    way = one if _routers(one) and not (other.reached and _routers(other)) else other
    reached = one.reached or other.reached
    if reached and not way.reached:  # the last hop is the target's
        hops = (*way.hops, Hop(len(way.hops) + 1))
        way = msgspec.structs.replace(way, hops=hops, reached=True)
    sizes = [path for path in (other, one) if path.mtu is not None]
    if not sizes:
        return way
    largest = max(path.mtu or 0 for path in sizes)
    known = [path for path in sizes if path.mtu == largest]
    return msgspec.structs.replace(
        way,
        mtu=largest,
        mtu_black_hole=all(path.mtu_black_hole for path in known),
        mtu_source=next((path.mtu_source for path in known if path.mtu_source), ""),
    )


def _questions(maker: Maker) -> dict[str, Question]:
    def closed() -> Asked:
        drawn = nonce(NONCE)
        return maker.datagram(_FIRST_PORT + int.from_bytes(drawn[1:3], "big") % _PORTS, drawn)

    questions: dict[str, Question] = {
        ECHO: lambda: maker.echo(nonce(NONCE)),
        CLOSED: closed,
        UNKNOWN: lambda: maker.unknown_header(nonce(NONCE)),
        OPTION: lambda: maker.unknown_option(nonce(NONCE)),
    }
    for name, make in HEADERS.items():
        questions[name] = _bound(make, maker)
    return questions


def _bound(make: Callable[[Maker, bytes], Asked], maker: Maker) -> Question:
    return lambda: make(maker, nonce(2 * NONCE))


def _enough(name: str, one: Heard) -> bool:
    """Whether what was heard is what was asked for; anything else may still be followed by it."""
    if name == CLOSED:
        return one.type == UNREACHABLE
    if name in (UNKNOWN, OPTION):
        return one.type == PROBLEM and one.code == (1 if name == UNKNOWN else 2)
    return one.type == REPLY


def _takes_tcp(destination: tuple[object, ...], port: int, deadline: Deadline) -> bool:
    """Whether TCP is answered at the site's port, be it with a refusal."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as asking:
        asking.settimeout(min(_TCP_WAIT, deadline.left()))
        try:
            asking.connect((destination[0], port, *destination[2:]))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return True


# --- what it means


def _routers(path: Path) -> tuple[str, ...]:
    """Who said that the hop limit was used up."""
    hops = path.hops[:-1] if path.reached else path.hops
    return tuple(address for hop in hops if not hop.reason for address in hop.addresses)


def _path(seen: _Seen) -> Fact:
    path = seen.path
    if path.mtu is None:
        return not_tested("site_path", "no_answer", "the target answers no echo")
    hole = "larger packets vanish without a word" if path.mtu_black_hole else ""
    found = SitePath(path.mtu, seen.route.mtu, path.mtu_black_hole, path.mtu_source, hole)
    return site_fact("site_path", found)


def _types(seen: _Seen) -> list[IcmpType]:
    return [
        _asked(seen, CLOSED, UNREACHABLE, 4, "destination unreachable"),
        _too_big(seen),
        _exceeded(seen),
        _asked(seen, UNKNOWN, PROBLEM, 1, "parameter problem: next header"),
        _asked(seen, OPTION, PROBLEM, 2, "parameter problem: option"),
        _asked(seen, ECHO, 128, 0, "echo request"),
        _asked(seen, ECHO, REPLY, 0, "echo reply"),
    ]


def _asked(seen: _Seen, question: str, kind: int, code: int, name: str) -> IcmpType:
    found = seen.heard[question]
    right = [one for one in found if _enough(question, one)]
    if right:
        detail = f"type {right[0].type} code {right[0].code} from {right[0].source}"
        return IcmpType(kind, code, name, True, detail)
    if question == ECHO and seen.answered(ECHO):
        return IcmpType(kind, code, name, True, "echoes of the trace were answered")
    if not seen.alive:
        return IcmpType(kind, code, name, None, "the site answers nothing at all")
    if question == ECHO:
        return IcmpType(kind, code, name, False, "the site is there, and no echo came back")
    # a filter that drops what asks for the error is not one that drops the error: who knows
    words = f"silence on {question}: filtered, or what asks for it is"
    if found:
        words += f" (only type {found[0].type} code {found[0].code} from {found[0].source})"
    return IcmpType(kind, code, name, None, words, silent=True)


def _too_big(seen: _Seen) -> IcmpType:
    path, name = seen.path, "packet too big"
    if path.mtu is None:
        return IcmpType(TOO_BIG, 0, name, None, "the target answers no echo")
    if path.mtu_black_hole:
        words = f"packets above {path.mtu} bytes vanish without a word"
        return IcmpType(TOO_BIG, 0, name, False, words)
    if path.mtu_source:
        return IcmpType(TOO_BIG, 0, name, True, f"{path.mtu} from {path.mtu_source}")
    return IcmpType(TOO_BIG, 0, name, None, "the way is as wide as the link")


def _exceeded(seen: _Seen) -> IcmpType:
    path, name = seen.path, "time exceeded"
    routers = _routers(path)
    if routers:
        return IcmpType(EXCEEDED, 0, name, True, f"from {', '.join(dict.fromkeys(routers[:4]))}")
    if not seen.route.gateway or (path.reached and len(path.hops) <= 1):
        return IcmpType(EXCEEDED, 0, name, None, "no router is on the way")
    if not seen.alive:
        return IcmpType(EXCEEDED, 0, name, None, "nobody on the way answers")
    return IcmpType(EXCEEDED, 0, name, False, "no router on the way said so")


def _headers(seen: _Seen) -> Fact:
    """Without an answer to a plain echo there is nothing to compare with."""
    if not seen.answered(ECHO):
        return not_tested(
            "site_extension_headers", "no_answer", "the target answers no plain echo either"
        )
    rows: Sequence[ExtensionHeader] = [
        ExtensionHeader(name, seen.answered(name), _only(seen.heard[name])) for name in HEADERS
    ]
    return site_fact("site_extension_headers", rows)


def _only(found: Sequence[Heard]) -> str:
    for one in found:
        if one.type != REPLY:
            return f"type {one.type} code {one.code} from {one.source}"
    return ""
