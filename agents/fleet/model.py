"""What deploying to many hosts is about: who is to have what, what is there, what is done, how it ended.

A host, as `host.sh` leaves it (docs/fleet.md):

    /opt/jianwei/<version>/   a release: the unpacked bundle, root's, read-only to others
    /opt/jianwei/current      a link to the release that runs; `previous` to the one before
    /etc/jianwei/             jianwei.yaml (0640 root:jianwei) and what it names
    /var/lib/jianwei/         the agent's state; uninstall leaves it only with --keep-state
    /etc/systemd/system/jianwei-agent.service
    /usr/local/bin/jianwei    a link to the release's program, if nothing else had the name
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

import msgspec

from collectors.link.lines import Level
from collectors.sources.ssh.settings import SshSettings
from collectors.strictyaml import Secret

PREFIX: Final = "/opt/jianwei"
PORT: Final = 9808

Rise = Literal["none", "sudo"]
StepName = Literal["upload", "unpack", "configure", "activate", "rollback", "remove", "uninstall"]
State = Literal[
    "waiting",
    "running",
    "changed",
    "unchanged",
    "failed",
    "refused",  # reached, and not let in: its key, ours, a password, sudo
    "unreachable",
    "skipped",
]
BAD: Final[Collection[State]] = ("failed", "refused", "unreachable")


class FleetHost(msgspec.Struct, frozen=True, kw_only=True):
    """One host, with everything of its groups and the defaults already in it.

    `address` is ssh://[user@]host[:port]; `ssh` is complete (jump hosts, keys, deadlines); `sudo_password`
    None is `sudo -n`. `variables` fill the configuration `config` (a file beside the inventory; empty: the
    default one). `agent` is host:port as Prometheus and the console reach the agent, empty where they do
    not; `region` and what follows are labels.
    """

    name: str
    address: str
    ssh: SshSettings = SshSettings()
    rise: Rise = "none"
    sudo_password: Secret | None = None
    groups: tuple[str, ...] = ()
    department: str = ""
    system: str = ""
    region: str = ""
    level: Level | None = None
    owner: str = ""
    agent: str = ""
    scheme: Literal["http", "https"] = "http"
    labels: Mapping[str, str] = {}
    variables: Mapping[str, str] = {}
    config: str = ""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What `host.sh look` told of a host. Versions are names of releases, in the order they were put there;
    `config` and `unit` are the SHA-256 of the files in force, empty if there is none; `free` in bytes, of the
    file system of PREFIX; `ready`: the agent that runs told systemd that it serves, and within the
    watchdog's time that it lives; where the unit has no watchdog, what /-/ready answers. `bundles`: version →
    the SHA-256 of the bundle it came from, `damaged`, or `console` for install.sh; none for what dpkg put there."""

    arch: str
    system: str  # ID and VERSION_ID of os-release(5)
    libc: str = ""
    systemd: str = ""
    free: int = 0
    versions: tuple[str, ...] = ()
    bundles: Mapping[str, str] = {}
    current: str = ""
    previous: str = ""
    bundle_name: str = ""  # what the bundle of `current` calls itself; empty where nobody noted it
    config: str = ""
    unit: str = ""
    active: bool = False
    enabled: bool = False
    ready: bool = False
    since: int = 0  # Unix time of the agent's start; 0 where it does not run or nobody knows
    foreign: bool = False  # a unit or a configuration is there that no release of PREFIX goes with
    staged: str = ""  # SHA-256 of a bundle that was uploaded whole and not yet unpacked


class Step(msgspec.Struct, frozen=True):
    """One thing to do on a host, and why, in words."""

    name: StepName
    why: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a host ended. `problem` is one line that says what is wrong and what to do."""

    host: str
    state: State
    before: str = ""  # versions
    after: str = ""
    steps: tuple[Step, ...] = ()
    problem: str = ""
    seconds: float = 0.0
