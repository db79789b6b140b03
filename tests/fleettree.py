"""Debian's tree for the hosts of tests/fleetlab.py: made once by debootstrap, kept for other runs, never written to."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from tests import chrootlab
from tests.processgroups import ENVIRONMENT, Failed

USER: Final = "ops"
PASSWORD: Final = "correct horse"
PACKAGES: Final = (
    *("iproute2", "login", "openssh-server", "passwd", "procps"),
    *("sudo", "systemd", "systemd-sysv"),
)

# What a machine without hardware needs no unit for, and what runs at times of its own.
_MASKED: Final = """
apt-daily.timer apt-daily-upgrade.timer dev-hugepages.mount dev-mqueue.mount dpkg-db-backup.timer
e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-ask-password-console.path
systemd-ask-password-wall.path systemd-initctl.socket getty.target hwclock.service
proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount sys-kernel-config.mount
sys-kernel-debug.mount sys-kernel-tracing.mount systemd-binfmt.service systemd-boot-update.service
systemd-firstboot.service systemd-journal-flush.service systemd-logind.service
systemd-machine-id-commit.service systemd-modules-load.service systemd-networkd.service
systemd-networkd.socket systemd-pcrphase.service systemd-pcrphase-sysinit.service systemd-pstore.service
systemd-random-seed.service systemd-remount-fs.service systemd-sysctl.service systemd-sysusers.service
systemd-timesyncd.service systemd-tmpfiles-clean.timer systemd-tmpfiles-setup-dev.service
systemd-tmpfiles-setup.service systemd-udevd.service systemd-udev-trigger.service
systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-user-sessions.service
"""
# Each host has keys and a machine-id of its own; the journal is in memory.
_PREPARE: Final = f"""
set -eu
cd /etc/systemd/system
for unit in {" ".join(_MASKED.split())}; do ln -sf /dev/null $unit; done
printf '[Journal]\\nStorage=volatile\\nRuntimeMaxUse=8M\\n' > /etc/systemd/journald.conf
rm -f /etc/ssh/ssh_host_* /etc/machine-id
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\\nMaxStartups 100\\n' > /etc/ssh/sshd_config.d/lab.conf
useradd --create-home --shell /bin/bash {USER}
echo '{USER}:{PASSWORD}' | chpasswd
"""


def kept_name() -> str:
    """Of the folder that the tree is in: another recipe, another tree."""
    recipe = repr((chrootlab.SUITE, PACKAGES, _PREPARE)).encode()
    return f"jianwei-fleet-{os.geteuid()}-{hashlib.sha256(recipe).hexdigest()[:12]}"


def tree() -> Path:
    """Debian's tree, never to be written to; skips the test where there is none and no mirror."""
    kept = Path(tempfile.gettempdir(), kept_name())
    with contextlib.suppress(FileExistsError):
        kept.mkdir(mode=0o700)
    is_ = kept.lstat()
    if is_.st_uid != os.geteuid() or is_.st_mode != 0o040700:
        raise Failed(f"{kept} is somebody else's, or others may write there: remove it")
    with (kept / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made := kept / "tree").exists():
            shutil.rmtree(kept / "debian", ignore_errors=True)
            new = chrootlab.made(kept, PACKAGES)
            subprocess.run(
                ["chroot", new, "sh", "-c", _PREPARE], env=ENVIRONMENT, check=True, timeout=60
            )
            new.rename(made)  # whole, or not there
    return made
