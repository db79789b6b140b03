"""What is done on a host, by host.sh (hostprogram.py) there: each function is one verb of it.

Of what a host tells only what was expected is taken, checked; it may be hostile.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from agents.fleet import hostprogram
from agents.fleet.model import PREFIX, Seen
from agents.fleet.remote import Done, Remote
from collectors.sources.ssh.target import SshError
from exporters.findings.text import neutral

STAGED = f"{PREFIX}/.staged"
_LINE = re.compile(rb"([a-z]+)=([\x20-\x7e]{0,2000})")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}")
_ORIGIN = re.compile(r"[0-9a-f]{64}|console|damaged")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILE = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/){0,4}[A-Za-z0-9_][A-Za-z0-9._-]*")


class Bundle(Protocol):
    """What is to be put on a host; agents/fleet/bundle.py opens one."""

    @property
    def path(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...


class HostError(Exception):
    """A host was asked for something and did not do it. `str()` is one line; `log` is what the agent
    there said at last."""

    def __init__(self, problem: str, log: Sequence[str] = ()) -> None:
        super().__init__(problem)
        self.log = tuple(log)


def look(remote: Remote) -> Seen:
    """What is there; changes nothing."""
    told = _told(remote, _asked(remote, ("look",), b"", 60))
    return seen(told, str(remote.hop))


def upload(remote: Remote, bundle: Bundle, progress: Callable[[int], None]) -> None:
    """Put a bundle on a host, for `unpack`. What an upload that was cut off left is gone on with."""
    with open(bundle.path, "rb") as file:
        remote.put(file, bundle.size, _staged(bundle), progress, bundle.sha256)


def unpack(remote: Remote, bundle: Bundle) -> None:
    """Make a release of a bundle that was uploaded."""
    arguments = ("unpack", _staged(bundle), bundle.sha256, bundle.version)
    _told(remote, _asked(remote, arguments, b"", 600))


def configure(remote: Remote, files: Mapping[str, bytes], version: str = "") -> None:
    """Let a release (empty: the one put there last) check configuration files, by their names below /etc/jianwei, and set them ready for
    `activate`. What was deployed before and is not among them goes; what others put there stays."""
    content = packed(files)
    arguments = ("configure", version, hashlib.sha256(content).hexdigest())
    told = _told(remote, _asked(remote, arguments, content, 300))
    remote.configured = _word("configured", told.get("configured", ""), _SHA256, remote.hop)


def activate(remote: Remote, version: str, seconds: float) -> None:
    """Put a release, and what was configured over this connection, in force. Raises HostError if the agent is not ready in
    this time; the host is then as before."""
    arguments = ("activate", version, f"{seconds:.0f}", remote.configured)
    remote.configured = ""
    told = _told(remote, _asked(remote, arguments, b"", 2 * seconds + 300))
    if told.get("activated") != version:
        raise SshError(f"{remote.hop}: it did not tell that {version} is in force")


def rollback(remote: Remote, seconds: float = 60.0) -> None:
    """Go back to the release before, with the configuration it had."""
    _told(remote, _asked(remote, ("rollback", f"{seconds:.0f}"), b"", 2 * seconds + 300))


def uninstall(remote: Remote, keep_state: bool) -> tuple[str, ...]:
    """Leave nothing; says what was removed."""
    arguments = ("uninstall", *(("--keep-state",) if keep_state else ()))
    done = _asked(remote, arguments, b"", 300)
    _told(remote, done)
    return tuple(_values(done.out, "removed"))


def digest(files: Mapping[str, bytes]) -> str:
    """What `look` tells as `config` where these files are in force."""
    lines = "".join(
        f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)
    )
    return hashlib.sha256(lines.encode()).hexdigest()


def packed(files: Mapping[str, bytes]) -> bytes:
    """A tar of configuration files, with the list of them. Raises ValueError for a name that is none."""
    if wrong := [name for name in files if not _FILE.fullmatch(name)]:
        raise ValueError(f"{wrong[0]!r} is no name for a configuration file on a host")
    listed = "".join(f"{name}\n" for name in sorted(files)).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in ((".deployed", listed), *sorted(files.items())):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o640
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def seen(told: Mapping[str, str], who: str = "the host") -> Seen:
    """What `look` told, checked. Raises SshError."""
    if told.get("end") != "look":
        raise SshError(f"{who}: it did not tell all: is its /bin/sh a POSIX shell?")

    def one(name: str, pattern: re.Pattern[str]) -> str:
        return _word(name, told.get(name, "").strip(), pattern, who)

    words = re.compile(r"[A-Za-z0-9 ._+~:()-]{1,120}")
    versions = told.get("versions", "").split()
    for version in versions:
        _word("version", version, _VERSION, who)
    pairs = [pair.partition(":")[::2] for pair in told.get("bundles", "").split()]
    bundles = {name: _word("bundle", origin, _ORIGIN, who) for name, origin in pairs if origin}
    return Seen(
        arch=one("arch", words),
        system=one("system", words),
        libc=one("libc", words),
        systemd=one("systemd", re.compile(r"\d{1,4}")),
        free=int(one("free", re.compile(r"\d{1,18}")) or 0),
        versions=tuple(versions),
        bundles={name: origin for name, origin in bundles.items() if name in versions},
        current=one("current", _VERSION),
        previous=one("previous", _VERSION),
        bundle_name=one("bundle", re.compile(r"[a-z-]{1,40}")),
        config=one("config", _SHA256),
        unit=one("unit", _SHA256),
        active=told.get("active") == "yes",
        enabled=told.get("enabled") == "yes",
        ready=told.get("ready") == "yes",
        since=int(one("since", re.compile(r"\d{1,11}")) or 0),
        root=told.get("root") != "no",
        foreign=told.get("foreign") == "yes",
        staged=one("staged", _SHA256),
    )


def _word(name: str, value: str, pattern: re.Pattern[str], who: object) -> str:
    """A value that a host told, empty or as the pattern has it. Raises SshError."""
    if value and not pattern.fullmatch(value):
        raise SshError(f"{who}: what it told as {name} is none: {neutral(value)[:80]}")
    return value


def _staged(bundle: Bundle) -> str:
    return f"{STAGED}/{bundle.sha256}.tar.gz"


def _asked(remote: Remote, arguments: Sequence[str], stdin: bytes, seconds: float) -> Done:
    return remote.run(hostprogram.text(), arguments, stdin=stdin, root=True, seconds=seconds)


def _told(remote: Remote, done: Done) -> dict[str, str]:
    """The key=value lines. Raises HostError where it was not done."""
    if done.status != 0:
        why = " ".join(done.err.splitlines()[-3:]) or f"host.sh ended with status {done.status}"
        raise HostError(
            f"{remote.hop}: {why}", [neutral(line) for line in _values(done.out, "log")]
        )
    matches = map(_LINE.fullmatch, done.out.split(b"\n"))
    return {match[1].decode(): match[2].decode() for match in matches if match}


def _values(out: bytes, key: str) -> list[str]:
    start = f"{key}=".encode()
    lines = (line for line in out.split(b"\n") if line.startswith(start))
    return [neutral(line.removeprefix(start).decode("utf-8", "replace")) for line in lines]
