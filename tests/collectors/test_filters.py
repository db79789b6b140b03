"""Patterns for names: ours without re2, the user's with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from collectors.filters import OwnRegex, keeper, matcher
from collectors.host.diskstats import PARTITIONS
from collectors.host.filesystem import POINTS, TYPES
from collectors.host.netdev import LOOPBACK
from collectors.host.systemd import NOT_SERVICES
from collectors.strictyaml import Regex

NAMES = (
    *("", "lo", "lo0", "vlo", "sda", "sda1", "nvme0n1p1", "nvme0n1", "loop7", "xvdb2", "dm-0"),
    *("/", "/dev", "/dev/shm", "/devel", "/proc/x", "/run", "/mnt", "/mnt/x", "/var/lib/docker"),
    *(
        "/var/lib/docker/overlay2/x",
        "/var/lib/dockers/x",
        "/srv/归档",
        "tmpfs",
        "cgroup",
        "cgroup2",
    ),
    *("ext4", "ssh.service", "a.device", "b.mount", "basic.target", "c.timer", "sda١"),
)


@pytest.mark.parametrize("own", [PARTITIONS, POINTS, TYPES, LOOPBACK, NOT_SERVICES])
def test_our_defaults_mean_the_same_to_re_and_to_re2(own: OwnRegex) -> None:
    import re2

    user_s = re2.compile(str(own))
    assert [bool(matcher(own)(name)) for name in NAMES] == [
        bool(user_s.search(name)) for name in NAMES
    ]


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        ("", "", {"eth0", "eth1", "lo"}),
        ("eth", "", {"eth0", "eth1"}),
        ("", "^lo$", {"eth0", "eth1"}),
        ("eth", "1$", {"eth0"}),
        ("lo", "lo", set()),
    ],
)
def test_a_name_is_kept_if_included_and_not_excluded(
    include: str, exclude: str, kept: set[str]
) -> None:
    keep = keeper(Regex(include), Regex(exclude))
    assert {name for name in ("eth0", "eth1", "lo") if keep(name)} == kept


def test_no_pattern_of_a_user_can_hang() -> None:
    assert not matcher(Regex("(a*)*(a*)*(a*)*b$"))("a" * 5000)


def test_default_settings_do_without_heavy_modules() -> None:
    script = (
        "import sys; from collectors.catalogue import COLLECTORS;"
        "from collectors.observe import observe; from collectors.sources.local import LocalSource;"
        "observe(LocalSource(), [e.cls() for e in COLLECTORS.values() if e.on and e.metrics and e.cls.name != 'textfile']);"
        "print(*sorted({'re2', 'cel', 'paramiko', 'scapy', 'prometheus_client'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "\n"
