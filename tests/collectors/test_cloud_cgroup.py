"""Cgroups of version 2: literal files, names of all engines, and a real cgroup of this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cloud.cgroup import CONTROLLERS, DISKSTATS, FILES, ROOT, CgroupCollector
from collectors.cloud.cgroupnames import Identity, identify
from collectors.model import Answer, Answers, Family, Glob, NeedMore, ParseError, Unavailable
from collectors.observe import observe
from collectors.sources.local import LocalSource
from tests.collectors.literal import Said, answer, parse, values

ID = "0123456789abcdef" * 4
UID = "0f6b3c1e-8d1a-4f43-9b53-0d8a0b1c2d3e"
SCOPE = f"{ROOT}/system.slice/docker-{ID}.scope"
ONE = CgroupCollector(patterns=("system.slice/docker-*.scope",))
LISTING = Glob(f"{ROOT}/system.slice/docker-*.scope", names=("cpu.stat",))

STATS = {
    "cpu.stat": "usage_usec 3000000\nuser_usec 2500000\nsystem_usec 500000\nnr_periods 10\n"
    "nr_throttled 4\nthrottled_usec 1500000\n",
    "cpu.max": "50000 100000\n",
    "cpu.pressure": "some avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n",
    "memory.current": "1000000\n",
    "memory.max": "2000000\n",
    "memory.peak": "1500000\n",
    "memory.stat": "anon 600\nfile 300\nfile_mapped 200\ninactive_file 100\npgfault 7\npgmajfault 1\n",
    "memory.events": "low 0\nhigh 0\nmax 5\noom 2\noom_kill 1\n",
    "io.stat": "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n259:1 rbytes=3\n",
    "pids.current": "4\n",
    "pids.max": "max\n",
}


def said(path: str = SCOPE, **files: str) -> dict[Glob | object, Said]:
    stats = {**STATS, **{name.replace("__", "."): text for name, text in files.items()}}
    return {
        CONTROLLERS: "cpu io memory pids\n",
        DISKSTATS: "   8  0 sda 1 2 3\n",
        LISTING: {f"{path}/cpu.stat": stats["cpu.stat"]},
        Glob(path, FILES): {f"{path}/{name}": text for name, text in stats.items() if text},
    }


def made(**files: str) -> dict[str, float]:
    """Values of what has one series, by name."""
    families = parse(ONE, said(**files))  # type: ignore[arg-type]
    return {
        name.removeprefix("container_"): family.samples[0].value
        for name, family in families.items()
        if len(family.samples) == 1
    }


def test_a_container() -> None:
    assert made() == {
        "jianwei_cgroup_info": 1,
        "jianwei_cgroups_left_out": 0,
        "cpu_usage_seconds_total": 3,
        "cpu_user_seconds_total": 2.5,
        "cpu_system_seconds_total": 0.5,
        "cpu_cfs_periods_total": 10,
        "cpu_cfs_throttled_periods_total": 4,
        "cpu_cfs_throttled_seconds_total": 1.5,
        "spec_cpu_quota": 50000,
        "spec_cpu_period": 100000,
        "memory_usage_bytes": 1000000,
        "memory_max_usage_bytes": 1500000,
        "memory_working_set_bytes": 999900,
        "memory_rss": 600,
        "memory_cache": 300,
        "memory_mapped_file": 200,
        "memory_failcnt": 5,
        "oom_events_total": 1,
        "spec_memory_limit_bytes": 2000000,
        "fs_reads_total": 1,
        "fs_writes_total": 2,
        "fs_writes_bytes_total": 20,
        "pressure_cpu_waiting_seconds_total": 1,
        "pressure_cpu_stalled_seconds_total": 0.5,
        "threads": 4,
    }


def test_labels() -> None:
    families = parse(ONE, said())  # type: ignore[arg-type]
    path = SCOPE.removeprefix(ROOT)
    assert values(families["container_cpu_usage_seconds_total"]) == {(path, ID, "total"): 3}
    assert values(families["container_fs_reads_bytes_total"]) == {
        (path, ID, "/dev/sda"): 10,
        (path, ID, "259:1"): 3,  # a device that is gone from /proc/diskstats
    }
    assert values(families["container_memory_failures_total"]) == {
        (path, ID, "pgfault", "container"): 7,
        (path, ID, "pgmajfault", "container"): 1,
    }
    assert values(families["jianwei_cgroup_info"]) == {(path, "container", ID, "docker", ""): 1}


def test_no_limit_is_no_number() -> None:
    unlimited = made(memory__max="max\n", cpu__max="max 100000\n")
    assert "spec_memory_limit_bytes" not in unlimited
    assert "spec_cpu_quota" not in unlimited
    assert unlimited["spec_cpu_period"] == 100000


def test_what_is_not_there_is_no_zero() -> None:
    """A controller that is off, a kernel without pressure, a cgroup that ended meanwhile."""
    got = made(**{name.replace(".", "__"): "" for name in FILES if name != "cpu.stat"})
    assert {name.split("_")[0] for name in got} == {"jianwei", "cpu"}
    families = parse(ONE, {**said(), Glob(SCOPE, FILES): {}})  # type: ignore[dict-item]
    assert families.keys() == {"jianwei_cgroup_info", "jianwei_cgroups_left_out"}


def test_a_host_without_version_2_says_so() -> None:
    """/sys/fs/cgroup of a host with version 1, or both, has no such file."""
    with pytest.raises(Unavailable, match=r"version 1 or of both .*unified_cgroup_hierarchy=1"):
        parse(ONE, {**said(), CONTROLLERS: Answer("absent")})  # type: ignore[dict-item]
    with pytest.raises(Unavailable, match="denied"):
        parse(ONE, {**said(), CONTROLLERS: Answer("denied")})  # type: ignore[dict-item]


def test_no_more_than_most_are_read() -> None:
    many = {
        f"{ROOT}/system.slice/docker-{n:064x}.scope/cpu.stat": "usage_usec 1\n" for n in range(9)
    }
    few = msgspec.structs.replace(ONE, most=3)
    all_said = {**said(), LISTING: many}
    with pytest.raises(NeedMore) as asked:
        list(few.parse(Answers({r: answer(it) for r, it in all_said.items()})))  # type: ignore[misc]
    assert len(asked.value.readings) == 3
    all_said |= {reading: {} for reading in asked.value.readings}
    families = parse(few, all_said)  # type: ignore[arg-type]
    assert families["jianwei_cgroups_left_out"].samples[0].value == 6
    assert len(families["jianwei_cgroup_info"].samples) == 3


def test_names_that_cannot_be_shown_are_counted() -> None:
    """Users may name cgroups of their own as they like."""
    odd = [f"{ROOT}/system.slice/docker-{it}.scope" for it in ("*", "a[b", "\ufffd", "x" * 600)]
    listed = {f"{path}/cpu.stat": "usage_usec 1\n" for path in odd}
    families = parse(ONE, {**said(), LISTING: listed})  # type: ignore[dict-item]
    assert families["jianwei_cgroups_left_out"].samples[0].value == 4


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        (f"/system.slice/docker-{ID}.scope", Identity("container", ID, "docker")),
        (f"/docker/{ID}", Identity("container", ID, "docker")),
        (f"/machine.slice/libpod-{ID}.scope", Identity("container", ID, "podman")),
        (f"/libpod_parent/libpod-{ID}", Identity("container", ID, "podman")),
        (
            f"/machine.slice/libpod-conmon-{ID}.scope",
            Identity("scope", f"libpod-conmon-{ID}.scope"),
        ),
        (f"/system.slice/nerdctl-{ID}.scope", Identity("container", ID, "containerd")),
        (
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID.replace('-', '_')}"
            f".slice/cri-containerd-{ID}.scope",
            Identity("container", ID, "containerd", UID),
        ),
        (
            f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/crio-{ID}.scope",
            Identity("container", ID, "cri-o", UID),
        ),
        (f"/kubepods/burstable/pod{UID}/{ID}", Identity("container", ID, "", UID)),
        (f"/kubepods/burstable/pod{UID}", Identity("pod", UID, "", UID)),
        ("/kubepods.slice/kubepods-burstable.slice", Identity("slice", "kubepods-burstable.slice")),
        (
            r"/machine.slice/machine-qemu\x2d3\x2dinstance\x2d0000002a.scope",
            Identity("machine", "qemu-3-instance-0000002a"),
        ),
        (r"/system.slice/a\x2db.service", Identity("service", "a-b.service")),
        (r"/system.slice/a\x0ab.service", Identity("service", r"a\x0ab.service")),
        (f"/docker-{ID[:-1]}.scope", Identity("scope", f"docker-{ID[:-1]}.scope")),
        ("/kubepods/burstable", Identity("other", "burstable")),
        ("/", Identity("other", "")),
    ],
)
def test_identities(path: str, identity: Identity) -> None:
    assert identify(path) == identity


@given(st.text())
def test_any_path_has_an_identity(path: str) -> None:
    identify(path)


@given(st.sampled_from(sorted(STATS)), st.text(max_size=30))
def test_a_damaged_file_is_a_parse_error_or_read(name: str, text: str) -> None:
    with contextlib.suppress(ParseError):
        made(**{name.replace(".", "__"): text})


@pytest.mark.parametrize("pattern", ["", "/system.slice", "../x", "a//b", "**", "a/../b"])
def test_patterns_stay_below_the_root(pattern: str) -> None:
    with pytest.raises(ValueError, match="a path below"):
        CgroupCollector(patterns=(pattern,))


# --- this machine ---------------------------------------------------------------------------------


def mounted() -> str:
    """Where this machine has cgroups of version 2, beside those of version 1 or alone."""
    lines = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next((fields[1] for fields in lines if fields[2] == "cgroup2"), "")


@pytest.fixture
def real() -> Iterator[Path]:
    """A cgroup of our own with a process in it that has used the CPU."""
    where = mounted()
    if os.getuid() != 0 or not where or not os.access(where, os.W_OK):
        pytest.skip("needs root and a file system cgroup2 that can be written")
    cgroup = Path(where, f"jianwei{os.getpid()}.slice")
    cgroup.mkdir()
    code = "n = sum(range(3_000_000)); print(n, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", f"input(); {code}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            (cgroup / "cgroup.procs").write_text(str(process.pid))
            assert process.stdin
            assert process.stdout
            process.stdin.write(b"\n")
            process.stdin.flush()
            process.stdout.readline()
            yield cgroup
        finally:
            process.kill()
            process.wait()
    cgroup.rmdir()


def test_a_real_cgroup(real: Path, tmp_path: Path) -> None:
    (tmp_path / "sys/fs").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup").symlink_to(real.parent)

    def usage() -> dict[str, int]:
        lines = (line.split() for line in (real / "cpu.stat").read_text().splitlines())
        return {key: int(value) for key, value in lines}

    before = usage()
    [seen] = observe(LocalSource(str(tmp_path)), [CgroupCollector(patterns=("jianwei*.slice",))])
    after = usage()
    assert not seen.failure, seen.reason
    families: dict[str, Family] = {it.name: it for it in seen.families}
    for ours, theirs in (("usage", "usage_usec"), ("user", "user_usec"), ("system", "system_usec")):
        [sample] = families[f"container_cpu_{ours}_seconds_total"].samples
        assert before[theirs] / 1e6 <= sample.value <= after[theirs] / 1e6
    assert before["usage_usec"] > 0
    info = values(families["jianwei_cgroup_info"])
    assert info == {(f"/{real.name}", "slice", real.name, "", ""): 1}
