"""What a cgroup is, by its path: a container and whose, a pod, a virtual machine, a unit of systemd.

Names are those that engines give them: docker, containerd and CRI-O by systemd's driver
(`docker-ID.scope`, `cri-containerd-ID.scope`, `crio-ID.scope`) or by cgroupfs (`/docker/ID`,
`/kubepods/.../podUID/ID`), Podman (`libpod-ID.scope`), systemd-machined (`machine-NAME.scope`).
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Kind = Literal["container", "pod", "machine", "service", "slice", "scope", "other"]

ID = "[0-9a-f]{64}"
ENGINES = {
    "docker": "docker",
    "cri-containerd": "containerd",
    "nerdctl": "containerd",
    "crio": "cri-o",
    "libpod": "podman",
}
CONTAINER = re.compile(rf"({'|'.join(ENGINES)})-({ID})(?:\.scope)?")
BARE = re.compile(ID)
# systemd writes a dash of the UID as an underscore, since a dash leads to a slice below
POD = re.compile(r"(?:kubepods(?:-[a-z]+)?-)?pod([0-9a-f][0-9a-f_-]{7,63})(?:\.slice)?")
MACHINE = re.compile(r"machine-(.+)\.scope")
ESCAPE = re.compile(r"\\x([0-9a-f]{2})")


class Identity(msgspec.Struct, frozen=True):
    """`name` is the container's whole identifier, the pod's UID, the machine's or the unit's name."""

    kind: Kind
    name: str
    engine: str = ""
    pod: str = ""


def identify(path: str) -> Identity:
    """What is at a path below the root of all cgroups: `/system.slice/ssh.service`."""
    *above, last = path.strip("/").split("/")
    pod = next((_uid(found[1]) for part in reversed(above) if (found := POD.fullmatch(part))), "")
    if found := CONTAINER.fullmatch(last):
        return Identity("container", found[2], ENGINES[found[1]], pod)
    if BARE.fullmatch(last) and above:
        return Identity("container", last, "docker" if above[-1] == "docker" else "", pod)
    if found := POD.fullmatch(last):
        return Identity("pod", _uid(found[1]), pod=_uid(found[1]))
    if found := MACHINE.fullmatch(last):
        return Identity("machine", unescaped(found[1]))
    kind: Kind = "other"
    for suffix in ("service", "slice", "scope"):
        if last.endswith(f".{suffix}"):
            kind = suffix
    return Identity(kind, unescaped(last))


def unescaped(name: str) -> str:
    """A unit's name as it was before systemd-escape(1)."""
    plain = ESCAPE.sub(lambda it: chr(int(it[1], 16)) if int(it[1], 16) < 128 else it[0], name)
    return plain if plain.isprintable() else name


def _uid(written: str) -> str:
    return written.replace("_", "-")
