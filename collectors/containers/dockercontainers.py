"""Containers as Docker keeps them on disk: hostconfig.json and config.v2.json of each, without asking the daemon.

Both are one line of JSON, and hold environment variables and log options, in which credentials are. So
grep(1) picks the few fields that rules judge, and nothing else is read.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.containers import docker
from collectors.containers.hostpaths import is_disk, is_sensitive, plain
from collectors.model import Answers, Collector, Command, Fact, ParseError, Reading, Stat
from collectors.rows import FileStat

# As JSON writes them: a text may have quotes, and a bracket of its own.
_TEXT = r'"([^"\\]|\\.)*"'
_LIST = rf"(null|\[({_TEXT},?)*\])"
_FIELDS = (
    r'"(Privileged|ReadonlyRootfs|Running)":(true|false)',
    rf'"(NetworkMode|PidMode|IpcMode|UTSMode|UsernsMode|User|PathOnHost)":{_TEXT}',
    # of a mount, with what stands behind it
    rf'"Source":{_TEXT}(,"Target":{_TEXT}(,"ReadOnly":true)?)?',
    rf'"(Binds|CapAdd|SecurityOpt)":{_LIST}',
    r'"(Memory|PidsLimit)":(null|-?[0-9]+)',
    r'"Name":"/([^"\\]|\\.)*"',
)
_PATTERN = "|".join(_FIELDS)
_OF_CONFIG = frozenset(
    {"Running", "User", "Name"}
)  # of config.v2.json, the others of hostconfig.json
_HARMLESS = frozenset(
    f"CAP_{name}"
    for name in (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
        *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
    )
)
_SOCKETS = ("docker.sock", "containerd.sock", "crio.sock", "podman.sock")
_DECODER = json.JSONDecoder()
_READ_ONLY = ',"ReadOnly":true'


def command(root: str) -> Command:
    names = ("--include=hostconfig.json", "--include=config.v2.json")
    argv = ("grep", "-rHoE", *names, "-e", _PATTERN, "--", f"{root}/containers")
    return Command(argv, timeout=10.0, limit=8 << 20, ok=(0, 1))


class DockerContainersCollector(Collector, frozen=True):
    """`docker_containers`: rows of id, name, running, privileged, network, pid, ipc, uts, userns (modes),
    capabilities (beyond Docker's default ones), mounts (paths of the host), devices (of the host), sensitive
    (those of both that are the host itself or its secrets, by hostpaths.py), socket (an engine's socket is mounted), unconfined (seccomp or AppArmor switched off),
    no_new_privileges, read_only, memory, pids_limit (0: none), root (the user is root). Needs root.
    """

    name: ClassVar[str] = "docker_containers"
    facts: ClassVar[tuple[str, ...]] = ("docker_containers",)

    def readings(self) -> tuple[Reading, ...]:
        return (*docker.DockerCollector().readings(), Stat(f"{docker.DATA}/containers"))

    def parse(self, answers: Answers) -> Iterable[Fact]:
        if not docker.installed(answers):
            yield Fact("docker_containers", [])
            return
        said, _, _ = docker.options(answers)
        root = said.get("data-root", docker.DATA)
        if not (isinstance(root, str) and root.startswith("/")):
            raise ParseError(f"{docker.CONFIG.path}: data-root is no path")
        if not answers.rows(Stat(f"{root}/containers"), FileStat):
            yield Fact("docker_containers", [])  # the daemon has never run
            return
        text = answers.text(command(root))
        yield Fact("docker_containers", list(parse_containers(text, f"{root}/containers")))


_FOUND = re.compile(r'([^:]*)/([0-9a-f]{12,64})/(hostconfig|config\.v2)\.json:"(\w+)":(.*)')


def parse_containers(text: str, folder: str) -> Iterable[dict[str, Any]]:
    """From grep's lines `PATH:"FIELD":VALUE`; raises ParseError."""
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for line in text.splitlines():
        match = _FOUND.fullmatch(line)
        if match is None:
            raise ParseError(f"{folder}: {line[:60]!r}")
        _, container, file, field, value = match.groups()
        if (field in _OF_CONFIG) == (file == "config.v2"):
            try:
                found[container][field].append(_value(field, value))
            except (ValueError, RecursionError) as error:
                raise ParseError(f"{folder}/{container}: {field}: {error}") from error
    for container, fields in sorted(found.items()):
        yield _row(container, fields, folder)


def _value(field: str, text: str) -> Any:
    """As JSON; of a mount its source, with whether it may be written to."""
    if field != "Source":
        return json.loads(text)
    source, end = _DECODER.raw_decode(text)
    return source, not text[end:].endswith(_READ_ONLY)


def _row(container: str, fields: dict[str, list[Any]], folder: str) -> dict[str, Any]:
    def first(field: str, default: Any) -> Any:
        values = fields.get(field) or [default]
        return default if values[0] is None else values[0]

    def mode(field: str) -> str:
        # an annotation may be named like it, and comes before it
        return "host" if "host" in fields.get(field, ()) else first(field, "")

    added = [str(it).upper() for it in first("CapAdd", [])]
    capabilities = [it if it.startswith("CAP_") or it == "ALL" else f"CAP_{it}" for it in added]
    options = [str(it) for it in first("SecurityOpt", [])]
    binds = [str(it).split(":") for it in first("Binds", [])]
    found = [(it[0], "ro" not in (it[2:] or [""])[-1].split(",")) for it in binds]
    found += [(str(it[0]), it[1]) for it in fields.get("Source", [])]
    mounts = [(plain(it), writable) for it, writable in found if it.startswith("/")]
    named = [it for it, _ in found if not it.startswith("/")]
    devices = [plain(str(it)) for it in fields.get("PathOnHost", []) if it]
    user = first("User", "")
    return {
        "id": container[:12],
        # labels come before it, and are whatever the user likes
        "name": (fields.get("Name") or [container[:12]])[-1].removeprefix("/"),
        "running": first("Running", False),
        "privileged": first("Privileged", False),
        "network": mode("NetworkMode"),
        "pid": mode("PidMode"),
        "ipc": mode("IpcMode"),
        "uts": mode("UTSMode"),
        "userns": mode("UsernsMode"),
        "capabilities": [it for it in capabilities if it not in _HARMLESS],
        "mounts": [*(it for it, _ in mounts), *named],
        "devices": devices,
        "sensitive": [
            *(it for it, writable in mounts if is_sensitive(it, writable)),
            *(it for it in devices if is_disk(it)),
        ],
        "socket": any(it.endswith(_SOCKETS) for it, _ in mounts),
        "unconfined": any(
            it.endswith((":unconfined", "=unconfined", "label:disable", "label=disable"))
            for it in options
        ),
        "no_new_privileges": any(
            it in ("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true")
            for it in options
        ),
        "read_only": first("ReadonlyRootfs", False),
        "memory": first("Memory", 0),
        "pids_limit": max(first("PidsLimit", 0), 0),
        "root": user.partition(":")[0] in ("", "0", "root"),
        "source": f"{folder}/{container}",
    }
