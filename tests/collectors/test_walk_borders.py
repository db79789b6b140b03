"""Walks at the borders of file systems: layers, mount points, subvolumes, and paths beyond PATH_MAX."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.model import Walk
from collectors.sources.local import LocalSource
from collectors.sources.ssh import walks as sshwalks
from tests.collectors.test_walks import decoded, paths, tree, walked
from tests.shellhost import SHELLS, ask

mounting = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare"
)
PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
from collectors.model import Walk
from collectors.sources import walks
walks.SUBVOLUME = int(sys.argv[3])
seen = walks.walk(Walk(tuple(sys.argv[4:])), sys.argv[2])
print(json.dumps([sorted(row.path for row in seen.noted), seen.unread]))
"""


def mounted(root: Path, mounts: str, *roots: str, subvolume: int = 256) -> list[list[str]]:
    """What is noted and what is not read of `roots` after the `mounts`, which are of a namespace."""
    checkout = str(Path(__file__).parents[2])
    argv = (sys.executable, "-c", PROGRAM, checkout, str(root), str(subvolume), *roots)
    script = f'cd "$0" && {mounts} && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, str(root), *argv], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


@mounting
def test_a_file_of_another_layer_is_seen(tmp_path: Path) -> None:
    """As overlay(5) shows it: the file has a device that its directory has not."""
    root = tree(tmp_path / "root")
    (root / "bin/low").write_text("")
    layer = "mount -t tmpfs none tmp && touch tmp/su && chmod 4755 tmp/su && mount --bind tmp/su bin/low"
    noted, unread = mounted(root, layer, "/")
    assert "/bin/low" in noted
    assert unread == []


@mounting
def test_a_mount_point_anybody_may_write_is_seen_once(tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    (root / "srv/in").chmod(0o755)
    mount = "mount -t tmpfs -o mode=777 none srv/in"
    for roots in (("/",), ("/", "/srv/in"), ("/srv/in",)):
        noted, _ = mounted(root, mount, *roots)
        assert noted.count("/srv/in") == 1


@mounting
def test_what_no_walk_comes_by_is_not_complete(tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    # the top of every tmpfs has the number 1, as that of every subvolume has 256
    mounts = "mount -t tmpfs none home && mkdir home/sub && mount -t tmpfs none home/sub"
    assert mounted(root, mounts, "/home", subvolume=1)[1] == ["/home/sub"]
    assert mounted(root, mounts, "/home", "/home/sub", subvolume=1)[1] == []
    assert mounted(root, mounts, "/", subvolume=1)[1] == []  # not of the same kind


def test_what_no_find_comes_by_is_not_complete() -> None:
    rows = b"v 44 /\0v 45 /home\0v 45 /x/256\0v 46 /home/li/sub\0v 47 /var/sub\0v 9 /ext4/256\0"
    seen = sshwalks.parse(rows, True, ("/", "/home", "/ext4", "/x"))
    assert seen.unread == ("/home/li/sub", "/var/sub")
    assert sshwalks.parse(rows, True, ("/home",)).unread == ("/home/li/sub",)


@pytest.mark.parametrize("shell", sorted(set(SHELLS) - {"busybox"}))
def test_the_root_of_a_walk_is_noted(tmp_path: Path, shell: str) -> None:
    root = tree(tmp_path / "root")
    assert paths(walked(root, roots=("/srv/in",))) == ["/srv/in"]
    assert paths(walked(root, roots=("/", "/srv/in"))).count("/srv/in") == 1
    both = Walk((str(root), f"{root}/srv/in"))
    told = decoded(ask(SHELLS[shell], both)[both])
    assert paths(told) == paths(decoded(LocalSource().answer([both])[both]))


def test_a_path_longer_than_the_kernel_takes(tmp_path: Path) -> None:
    root = tree(tmp_path / "root")
    here, name = os.open(root / "srv", os.O_RDONLY), "d" * 200
    for _ in range(25):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("su", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.fchmod(file, 0o4755)
    os.close(file)
    os.close(here)
    seen = walked(root)
    assert seen.unread == ()
    assert f"/srv/{f'{name}/' * 25}su" in paths(seen)
    shutil.rmtree(root)
