"""Real hypervisors for tests: nodes of libvirt's own test driver, and a libvirtd of its own with QEMU.

The libvirtd is a user's (as root: nobody's), listens on a socket in its folder alone, and ends with
its owner, as its guests do. They have no system to boot and run in emulation, which any machine can.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.sshlab import wait_until

LIBVIRTD = "/usr/sbin/libvirtd"
QEMU = "/usr/bin/qemu-system-x86_64"


def _has_binding() -> bool:
    try:
        import libvirt
    except ImportError:
        return False
    return bool(libvirt)


needs_libvirt = pytest.mark.skipif(
    not _has_binding() or not shutil.which("virsh"),
    reason="needs the Debian packages python3-libvirt and libvirt-clients, and `make libvirt`",
)
needs_qemu = pytest.mark.skipif(
    not _has_binding()
    or not all(os.access(path, os.X_OK) for path in (LIBVIRTD, QEMU))
    or not shutil.which("virsh"),
    reason="needs the Debian packages libvirt-daemon, qemu-system-x86 and those of needs_libvirt",
)

NODE = """<node><cpu><mhz>2000</mhz><model>x86_64</model><active>16</active><nodes>2</nodes>
<sockets>2</sockets><cores>4</cores><threads>1</threads></cpu><memory>67108864</memory>{}</node>
"""


def node(path: Path, domains: Iterable[str]) -> str:
    """The URI of a node of the test driver with these domains."""
    path.write_text(NODE.format("".join(domains)), encoding="utf-8")
    return f"test://{path}"


def domain(number: int, metadata: str = "", devices: str = "", shut_off: bool = False) -> str:
    """A domain of the test driver: 2 virtual CPUs, 4 GiB, its metadata and devices."""
    run = "<testdriver:runstate>5</testdriver:runstate>" if shut_off else ""
    return (
        f"<domain type='test' xmlns:testdriver='http://libvirt.org/schemas/domain/test/1.0'>"
        f"<name>instance-{number:08x}</name><uuid>{uuid(number)}</uuid>"
        f"<metadata>{metadata}</metadata><memory unit='GiB'>4</memory><vcpu>2</vcpu>"
        f"<os><type>hvm</type></os><devices>{devices}</devices>{run}</domain>"
    )


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012x}"


def virsh(uri: str, *arguments: str) -> str:
    ran = subprocess.run(
        ["virsh", "--readonly", "-c", uri, *arguments],
        env={**os.environ, "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return ran.stdout


class Libvirtd(NamedTuple):
    uri: str
    folder: Path

    def start(self, number: int, devices: str = "") -> None:
        """A guest of QEMU with 2 virtual CPUs, 64 MiB and an empty disk."""
        name, disk = f"instance-{number:08x}", self.folder / f"{number}.raw"
        with disk.open("wb") as file:
            file.truncate(16 << 20)
        disk.chmod(0o666)
        xml = self.folder / f"{number}.xml"
        xml.write_text(
            f"<domain type='qemu'><name>{name}</name><uuid>{uuid(number)}</uuid>"
            "<memory unit='MiB'>64</memory><vcpu>2</vcpu>"
            "<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>"
            f"<emulator>{QEMU}</emulator><disk type='file' device='disk'>"
            f"<driver name='qemu' type='raw'/><source file='{disk}'/>"
            "<target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'>"
            f"<target dev='hda' bus='ide'/><readonly/></disk>{devices}</devices></domain>"
        )
        for arguments in (("define", str(xml)), ("start", name)):
            subprocess.run(["virsh", "-q", "-c", self.uri, *arguments], check=True, timeout=60)

    def process(self, number: int) -> int:
        """The number of a guest's process."""
        run = self.folder / "run/libvirt/qemu/run"
        return int((run / f"instance-{number:08x}.pid").read_text())


@contextmanager
def libvirtd() -> Iterator[Libvirtd]:
    folder = Path(tempfile.mkdtemp(prefix="libvirtlab", dir="/tmp"))  # socket paths are short
    prefix: list[str] = []
    for name in ("", "run", "home"):
        (folder / name).mkdir(exist_ok=True)
        if os.getuid() == 0:
            os.chown(folder / name, pwd.getpwnam("nobody").pw_uid, -1)
    if os.getuid() == 0:
        folder.chmod(0o755)
        prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    config, socket = folder / "libvirtd.conf", folder / "run/libvirt-sock"
    config.write_text(f'unix_sock_dir = "{folder}/run"\nauth_unix_rw = "none"\n')
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": f"{folder}/home",
        **{f"XDG_{it}_HOME": f"{folder}/home" for it in ("CACHE", "CONFIG", "DATA")},
        "XDG_RUNTIME_DIR": f"{folder}/run",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*prefix, LIBVIRTD, "-f", str(config)],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    lab = Libvirtd(f"qemu:///session?socket={socket}", folder)
    try:
        wait_until(socket.exists, 30)
        virsh(lab.uri, "list")
        yield lab
    finally:
        process.terminate()
        process.wait(timeout=30)
        for pid in (folder / "run/libvirt/qemu/run").glob("*.pid"):
            os.kill(int(pid.read_text()), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)
