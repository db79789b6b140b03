"""What `make bundle` builds: it runs where there is nothing but a kernel, and is the same each time."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.bundle import archive, contents, deb, debian, distributions, tree, wheel
from deploy.bundle.errors import BuildError
from tests import bundlelab

pytestmark = [
    pytest.mark.skipif(bool(bundlelab.unavailable()), reason=bundlelab.unavailable()),
    pytest.mark.timeout(300),  # whoever is first builds
]

# The busybox of Debian's busybox-static, which needs no C library, and nothing else
_APPLETS = (
    "ash",
    "cat",
    "grep",
    "id",
    "kill",
    "readlink",
    "sh",
    "sleep",
    "timeout",
    "wget",
)
_SPACES = ("--mount", "--net", "--pid", "--fork", "--kill-child")
_ENTER = """
mount -t proc proc "$1/proc"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
for d in null urandom; do touch "$1/dev/$d"; mount --bind "/dev/$d" "$1/dev/$d"; done
ip link set lo up
cd "$1"
exec env -i PATH=/bin HOME=/root "$3" . /bin/sh -c "$2"
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A system of busybox alone, with the bundle at a place of its own behind a link."""
    if os.geteuid() != 0 or not shutil.which("busybox"):
        pytest.skip("needs root and busybox-static")
    root = tmp_path_factory.mktemp("empty")
    for folder in ("bin", "dev", "etc", "proc", "root", "tmp", "var/lib", "opt/some where"):
        (root / folder).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "", root / "bin/busybox")
    for name in _APPLETS:
        (root / "bin" / name).symlink_to("busybox")
    subprocess.run(
        ["cp", "-a", str(bundlelab.tree()), str(root / "opt/some where/release")], check=True
    )
    (root / "opt/current").symlink_to("some where/release")
    (root / "bin/jianwei").symlink_to("/opt/current/bin/jianwei")
    return root


def inside(root: Path, script: str) -> subprocess.CompletedProcess[str]:
    chroot = shutil.which("chroot", path="/usr/sbin:/usr/bin") or "chroot"
    return subprocess.run(
        ["unshare", *_SPACES, "sh", "-euc", _ENTER, "-", str(root), script, chroot],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("/opt/current/bin/jianwei --version", 0, f"version {wheel.version()}"),
        ("jianwei --version", 0, f"version {wheel.version()}"),
        ("cd /bin && ./jianwei self-test", 0, "are ours, in /opt/some where/release/lib/"),
        ("jianwei once --collect cpu", 0, 'node_scrape_collector_success{collector="cpu"} 1.0'),
        ("jianwei audit --lang en --format json", 0, "host-basics"),
        ("jianwei probe 127.0.0.1", 0, "127.0.0.1"),
        ("jianwei path --lang en 127.0.0.1", 0, "127.0.0.1"),
        ("jianwei ipv6 --json", 0, '"score"'),
        ("jianwei check-config", 0, ""),
        ("jianwei check-config --print-default | cat", 0, "listen:"),
        ("jianwei hits list", 0, ""),
        ("jianwei history info --history /tmp/none.db", 2, "none.db"),
        ("jianwei interfaces --help", 0, "Usage"),
        ("jianwei cloud --help", 0, "Usage"),
        ("jianwei fleet --help", 0, "deploy"),
    ],
)
def test_runs_where_there_is_nothing(empty: Path, script: str, status: int, said: str) -> None:
    ran = inside(empty, script)
    assert ran.returncode == status, ran.stderr
    assert said in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_serves_metrics_and_audits_in_a_child(empty: Path) -> None:
    ran = inside(
        empty,
        "jianwei run >/dev/null & i=0; echo >/tmp/page;"
        " until grep -q '^jianwei_audit_success 1' /tmp/page; do"
        " sleep 0.5; i=$((i+1)); [ $i -lt 100 ] || break;"
        " wget -q -O /tmp/page http://127.0.0.1:9808/metrics; done;"
        " cat /proc/$!/comm /tmp/page; kill $!; wait $!",
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("jianwei\n")  # as ps shows it
    assert "node_cpu_seconds_total" in ran.stdout
    assert "jianwei_audit_success 1" in ran.stdout, ran.stderr


@pytest.mark.parametrize("command", ["console", "demo"])
def test_what_is_left_out_is_told_in_a_line(empty: Path, command: str) -> None:
    ran = inside(empty, f"jianwei {command}")
    assert ran.returncode == 2
    assert "use the full bundle" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_nothing_is_written_into_it_and_it_is_whole(empty: Path) -> None:
    """After the tests above."""
    release = empty / "opt/some where/release"
    assert {"BUNDLE", "VERSION", "host.sh", "jianwei.yaml", "logrotate", "systemd"} <= {
        file.name for file in (release / "share/jianwei").iterdir()
    }
    listed = (release / "MANIFEST.sha256").read_text().splitlines()
    files = {str(p.relative_to(release)) for p in release.rglob("*") if p.is_file()}
    files -= {"MANIFEST.sha256", "lib/jianwei"}
    assert {line.split("  ", 1)[1] for line in listed} == files
    subprocess.run(["sha256sum", "--quiet", "-c", "MANIFEST.sha256"], cwd=release, check=True)
    assert all(p.is_symlink() or not p.stat().st_mode & 0o022 for p in release.rglob("*"))


def test_the_host_s_python_is_not_asked(tmp_path: Path) -> None:
    """Neither variables nor the working folder change what is imported."""
    (tmp_path / "agents.py").write_text("raise SystemExit('not this one')")
    ran = subprocess.run(
        [str(bundlelab.tree() / "bin/jianwei"), "--version"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert wheel.version() in ran.stdout


def test_every_library_is_its_own() -> None:
    """What code is mapped into the process lies in the bundle."""
    release = bundlelab.tree()
    script = (
        "import ssl, sqlite3, numpy, cryptography.hazmat.bindings._rust, re2, bz2, lzma, uuid, ctypes\n"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if '/' in line and 'x' in line.split()[1]}, sep='\\n')"
    )
    ran = subprocess.run(
        [str(release / "bin/python3"), "-c", script], capture_output=True, text=True, check=True
    )
    foreign = [path for path in ran.stdout.split() if not path.startswith(str(release))]
    assert foreign == []


def test_sums_wheel_and_lock() -> None:
    folder = bundlelab.built().parent
    sums = (folder / "SHA256SUMS").read_text()
    assert {line.split("  ")[1] for line in sums.splitlines()} == {
        file.name for file in folder.iterdir() if file.is_file() and file.name != "SHA256SUMS"
    }
    subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
    lock = wheel.ROOT / "requirements.lock"
    assert (folder / "requirements.lock").read_bytes() == lock.read_bytes()
    with zipfile.ZipFile(folder / f"jianwei-{wheel.version()}-py3-none-any.whl") as packed:
        names = packed.namelist()
    assert "agents/fleet/host/opening.sh" in names
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/", "deploy/"))]


def test_the_list_of_parts_is_valid_and_complete() -> None:
    folder = bundlelab.built().parent
    text = (folder / f"jianwei-agent-{wheel.version()}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    told = json.loads(text)
    main = told["metadata"]["component"]
    assert (
        main["hashes"][0]["content"] == hashlib.sha256(bundlelab.built().read_bytes()).hexdigest()
    )
    parts = {part["name"]: part for part in told["components"]}
    locked = distributions.locked((wheel.ROOT / "requirements.lock").read_text())
    assert set(locked) - contents.AGENT.without == {
        name for name, part in parts.items() if part["purl"].startswith("pkg:pypi/")
    }
    assert all(part["version"] and part["licenses"] for part in parts.values())
    hashes = {one["content"] for one in parts["msgspec"]["externalReferences"][0]["hashes"]}
    assert hashes == set(locked["msgspec"].hashes)
    assert parts["libc6"]["version"] == debian.package("libc6").version
    assert {"python3.11-minimal", "libssl3", "libsqlite3-0", "libffi8"} <= set(parts)
    licences = bundlelab.tree() / "share/jianwei/LICENSES"
    assert {file.name for file in (licences / "debian").iterdir()} == {
        name for name, part in parts.items() if part["purl"].startswith("pkg:deb/")
    }


@pytest.fixture
def small(tmp_path: Path) -> tree.Made:
    """A tree with everything that an archive can have."""
    folder = tmp_path / "tree"
    (folder / "share/jianwei").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / archive.HEAD).write_text("name=jianwei-agent\n")
    (folder / "bin/jianwei").write_text("#!/bin/sh\n")
    (folder / "bin/jianwei").chmod(0o755)
    (folder / "link").symlink_to("bin/jianwei")
    return tree.Made(folder, "jianwei-agent", "1.2rc1", (), ())


def test_archives_of_equal_trees_are_equal(small: tree.Made, tmp_path: Path) -> None:
    one = archive.pack(small.folder, "top", tmp_path / "one.tar.gz", 1_000_000_000)
    again = shutil.copytree(small.folder, tmp_path / "elsewhere", symlinks=True)
    for file in again.rglob("*"):
        os.utime(file, (5, 5), follow_symlinks=False)
    other = archive.pack(again, "top", tmp_path / "other.tar.gz", 1_000_000_000)
    assert one.read_bytes() == other.read_bytes()
    with tarfile.open(one) as packed:
        entries = packed.getmembers()
    assert [entry.name for entry in entries[:4]] == [
        *("top", "top/share", "top/share/jianwei", f"top/{archive.HEAD}")
    ]
    assert {(e.uid, e.gid, e.uname, e.mtime) for e in entries} == {(0, 0, "root", 1_000_000_000)}
    assert gzip.decompress(one.read_bytes())[:3] == b"top"


def test_debian_packages_of_equal_trees_are_equal(small: tree.Made, tmp_path: Path) -> None:
    packed = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        packed.append(deb.build(small, tmp_path / name, tmp_path / name, 1_000_000_000))
    assert packed[0].read_bytes() == packed[1].read_bytes()
    assert packed[0].name == "jianwei-agent_1.2~rc1_amd64.deb"
    listed = debian.told("dpkg-deb", "--contents", str(packed[0]))
    assert "root/root" in listed
    assert "./opt/jianwei/1.2rc1/bin/jianwei" in listed
    control = tmp_path / "control"
    debian.told("dpkg-deb", "--control", str(packed[0]), str(control))
    for script in ("preinst", "postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", str(control / script)], check=True)


def test_code_compiled_elsewhere_and_in_another_order_is_equal(tmp_path: Path) -> None:
    sources = sorted((wheel.ROOT / "collectors/link").glob("*.py"))[:20]
    made = []
    for name, order in (("one", 1), ("two", -1)):
        copy = shutil.copytree(wheel.ROOT / "collectors/link", tmp_path / name / "source")
        (tmp_path / name / "made").mkdir()
        tree.compile_all(
            [
                (str(copy / file.name), str(tmp_path / name / "made" / file.name), file.name, True)
                for file in sources[::order]
            ]
        )
        made.append([(tmp_path / name / "made" / file.name).read_bytes() for file in sources])
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in b"".join(made[0])


def test_wheels_of_one_commit_are_equal(tmp_path: Path) -> None:
    first = (bundlelab.built().parent / f"jianwei-{wheel.version()}-py3-none-any.whl").read_bytes()
    assert wheel.build(tmp_path).read_bytes() == first


def test_a_lock_without_hashes_is_refused() -> None:
    with pytest.raises(BuildError, match="without version or hash: click==8"):
        distributions.locked("click==8.1.0\n")


def test_another_version_than_the_lock_s_is_refused() -> None:
    with pytest.raises(BuildError, match=r"the lock has 0\.0\.1; run make dev"):
        distributions.installed(distributions.Locked("click", "0.0.1", ()))
