"""A host of its own in a mount namespace: this machine's programs, its own /etc, /opt, /var/lib and /run, and a
systemctl that keeps what it is told in files. For what changes a host; real systemd is tests/fleetlab.py's.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from agents.fleet import hostprogram, hostside
from agents.fleet.hostside import HostError
from agents.fleet.remote import Remote

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it makes mount namespaces")

_SYSTEMCTL = """\
#!/bin/sh
# active and enabled are files, of other units enabled.<unit>; a release that has a file `broken` never gets so far
f=/run/fake
for last; do :; done
echo "$*" >>$f/calls
case " $* " in
*' is-active '*jianwei-agent.service*) ;;
*' is-active '*) exit 3 ;;
*' is-enabled '*jianwei-agent.service*) ;;
*' is-enabled '*) [ ! -e $f/enabled.$last ] || exec echo enabled; echo static; exit ;;
esac
case " $* " in
*' --version '*) echo 'systemd 252 (252.1)' ;;
*WatchdogUSec*) cat $f/show 2>/dev/null ;;
*' is-active '*) [ -e $f/active ] ;;
*' show '*) echo 'ActiveEnterTimestamp=Sun 2026-02-01 08:09:10 UTC' ;;
*' is-enabled '*) [ -e $f/enabled ] ;;
*' start '*)
    [ -e /etc/systemd/system/$last ] || { echo "Unit $last not found." >&2; exit 5; }
    [ -e /opt/jianwei/current/broken ] || grep -q broken /etc/jianwei/jianwei.yaml ||
        readlink /opt/jianwei/current >$f/active ;;
*' stop '*) rm -f $f/active ;;
*' enable '*) : >$f/enabled ;;
*' disable '*) rm -f $f/enabled; case " $* " in *' --now '*) rm -f $f/active ;; esac ;;
*) : ;;
esac
"""
_JOURNALCTL = "#!/bin/sh\necho 'Traceback: the agent is \033[1mbroken'\n"
_UNIT = """\
[Service]
Type=exec
ExecStart=/opt/jianwei/current/bin/jianwei run
ExecStopPost=/bin/rm -rf /run/fake
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
_JIANWEI = """\
#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
case $1 in
check-config)
    [ ! -e "$here/foreign" ] || { echo 'no such GLIBC' >&2; exit 127; }
    case $2 in /etc/jianwei/*) ;; *) echo "$2 is elsewhere" >&2; exit 2 ;; esac
    ! grep -n wrong "$2" >&2 || exit 2 ;;
ready)
    for _ in $(seq ${5%s}0); do
        [ ! -e /run/fake/active ] || { [ "$(cat /run/fake/active)" = "${here##*/}" ] && exit 0; }
        sleep 0.1
    done
    echo 'not ready: refused' >&2
    exit 1 ;;
run)
    [ ! -e "$here/broken" ] || { printf 'Traceback: the agent is \033[1mbroken'; exit 1; }
    mkdir /run/fake && echo "${here##*/}" >/run/fake/active && exec sleep 1000 ;;
esac
"""


def bundle(
    version: str, extra: Mapping[str, str] | None = None, name: str = "jianwei-agent"
) -> bytes:
    """A release so small that it is a few scripts. `extra`: more files, `broken` and `foreign` mean
    something to it."""
    files = {
        "bin/jianwei": _JIANWEI,
        "share/jianwei/VERSION": version + "\n",
        "share/jianwei/jianwei.yaml": "# the default\n",
        "share/jianwei/host.sh": hostprogram.text(),
        "share/jianwei/systemd/jianwei-agent.service": f"# {version}\n{_UNIT}",
        "share/jianwei/logrotate": "# rotate\n",
        **(extra or {}),
    }
    sums = "".join(f"{hashlib.sha256(files[n].encode()).hexdigest()}  {n}\n" for n in files)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in {"MANIFEST.sha256": sums, **files}.items():
            member = tarfile.TarInfo(f"{name}-{version}/{path}")
            member.size, member.mode = len(content.encode()), 0o755 if "bin/" in path else 0o644
            member.uid = member.gid = 12345
            tar.addfile(member, io.BytesIO(content.encode()))
    return gzip.compress(buffer.getvalue(), mtime=0)  # the same each time


class HostSpace:
    """The host. `shell`: what runs `host_sh`; with busybox its tools are busybox's as well."""

    def __init__(self, folder: Path, shell: str = "dash") -> None:
        self.shell = ["busybox", "sh"] if shell == "busybox" else [shell]
        self.host_sh = folder / "host.sh"
        self.host_sh.write_text(hostprogram.text(), "utf-8")
        tools = folder / "tools"
        tools.mkdir()
        for name, text in (("systemctl", _SYSTEMCTL), ("journalctl", _JOURNALCTL)):
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        if shell == "busybox":
            busybox = shutil.which("busybox") or pytest.skip(
                "needs the Debian package busybox-static"
            )
            listed = subprocess.run([busybox, "--list"], capture_output=True, check=True, text=True)
            for name in set(listed.stdout.split()) - {"busybox", "getopt", "login", "su"}:
                if not (tools / name).exists():
                    (tools / name).symlink_to(busybox)
        script = f"""set -eu
        t={folder}/space; mkdir -p $t; mount --make-rprivate /; mount -t tmpfs -o size=64m space $t
        for d in etc var/lib usr/bin usr/local/bin; do
            n=$(echo $d | tr / -); mkdir -p $t/$n $t/$n.work
            [ $d != usr/bin ] || cp -a {tools}/. $t/$n/
            mount -t overlay -o lowerdir=/$d,upperdir=$t/$n,workdir=$t/$n.work none /$d
        done
        mkdir $t/opt; mount --bind $t/opt /opt  # what is there may be much
        rm -rf /etc/jianwei /var/lib/jianwei
        mount -t tmpfs run /run; mkdir /run/fake; mkdir -p /etc/systemd/system /etc/logrotate.d
        echo ready; exec sleep 1000"""
        self._process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert self._process.stdout
        if self._process.stdout.readline() != b"ready\n":
            said = self._process.stdout.read()
            pytest.skip(
                f"no mount namespace with overlays here: {said.decode(errors='replace')[:200]}"
            )
        self.pid = self._process.pid
        self.root = Path(f"/proc/{self.pid}/root")

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def started(self, *arguments: str, script: str | None = None) -> subprocess.Popen[bytes]:
        """host.sh with these arguments, not waited for."""
        enter = ["nsenter", "-t", str(self.pid), "-m"]
        program = [*self.shell, script or str(self.host_sh)]
        return subprocess.Popen(
            [*enter, *program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def run(
        self, *arguments: str, stdin: bytes = b"", script: str | None = None
    ) -> tuple[int, str, str]:
        """Status, output, errors of host.sh."""
        with self.started(*arguments, script=script) as process:
            out, err = process.communicate(stdin, 60)
        return process.returncode, out.decode(), err.decode()

    def command(self, *argv: str, stdin: bytes = b"") -> str:
        """What a command of the host says."""
        enter = ["nsenter", "-t", str(self.pid), "-m"]
        done = subprocess.run([*enter, *argv], input=stdin, capture_output=True, check=True)
        return done.stdout.decode()

    def path(self, name: str) -> Path:
        """A file of the host, as it is seen from here; links in it lead elsewhere."""
        return self.root / name.lstrip("/")

    def upload(self, content: bytes) -> tuple[str, str]:
        """A bundle as it was uploaded: its path on the host and its SHA-256."""
        digest = hashlib.sha256(content).hexdigest()
        staged = self.path(f"/opt/jianwei/.staged/{digest}.tar.gz")
        staged.parent.mkdir(parents=True, exist_ok=True)
        staged.write_bytes(content)
        return f"/opt/jianwei/.staged/{digest}.tar.gz", digest

    def unpack(self, version: str, **extra: str) -> tuple[int, str, str]:
        return self.run("unpack", *self.upload(bundle(version, extra)), version)


class Made(NamedTuple):
    """A bundle in a file."""

    path: str
    version: str
    sha256: str
    size: int


def made(folder: Path, version: str, **extra: str) -> Made:
    content = bundle(version, extra)
    path = folder / f"{version}.tar.gz"
    path.write_bytes(content)
    return Made(str(path), version, hashlib.sha256(content).hexdigest(), len(content))


def all_of_it(remote: Remote, folder: Path) -> None:
    """From nothing to two releases, one that is broken, back, and to nothing."""
    first, second, broken = made(folder, "1.0"), made(folder, "1.1"), made(folder, "1.2", broken="")
    told: list[int] = []
    files = {"jianwei.yaml": b"a: 1\n", "lines/a.yaml": b"l: 1\n"}
    assert hostside.look(remote).versions == ()
    hostside.upload(remote, first, told.append)
    assert told[-1] == first.size
    assert hostside.look(remote).staged == first.sha256
    for one in (first, second, broken):
        hostside.upload(remote, one, told.append)
        hostside.unpack(remote, one)
        hostside.configure(remote, files, one.version)
        if one is not broken:
            hostside.activate(remote, one.version, 60)
            continue
        with pytest.raises(
            HostError, match=r"1\.2 was not ready within 1 s: not ready: refused; 1\.1 is back$"
        ) as error:
            hostside.activate(remote, one.version, 1)
        assert any("Traceback: the agent is " in line for line in error.value.log)
        assert all(line.isprintable() for line in error.value.log)
    seen = hostside.look(remote)
    assert (seen.current, seen.previous, seen.ready, seen.staged) == ("1.1", "1.0", True, "")
    assert seen.config == hostside.digest(files)
    with pytest.raises(HostError, match=r"is not right: .*a: wrong"):
        hostside.configure(remote, {"jianwei.yaml": b"a: wrong\n"}, "1.1")
    hostside.rollback(remote, 60)
    assert hostside.look(remote).current == "1.0"
    assert "/opt/jianwei" in hostside.uninstall(remote, keep_state=False)
    assert hostside.look(remote).versions == ()
