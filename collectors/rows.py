"""The rows of structured answers: what the system tells by a call rather than a file.

A source answers `Stat`, `MountUsage` and `Inventory` readings with JSON lists of these structs.
"""

from __future__ import annotations

from typing import Literal

import msgspec

FileKind = Literal["file", "directory", "link", "other"]


class FileStat(msgspec.Struct, frozen=True):
    """One path, not followed. `target`: the real path a link leads to; `mtime` in Unix seconds."""

    path: str
    kind: FileKind
    mode: int
    uid: int
    gid: int
    size: int = 0
    mtime: float = 0.0
    target: str = ""


class Mount(msgspec.Struct, frozen=True):
    """One mount; sizes in bytes. `error` is empty or says why the sizes are unknown."""

    device: str
    mountpoint: str
    fstype: str
    options: tuple[str, ...]
    size: int = 0
    free: int = 0
    avail: int = 0
    files: int = 0
    files_free: int = 0
    readonly: bool = False
    error: str = ""


class Noted(msgspec.Struct, frozen=True):
    """A file or directory that a walk has noted. `unowned`: no account or no group has its id."""

    path: str
    kind: FileKind
    mode: int
    uid: int
    gid: int
    unowned: bool = False


class Walked(msgspec.Struct, frozen=True):
    """What a walk has seen: SUID and SGID files, files that anybody may write, directories that
    anybody may write without the sticky bit, and what nobody owns.

    `after` is where the next walk goes on, empty where this one came to its end. `unread` are
    directories that could not be read, `dropped` is how much was not noted since it was too much.
    """

    noted: tuple[Noted, ...] = ()
    after: str = ""
    entries: int = 0
    unread: tuple[str, ...] = ()
    dropped: int = 0


class Socket(msgspec.Struct, frozen=True):
    """One TCP or UDP socket; `process` is empty where it could not be seen."""

    family: Literal["ipv4", "ipv6"]
    protocol: Literal["tcp", "udp"]
    state: str
    address: str
    port: int
    pid: int = 0
    process: str = ""


class TlsListener(msgspec.Struct, frozen=True):
    """One listener. `protocols` are those that it speaks, `weak_cipher` one that it agreed to,
    `certificate` the DER that it showed, in hexadecimal; `error` says why it was not looked at."""

    address: str
    port: int
    tls: bool = False
    protocols: tuple[str, ...] = ()
    cipher: str = ""
    weak_cipher: str = ""
    certificate: str = ""
    error: str = ""


class Process(msgspec.Struct, frozen=True):
    """One process: `state` is the letter of /proc/PID/stat; `thread_states` of its threads."""

    pid: int
    name: str
    state: str
    threads: int
    thread_states: str = ""


class ShadowEntry(msgspec.Struct, frozen=True):
    """One line of shadow(5). `password`: empty, locked, disabled or the scheme of its hash."""

    name: str
    password: str
    changed: int | None = None
    min_days: int | None = None
    max_days: int | None = None
    warn_days: int | None = None
    inactive_days: int | None = None
    expires: int | None = None
    line: int = 0


class AuthorizedKey(msgspec.Struct, frozen=True):
    """One line of an authorized_keys file of an account, without its key.

    size: bytes of the key. options: their names; of an odd one `other`. comment: its length.
    type: empty for a line that is no key. error: why a file could not be read; then there is no line.
    """

    account: str
    path: str
    line: int = 0
    type: str = ""
    size: int = 0
    options: tuple[str, ...] = ()
    comment: int = 0
    error: str = ""


class Uname(msgspec.Struct, frozen=True):
    sysname: str
    nodename: str
    release: str
    version: str
    machine: str
    domainname: str


class Clock(msgspec.Struct, frozen=True):
    """Unix time in seconds, and the local zone's name and offset from UTC in seconds."""

    seconds: float
    zone: str
    offset: int


class Timex(msgspec.Struct, frozen=True):
    """struct timex of adjtimex(2), raw kernel units, and the call's return value `state`."""

    state: int
    status: int
    offset: int
    freq: int
    maxerror: int
    esterror: int
    constant: int
    tick: int
    ppsfreq: int
    jitter: int
    shift: int
    stabil: int
    jitcnt: int
    calcnt: int
    errcnt: int
    stbcnt: int
    tai: int
