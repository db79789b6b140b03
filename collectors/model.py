"""The types that everything hangs on: what is read, what was answered, and what is made of it.

A `Reading` says what is to be read and does no I/O. A `Source` answers readings. A `Collector`
declares readings and turns their answers into metric families and facts; it is pure. A `Prober`
sends packets and returns one `ProbeResult` for each target.

Metric conventions follow the Prometheus text format 0.0.4 and OpenMetrics 1.0.0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, Protocol, TypeVar

import msgspec

MEBIBYTE = 1 << 20

# --- readings ---------------------------------------------------------------------------------


class File(msgspec.Struct, frozen=True, tag="file"):
    """The bytes of one file; `limit` bytes at most, a longer file is a failed answer.

    `masked`: a text that may hold passwords, of which only what is around them leaves the host:
    secretwords.py.
    """

    path: str
    limit: int = 4 * MEBIBYTE
    masked: bool = False


class Glob(msgspec.Struct, frozen=True, tag="glob"):
    """Many files: those matching `pattern` or, with `names`, these names under each match.

    The pattern knows `*`, `?` and `[…]` inside one path component. The answer has `children`.
    A name, which may be a path, that does not exist under a match is left out; a match that cannot
    be read is not.
    With `certificates`, of each file only its PEM certificates: keys are left where they are.
    `masked` as of a File.
    """

    pattern: str
    names: tuple[str, ...] = ()
    limit: int = MEBIBYTE
    certificates: bool = False
    masked: bool = False


class Stat(msgspec.Struct, frozen=True, tag="stat"):
    """Kind, mode and owner of the paths matching `pattern`: rows of `FileStat`."""

    pattern: str


class Command(msgspec.Struct, frozen=True, tag="command"):
    """Standard output of a fixed argv, run without a shell, with LC_ALL=C and a fixed PATH.

    Exit status other than those in `ok` is a failed answer; a missing program is absent.
    `timeout` is in seconds, `limit` in bytes. `errors`: with its standard error, which is not for
    hosts over SSH.
    """

    argv: tuple[str, ...]
    timeout: float = 10.0
    limit: int = 4 * MEBIBYTE
    ok: tuple[int, ...] = (0,)
    errors: bool = False


class MountUsage(msgspec.Struct, frozen=True, tag="mounts"):
    """Size and inodes of every mounted file system: rows of `Mount`.

    The two regular expressions (RE2 syntax) name what is not to be touched at all.
    A mount that does not answer in time is a row with `error`, and costs no other mount.
    """

    exclude_types: str = ""
    exclude_points: str = ""


InventoryKind = Literal[
    "sockets", "listeners", "processes", "shadow", "authorized_keys", "uname", "clock", "timex"
]


class Inventory(msgspec.Struct, frozen=True, tag="inventory"):
    """Something the system tells by a call rather than a file.

    sockets: rows of `Socket`. listeners: those that listen, without their processes, at a fraction
    of the cost. processes: rows of `Process`. shadow: rows of `ShadowEntry`, the hashes reduced at
    the source. authorized_keys: rows of `AuthorizedKey`, the keys likewise. uname, clock, timex: one row of `Uname`, `Clock`, `Timex`.
    """

    kind: InventoryKind


class Walk(msgspec.Struct, frozen=True, tag="walk"):
    """A walk over whole file systems, from each of `roots` and never into another file system:
    one row of `Walked`. Links are not followed, `exclude` and what is below it is left out.

    It ends after `entries` or `seconds`, and goes on `after` where an earlier one has ended.
    """

    roots: tuple[str, ...] = ("/",)
    exclude: tuple[str, ...] = ()
    after: str = ""
    entries: int = 20_000_000
    seconds: float = 600.0


class Handshakes(msgspec.Struct, frozen=True, tag="handshakes"):
    """What the listening TCP sockets of this machine say to a TLS client: rows of `TlsListener`.

    The only reading that sends anything: a few handshakes with each, to addresses of this machine
    and no other. Another machine is never asked. `timeout` seconds for one handshake, `deadline` for
    all; `workers` at once, `most` listeners, none of `exclude_ports`.
    """

    timeout: float = 1.0
    deadline: float = 60.0
    workers: int = 8
    most: int = 200
    exclude_ports: tuple[int, ...] = ()


Reading = File | Glob | Stat | Command | MountUsage | Inventory | Walk | Handshakes


# --- answers ------------------------------------------------------------------------------------

State = Literal["content", "absent", "denied", "failed"]
Row = TypeVar("Row")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a source says to one reading. Absent and denied are different facts, neither a pass."""

    state: State
    content: bytes = b""
    reason: str = ""
    children: tuple[tuple[str, Answer], ...] = ()


class ParseError(ValueError):
    """Bytes that are not in the format they should have: the only error a parser raises. `code` is
    as that of Unavailable."""

    code = ""


class Unavailable(Exception):
    """A reading that has no content. `code` is a word for why, of those that reports have words for:
    permission, no_program, error; without one it is the answer's state."""

    def __init__(self, reading: Reading, answer: Answer, code: str = "") -> None:
        super().__init__(f"{describe(reading)}: {answer.reason or answer.state}")
        self.reading = reading
        self.state = answer.state
        self.code = code


class NeedMore(Exception):
    """Raised by `Collector.parse`: what was read names more to read (an Include directive)."""

    def __init__(self, *readings: Reading) -> None:
        super().__init__(", ".join(describe(r) for r in readings))
        self.readings = readings


class Answers:
    """The answers to a collector's readings; every accessor raises `Unavailable` without content."""

    __slots__ = ("_by_reading",)

    def __init__(self, by_reading: Mapping[Reading, Answer]) -> None:
        self._by_reading = by_reading

    def answer(self, reading: Reading) -> Answer:
        """The answer itself, whatever its state; `NeedMore` where nobody has asked yet."""
        try:
            return self._by_reading[reading]
        except KeyError:
            raise NeedMore(reading) from None

    def asked(self, reading: Reading) -> bool:
        """Whether it was asked for already, whatever came of it."""
        return reading in self._by_reading

    def content(self, reading: Reading) -> bytes:
        answer = self.answer(reading)
        if answer.state != "content":
            raise Unavailable(reading, answer)
        return answer.content

    def text(self, reading: Reading) -> str:
        return self.content(reading).decode("utf-8", "replace")

    def maybe(self, reading: Reading) -> str | None:
        """The text, or None where it is absent; denied and failed still raise."""
        answer = self.answer(reading)
        return None if answer.state == "absent" else self.text(reading)

    def children(self, reading: Glob) -> dict[str, Answer]:
        """Answers of a glob by path, each with a state of its own."""
        self.content(reading)
        return dict(self.answer(reading).children)

    def texts(self, reading: Glob) -> dict[str, str]:
        """Stripped texts of a glob by path; what is absent or failed is left out.

        sysfs attributes answer EINVAL where they have no value, hence failed is left out too.
        """
        self.content(reading)
        return {
            path: child.content.decode("utf-8", "replace").strip()
            for path, child in self.answer(reading).children
            if child.state == "content"
        }

    def rows(self, reading: Reading, row: type[Row]) -> list[Row]:
        """The rows of a structured answer."""
        with malformed(describe(reading)):
            return _rows_of(row).decode(self.content(reading))  # type: ignore[arg-type]  # a class is hashable


@functools.cache
def _rows_of(row: Any) -> msgspec.json.Decoder[list[Any]]:
    return msgspec.json.Decoder(list[row])


class malformed:
    """Turn the errors that odd input causes in plain parsing code into `ParseError`."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError | IndexError | KeyError | OverflowError) and not isinstance(
            error, ParseError
        ):
            raise ParseError(f"{self._what}: {error}") from error


def describe(reading: Reading) -> str:
    """A reading in words, for people: `/proc/stat`, `sshd -T`, `mounts`."""
    match reading:
        case File(path=path):
            return path
        case Glob(pattern=pattern, names=names, certificates=certificates):
            what = "certificates of " if certificates else ""
            return what + pattern + (f"/{{{','.join(names)}}}" if names else "")
        case Stat(pattern=pattern):
            return f"stat {pattern}"
        case Command(argv=argv):
            return " ".join(argv)
        case MountUsage():
            return "mounts"
        case Inventory(kind=kind):
            return kind
        case Walk():
            return "walk over local file systems"
        case Handshakes():
            return "TLS handshakes with own listeners"


# --- metrics (gc=False: there are many, and none is part of a cycle) -----------------------------

Kind = Literal["counter", "gauge", "untyped", "histogram", "summary"]
Labels = tuple[tuple[str, str], ...]


class Sample(msgspec.Struct, frozen=True, gc=False):
    """One value. `suffix` (`_bucket`, `_sum`, `_count`) follows the family's name."""

    labels: Labels
    value: float
    suffix: str = ""


class Family(msgspec.Struct, frozen=True, gc=False):
    """One metric family. Counters carry `_total` in `name`, as in the text format."""

    name: str
    kind: Kind
    help: str
    samples: Sequence[Sample]


def sample(value: float, **labels: str) -> Sample:
    """A sample with labels in the order given."""
    return Sample(tuple(labels.items()), value)


def counter(name: str, help: str, *samples: Sample) -> Family:
    return Family(name, "counter", help, samples)


def gauge(name: str, help: str, *samples: Sample) -> Family:
    return Family(name, "gauge", help, samples)


def untyped(name: str, help: str, *samples: Sample) -> Family:
    return Family(name, "untyped", help, samples)


# --- facts --------------------------------------------------------------------------------------


UNAVAILABLE: Final = "unavailable"  # the one key of what stands for a value: why there is none


class Fact(msgspec.Struct, frozen=True):
    """Something judged by rules: JSON-like `value` under `name`.

    `sources` says where parts of it come from: key (or "" for all) → "path:line".
    Rows of a list carry their own `source`. `unavailable` says why there is no value.
    """

    name: str
    value: Any
    sources: Mapping[str, str] = {}
    unavailable: str = ""


class Collector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frozen struct whose fields are its settings. Pure: no I/O in any method.

    `facts` names the facts it supplies, so that rules find the collectors they need.
    """

    name: ClassVar[str]
    facts: ClassVar[tuple[str, ...]] = ()

    def readings(self) -> Sequence[Reading]:
        """What is to be read. Asked once."""
        raise NotImplementedError

    def parse(self, answers: Answers) -> Iterable[Family | Fact]:
        """Families and facts; raises ParseError, Unavailable or NeedMore and nothing else."""
        raise NotImplementedError


class Source(Protocol):
    """Where readings are answered. Every reading asked has an answer."""

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]: ...


# --- probes -------------------------------------------------------------------------------------

AddressFamily = Literal["ipv4", "ipv6"]
Reason = Literal[
    "",
    "dns_nxdomain",
    "dns_timeout",
    "dns_error",
    "dns_rcode",
    "dns_answer",
    "dns_truncated",
    "dns_malformed",
    "no_address",
    "not_allowed",
    "timeout",
    "unreachable_network",
    "unreachable_host",
    "unreachable_port",
    "unreachable_admin",
    "ttl_exceeded",
    "no_route",
    "permission",
    "connect_refused",
    "connect_reset",
    "tls_handshake",
    "tls_expired",
    "tls_not_yet_valid",
    "tls_name_mismatch",
    "tls_untrusted",
    "tls_missing",
    "tls_unwanted",
    "http_status",
    "http_version",
    "http_redirect",
    "http_protocol",
    "header_mismatch",
    "body_mismatch",
    "body_too_large",
    "response_mismatch",
    "stamp_malformed",
    "stamp_authentication",
    "error",
]


class Target(msgspec.Struct, frozen=True):
    """What is probed: a label for people, and the literal address of one family.

    `text` is the target as it was asked for: a URL, `host:port`, a name; empty where the address
    says it all. `host` is the name in it, for TLS and HTTP; `port` is 0 where there is none.
    """

    name: str
    address: str
    family: AddressFamily
    port: int = 0
    host: str = ""
    text: str = ""


class ProbeResult(msgspec.Struct, frozen=True):
    """One round of probes of one target in one family; times in seconds.

    `success` means that an answer came and is as it should be; `reason` is empty on success. `late`
    and `duplicates` are answers beyond those received. `mode` says how the packets were sent.
    `phases` are the parts of `duration` by name. `families` are what else the prober saw, under
    blackbox_exporter's names and without a label for the target.
    """

    target: str
    address: str
    family: AddressFamily
    prober: str
    sent: int
    received: int
    rtts: tuple[float, ...]
    reason: Reason
    duration: float
    detail: str = ""
    hop_limit: int | None = None
    late: int = 0
    duplicates: int = 0
    mode: str = ""
    phases: tuple[tuple[str, float], ...] = ()
    families: tuple[Family, ...] = ()

    @property
    def success(self) -> bool:
        return self.received > 0 and not self.reason

    @property
    def loss(self) -> float:
        """Share of the probes sent that were not answered, 0 to 1; 1 where none could be sent."""
        return 1 - self.received / self.sent if self.sent else 1.0


Watch = Callable[[list[ProbeResult]], None]


class Prober(Protocol):
    """Sends packets from this machine, one round for each target."""

    name: ClassVar[str]

    def probe(self, targets: Sequence[Target], watch: Watch | None = None) -> list[ProbeResult]:
        """One result a target, in their order; meanwhile `watch` gets the results so far."""
        ...
