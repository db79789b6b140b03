"""Which paths of the host give a container the host itself, or its secrets; pure.

The tree is hier(7). A path is judged as the kernel takes it: `//etc` and `/etc/../etc` are /etc.
"""

from __future__ import annotations

import posixpath
import re
from typing import Final

_RUN: Final = re.compile(r"^/var/run(?=/|$)")
# The host's own, and all that is above them.
_WHOLE: Final = frozenset(
    (
        *("/", "/etc", "/home", "/root", "/boot", "/dev", "/proc", "/sys", "/run", "/opt"),
        *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/var", "/var/lib", "/var/spool"),
    )
)
# What is below these as well: secrets, disks, and what runs as root.
_BELOW: Final = (
    *("/root", "/boot", "/dev", "/run/systemd", "/run/dbus", "/run/containerd", "/run/credentials"),
    *("/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers"),
    *("/etc/sudoers.d", "/etc/ssh", "/etc/ssl/private", "/etc/pki/tls/private"),
    *("/etc/krb5.keytab", "/etc/kubernetes", "/etc/docker", "/etc/security"),
    *("/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/kubelet"),
    *("/var/lib/etcd", "/var/lib/sss", "/var/lib/systemd", "/var/spool/cron"),
)
# And below these where the container may write.
_BELOW_TO_WRITE: Final = (
    *("/etc", "/proc", "/sys", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/usr/bin"),
    *("/usr/sbin", "/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local/bin", "/usr/local/sbin"),
    *("/var/lib/rpm", "/var/lib/dpkg", "/var/lib/selinux", "/var/lib/cloud", "/var/log/audit"),
)
_HARMLESS: Final = frozenset(
    (
        *("/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"),
        *("/etc/machine-id", "/dev/log", "/dev/null", "/dev/zero", "/dev/full", "/dev/shm"),  # noqa: S108 - nothing is made there
        *("/dev/random", "/dev/urandom", "/dev/fuse", "/dev/net/tun", "/dev/kvm"),
    )
)
_KEYS: Final = re.compile(r"/\.(?:ssh|gnupg|kube|aws|docker)(?:/|$)")
# Disks, volumes and memory; a graphics card or a serial line is the container's own affair.
_DISKS: Final = re.compile(
    r"/dev(?:/(?:[shv]d|xvd|nvme|mmcblk|dm-|md|loop|sr|nbd|zd|mapper|disk|block|k?mem|port|vg|raw|bsg"
    r"|sg\d).*)?"
)


def plain(path: str) -> str:
    path = posixpath.normpath("/" + path.lstrip("/"))
    return _RUN.sub("/run", path)


def is_sensitive(path: str, writable: bool) -> bool:
    """Of a plain path that is mounted."""
    if path in _HARMLESS:
        return False
    if path in _WHOLE or _KEYS.search(path) or _is_below(path, _BELOW):
        return True
    return writable and _is_below(path, _BELOW_TO_WRITE)


def is_disk(path: str) -> bool:
    """Of a plain path that is handed on as a device."""
    return _DISKS.fullmatch(path) is not None


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == it or path.startswith(f"{it}/") for it in folders)
