"""What a host told, as answers: the same that LocalSource would give there; pure.

What a host did not get round to has failed.
"""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Mapping, Sequence

import msgspec

from collectors.model import (
    Answer,
    Command,
    File,
    Glob,
    Handshakes,
    Inventory,
    MountUsage,
    ParseError,
    Reading,
    Stat,
    Walk,
    malformed,
)
from collectors.rows import AuthorizedKey, FileStat, Mount
from collectors.sources import authorizedkeys, bounds
from collectors.sources.inventories import parse_shadow
from collectors.sources.local import encode_rows, kind_of, printable
from collectors.sources.mounts import parse_mountinfo
from collectors.sources.patterns import path_matches
from collectors.sources.ssh import inventories, walks
from collectors.sources.ssh.frames import (
    MAX_RECORDS,
    Part,
    Record,
    Stream,
    decode,
    parse_stream,
    parts,
)
from collectors.sources.ssh.together import complete, together

KILLED = 137  # how timeout(1) and a shell tell of a child ended by SIGKILL
TABLES = 4  # records that tell of the two mount tables

_ABSENT = {
    "No such file or directory",
    "Not a directory",
    "No such device",
    "No such device or address",
    "No such process",
}
_DENIED = {"Permission denied", "Operation not permitted"}
ABSENT = Answer("absent", reason="no such file")
DENIED = Answer("denied", reason="permission denied")
LATE = Answer("failed", reason="no end in time")
EMPTY = Answer("content")

Asked = Mapping[int, Sequence[Mount]]


def parse_frames(
    data: bytes, nonce: str, readings: Sequence[Reading], cut: str, asked: Asked
) -> dict[Reading, Answer]:
    """The answers to `readings`. `cut` is why the host told no more, should any be missing.

    `asked` has for the number of a MountUsage the mounts whose usage the host was asked for.
    """
    stream, whole = parse_stream(data, nonce)
    if not whole and not cut:
        cut = f"the host told more than {MAX_RECORDS} records"
    others = together(stream)
    answers: dict[Reading, Answer] = {}
    for number, reading in enumerate(readings):
        try:
            records = list(complete(stream.get(number, ()), others))
            answers[reading] = _whole(reading, records, cut, asked.get(number))
        except ParseError as error:
            answers[reading] = Answer("failed", reason=str(error))
    return answers


def _whole(
    reading: Reading, records: Sequence[Record], cut: str, mounts: Sequence[Mount] | None
) -> Answer:
    if mounts is not None:
        return _usage(records, mounts, cut)
    if not records or records[-1].kind != "d":
        return Answer("failed", reason=cut)
    return LATE if records[-1].status == KILLED else _answer(reading, records)


def mount_table(stream: Stream, number: int) -> list[Mount] | None:
    """The mounts that a MountUsage reading has told of; None if they could not be read.

    Raises ParseError.
    """
    for part in parts(stream.get(number, ())):
        if part.end.status == 0:
            return parse_mountinfo(decode(part.content))
    return None


def _answer(reading: Reading, records: Sequence[Record]) -> Answer:
    match reading:
        case File(limit=limit):
            return _first(records, limit)
        case Glob():
            return _glob(reading, records)
        case Stat():
            return _stat(reading, records)
        case Command():
            return _command(reading, records)
        case MountUsage():
            *_, last = [LATE, *(_ended(part) for part in parts(records))]
            parse_mountinfo(decode(last.content))  # raises what kept it from being asked for
            return last if last.state != "content" else LATE
        case Inventory(kind="shadow"):
            opened, read = (*(_ended(part) for part in parts(records)), LATE, LATE)[:2]
            if opened.state != "content" or read.state != "content":
                return opened if opened.state != "content" else read
            return _rows(parse_shadow(read.content.decode("utf-8", "replace")))
        case Inventory(kind="authorized_keys"):
            first = _first(records)
            return _rows(_keys(records)) if first.state == "content" else first
        case Inventory(kind="sockets" | "listeners"):
            first = _first(records)
            if first.state != "content":
                return first
            parse = inventories.sockets if reading.kind == "sockets" else inventories.listeners
            return _rows(parse(_told(records)))
        case Inventory(kind="processes"):
            return _rows(inventories.processes(_told(records)))
        case Handshakes():
            return _first(records)
        case Walk():
            return _walk(reading, records)
        case Inventory(kind=kind):
            answer = _command(inventories.COMMANDS[kind], records)
            if answer.state != "content":
                return answer
            more = [part.content for part in parts(records)][1:]
            text = b"".join([answer.content, *more]).decode("utf-8", "replace")
            return _rows([inventories.SINGLE[kind](text)])


def _keys(records: Sequence[Record]) -> list[AuthorizedKey]:
    """Of each file two parts: whether it can be opened, then its lines."""
    found: list[AuthorizedKey] = []
    for part in list(parts(records))[1:]:
        account, _, path = part.match.partition(":")
        answer = _ended(part)
        text = part.content.decode("latin-1")
        if answer.state == "absent":
            continue
        if answer.state != "content":
            reason = "Permission denied" if answer == DENIED else answer.reason
            found.append(AuthorizedKey(account, path, error=reason))
        elif text.endswith("#long\n"):
            found.append(AuthorizedKey(account, path, error=authorizedkeys.TOO_LONG))
        else:
            found += authorizedkeys.parse(account, path, text)
    return found


def _told(records: Sequence[Record]) -> dict[str, bytes]:
    """Content by match, however it ended."""
    return {part.match: part.content for part in parts(records)}


def _first(records: Sequence[Record], limit: int | None = None) -> Answer:
    part = next(parts(records), None)
    return Answer("failed", reason="no end") if part is None else _ended(part, limit)


def _ended(part: Part, limit: int | None = None) -> Answer:
    if limit is not None and len(part.content) > limit:
        return Answer("failed", reason=f"longer than {limit} bytes")
    if part.end.status == 0:
        return Answer("content", part.content)
    return LATE if part.end.status == KILLED else _from_words(part.end.words)


def _from_words(words: str) -> Answer:
    """The words of strerror(3), taken as LocalSource takes the number."""
    if words in _ABSENT:
        return ABSENT
    return DENIED if words in _DENIED else Answer("failed", reason=words or "could not be read")


def _listing(records: Sequence[Record]) -> Answer:
    """EMPTY, or why a folder could not be listed."""
    problems = (_from_words(record.words) for record in records if record.kind == "l")
    return next((answer for answer in problems if answer != ABSENT), EMPTY)


def _glob(reading: Glob, records: Sequence[Record]) -> Answer:
    listing = _listing(records)
    if listing != EMPTY:
        return listing
    bounds.check_matches({record.payload for record in records if record.kind == "m"})
    children = []
    # as LocalSource sorts: by the parts of the match; the names stay in the order asked for
    for part in sorted(parts(records), key=lambda part: part.match.split("/")):
        answer = _ended(part, reading.limit)
        path = f"{part.match}/{part.name}" if reading.names else part.match
        if answer.state != "absent" and _matches(part.match, reading.pattern):
            children.append((printable(path), answer))
    return bounds.of_children(children)


def _matches(path: str, pattern: str) -> bool:
    """A shell leaves a pattern as it is where nothing matches, and finds `.` and `..`."""
    return path_matches(path, pattern) and not {".", ".."} & set(path.split("/"))


def _stat(reading: Stat, records: Sequence[Record]) -> Answer:
    listing = _listing(records)
    if listing != EMPTY:
        return listing
    pending: list[str] = []
    rows: dict[str, FileStat] = {}
    for record in records:
        if record.kind == "m":
            pending.append(decode(record.payload))
        elif record.kind == "s":
            with malformed("stat"):
                lines = record.payload.decode("ascii").split("\n")
                rows.update((p, _stat_row(p, line)) for p, line in zip(pending, lines, strict=True))
            pending = []
        elif record.kind == "w":
            with malformed("stat"):
                path, _, target = decode(record.payload).partition("\0")
                rows[path] = _stat_row(path, record.words, target)
        elif record.kind == "t":
            target = decode(record.payload.removesuffix(b"\n"))
            for path in pending:
                if path in rows and target:
                    # busybox tells no real path of a link that leads nowhere
                    real = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
                    rows[path] = msgspec.structs.replace(rows[path], target=real)
            pending = []
        elif record.kind == "x" and (answer := _from_words(record.words)) != ABSENT:
            return answer
    paths = [path for path in rows if _matches(path, reading.pattern)]
    bounds.check_matches(paths)
    return _rows([rows[path] for path in sorted(paths, key=lambda path: path.split("/"))])


def _stat_row(path: str, line: str, target: str = "") -> FileStat:
    """A line of `stat -c '%f %u %g %s %Y %y'`; the fraction of a second is in %y only."""
    mode_text, uid, gid, size, seconds, readable = line.split(" ", 5)
    mode = int(mode_text, 16)
    fraction = re.search(r"\.([0-9]{9})", readable)
    mtime = int(seconds) + (int(fraction[1]) * 1e-9 if fraction else 0.0)
    return FileStat(
        path, kind_of(mode), stat.S_IMODE(mode), int(uid), int(gid), int(size), mtime, target
    )


def _command(reading: Command, records: Sequence[Record]) -> Answer:
    part = next(parts(records), None)
    if part is not None and len(part.content) > reading.limit:
        return Answer("failed", reason=f"output longer than {reading.limit} bytes")
    if part is None or part.end.status == KILLED:
        return Answer("failed", reason=f"no end within {reading.timeout:g} s")
    if part.end.status == 127 and part.end.words != "found":
        return Answer("absent", reason=f"no program {reading.argv[0]}")
    if part.end.status == 126:
        return Answer("denied", reason=f"may not run {reading.argv[0]}")
    # as subprocess counts: a signal is a negative status
    status = 128 - part.end.status if part.end.status > 128 else part.end.status
    if status not in reading.ok:
        return Answer("failed", reason=f"exit status {status}")
    return Answer("content", part.content)


def _walk(reading: Walk, records: Sequence[Record]) -> Answer:
    command = walks.command(reading)
    part = next(parts(records), None)
    late = part is None or part.end.status == KILLED
    # what went away meanwhile makes it 1 as well, but a find that knows no -printf tells nothing
    usable = part is not None and (part.end.status == 0 or (part.end.status == 1 and part.content))
    if part is None or not (late or usable):
        return _command(command, records)
    long = len(part.content) > command.limit
    return _rows([walks.parse(part.content[: command.limit], not (late or long), reading.roots)])


def _usage(records: Sequence[Record], mounts: Sequence[Mount], cut: str) -> Answer:
    told = {part.match: part for part in list(parts(records))[TABLES // 2 :]}
    rows = []
    for mount in mounts:
        part = told.get(mount.mountpoint)
        if part is None:
            row = msgspec.structs.replace(mount, error=cut)
        elif part.end.status == KILLED:
            row = msgspec.structs.replace(mount, error="no answer in time")
        elif part.end.status:
            row = msgspec.structs.replace(mount, error=part.end.words or "could not be read")
        else:
            try:
                unit, other, size, free, avail, files, files_free = map(int, part.content.split())
            except ValueError:
                row = msgspec.structs.replace(mount, error="stat -f told something else")
            else:
                unit = unit or other
                row = msgspec.structs.replace(
                    mount,
                    size=size * unit,
                    free=free * unit,
                    avail=avail * unit,
                    files=files,
                    files_free=files_free,
                )
        rows.append(row)
    return _rows(rows)


def _rows(rows: Sequence[msgspec.Struct]) -> Answer:
    with malformed("what the host told"):  # a number may be too large for any row
        return Answer("content", encode_rows(rows))
