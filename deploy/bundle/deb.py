"""The agent's tree as a Debian package, which leaves all doing on the host to host.sh.

Formats: deb(5), deb-control(5); maintainer scripts as the Debian Policy, chapter 6, calls them.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from agents.fleet import hostprogram
from deploy.bundle.errors import BuildError
from deploy.bundle.tree import Made

_CONTROL = """\
Package: jianwei-agent
Version: {version}
Architecture: amd64
Maintainer: Jianwei <jianwei@users.noreply.example>
Installed-Size: {size}
Depends: systemd, util-linux
Section: admin
Priority: optional
Description: Jianwei agent (见微)
 Usage, lines, IPv6 and baseline of a host for Prometheus and the review console.
 It brings its own interpreter and libraries.
"""

# What a fleet or install.sh put there is theirs to change; dpkg knows nothing of it and would mix the two.
# dpkg takes the files of the version before away as soon as it has unpacked the new one: they are kept
# aside, for an activation that fails and goes back.
_PREINST = """\
#!/bin/sh
set -e
for record in /opt/jianwei/.bundle.*; do
    [ -e "$record" ] || continue
    echo "jianwei-agent: release ${{record#*/.bundle.}} in /opt/jianwei was put there by jianwei fleet or by install.sh:" >&2
    echo "upgrade it that way, or remove it first: /opt/jianwei/current/share/jianwei/host.sh uninstall" >&2
    exit 1
done
before=$(readlink /opt/jianwei/current 2>/dev/null || :)
if [ "$1" = upgrade ] && [ -x "/opt/jianwei/$before/bin/jianwei" ] && [ "$before" != "{version}" ]; then
    rm -rf /opt/jianwei/.before
    mkdir /opt/jianwei/.before
    cp -al "/opt/jianwei/$before" /opt/jianwei/.before/
fi
"""
_POSTINST = """\
#!/bin/sh
set -e
for kept in /opt/jianwei/.before/*; do
    [ -d "$kept" ] || continue
    place=/opt/jianwei/${{kept##*/}}
    if [ ! -x "$place/bin/jianwei" ]; then
        rm -rf "$place"
        mv "$kept" "$place"
    fi
done
rm -rf /opt/jianwei/.before
[ "$1" = configure ] || exit 0
[ -d /run/systemd/system ] || exit 0 # an image that is being made: nothing runs yet
exec sh /opt/jianwei/{version}/share/jianwei/host.sh install
"""
_PRERM = """\
#!/bin/sh
set -e
[ "$1" = remove ] && [ -d /run/systemd/system ] || exit 0
systemctl disable --now --quiet jianwei-agent.service 2>/dev/null || :
"""
# The tree is gone by then: host.sh comes along
_POSTRM = """\
#!/bin/sh
set -e
if [ "$1" = remove ]; then # configuration, state and user stay for a purge; the release before goes too
    rm -rf /opt/jianwei/* /opt/jianwei/.[!.]*
    rm -f /etc/systemd/system/jianwei-agent.service /etc/logrotate.d/jianwei
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
fi
[ "$1" = purge ] || exit 0
exec sh -s -- uninstall <<'HOST_SH'
{host}
HOST_SH
"""


def build(made: Made, scratch: Path, into: Path, epoch: int, level: int = 6) -> Path:
    """The package's path in the folder `into`; `scratch` is on the file system of the tree, `level` gzip's."""
    version = debian_version(made.version)
    root = scratch / "deb"
    place = root / "opt/jianwei"
    place.mkdir(parents=True)
    subprocess.run(["cp", "-al", str(made.folder), str(place / made.version)], check=True)
    (place / ".deb").write_text(f"{made.version}\n")  # host.sh: whose it is
    size = sum(file.lstat().st_size for file in made.folder.rglob("*")) >> 10
    control = root / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(_CONTROL.format(version=version, size=size))
    host = hostprogram.text()
    scripts = {"preinst": _PREINST, "postinst": _POSTINST, "prerm": _PRERM, "postrm": _POSTRM}
    for name, text in scripts.items():
        (control / name).write_text(text.format(version=made.version, host=host))
    for path in (root, *root.rglob("*")):
        if path.is_relative_to(place / made.version):
            continue
        path.chmod(0o755 if path.is_dir() or path.name in scripts else 0o644)
    result = into / f"jianwei-agent_{version}_amd64.deb"
    ran = subprocess.run(
        [
            "dpkg-deb",
            "--root-owner-group",
            "-Zgzip",
            f"-z{level}",
            "--build",
            str(root),
            str(result),
        ],
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise BuildError(f"dpkg-deb: {ran.stderr.strip()[-500:]}")
    return result


def debian_version(version: str) -> str:
    """A version of Python's (PEP 440) so that dpkg orders it as it is meant."""
    return re.sub(r"\.?(a|b|rc|dev)(?=\d)", r"~\1", version)
