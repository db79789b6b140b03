"""Docker, containerd, Podman and the kubelet as facts; what grep(1) picks is picked by the real one."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.containers import dockerflags, engines
from collectors.containers.docker import CONFIG, DockerCollector
from collectors.containers.dockercontainers import (
    DockerContainersCollector,
    command,
    parse_containers,
)
from collectors.containers.engines import KUBELET, POLICY, REGISTRIES, EnginesCollector
from collectors.containers.hostpaths import is_disk, is_sensitive, plain
from collectors.model import Answer, Collector, Command, Fact, ParseError, Reading
from collectors.observe import observe
from collectors.sources.local import LocalSource

SECRET = "never to be read"


class Tree:
    """A tree as a host: programs run with the tree's path in front of theirs."""

    def __init__(self, root: Path) -> None:
        self._root, self._source = root, LocalSource(str(root))
        self.answers: list[Answer] = []

    def answer(self, readings: Sequence[Reading]) -> dict[Reading, Answer]:
        plain = [it for it in readings if not isinstance(it, Command)]
        found = dict(self._source.answer(plain))
        for reading in readings:
            if isinstance(reading, Command):
                found[reading] = self._run(reading)
        self.answers += found.values()
        return found

    def _run(self, reading: Command) -> Answer:
        argv = [f"{self._root}{it}" if it.startswith("/") else it for it in reading.argv]
        done = subprocess.run(argv, capture_output=True, check=False)
        if done.returncode not in reading.ok:
            return Answer("failed", reason=f"exit status {done.returncode}")
        return Answer("content", done.stdout.replace(str(self._root).encode(), b""))


def tree(root: Path, files: dict[str, str]) -> Tree:
    for path, content in files.items():
        where = root / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(content)
    return Tree(root)


def seen(collector: Collector, source: Tree) -> dict[str, Fact]:
    (one,) = observe(source, [collector])
    return {fact.name: fact for fact in one.facts}


DOCKERD = {"/usr/sbin/dockerd": ""}
UNIT = "/lib/systemd/system/docker.service"
DROPINS = "/etc/systemd/system/docker.service.d"
EXEC = "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS\n"


def docker(root: Path, files: dict[str, str]) -> Fact:
    return seen(DockerCollector(), tree(root, {**DOCKERD, **files}))["docker"]


def test_no_docker(tmp_path: Path) -> None:
    source = tree(tmp_path, {})
    assert seen(DockerCollector(), source)["docker"].value == {"installed": False}
    assert seen(DockerContainersCollector(), source)["docker_containers"].value == []


def test_defaults_of_dockerd(tmp_path: Path) -> None:
    value = docker(tmp_path, {UNIT: EXEC}).value
    assert value["icc"]
    assert value["iptables"]
    assert not value["live_restore"]
    assert not value["no_new_privileges"]
    assert (value["log_driver"], value["log_max_size"], value["userns_remap"]) == (
        "json-file",
        "",
        "",
    )
    assert [host["address"] for host in value["hosts"]] == ["fd://"]


def test_options_of_the_file(tmp_path: Path) -> None:
    said = {
        "icc": False,
        "live-restore": True,
        "log-driver": "syslog",
        "log-opts": {"max-size": "10m", "max-file": "3", "splunk-token": SECRET},
        "default-ulimits": {"nofile": {"Name": "nofile", "Hard": 64000, "Soft": 1}},
        "insecure-registries": ["127.0.0.0/8", "registry.example:5000"],
        "hosts": ["tcp://127.0.0.1:2376", "unix:///run/docker.sock"],
        "tlsverify": True,
    }
    fact = docker(tmp_path, {CONFIG.path: json.dumps(said)})
    value = fact.value
    assert (value["icc"], value["live_restore"], value["tlsverify"]) == (False, True, True)
    assert value["insecure_registries"] == ["registry.example:5000"]
    assert value["default_ulimits"] == {"nofile": 64000}
    assert [(it["kind"], it["loopback"], it["verified"]) for it in value["hosts"]] == [
        ("tcp", True, True),
        ("unix", True, True),
    ]
    assert SECRET not in json.dumps(value)
    assert fact.sources["icc"] == CONFIG.path


OVERRIDE = """[Service]
Environment="HTTP_PROXY=http://user:never to be read@proxy:3128"
ExecStart=
ExecStart=/usr/sbin/dockerd -H fd:// \\
  -H tcp://0.0.0.0:2375 --icc=false \\
  --log-opt max-size=10m --insecure-registry registry.example $DOCKER_OPTS
"""


def test_options_of_the_command_line(tmp_path: Path) -> None:
    source = tree(
        tmp_path,
        {
            **DOCKERD,
            UNIT: EXEC,
            f"{DROPINS}/a.conf": OVERRIDE,
            f"{DROPINS}/b.conf": "[Service]\n#ExecStart=/usr/sbin/dockerd\nTasksMax=1\n",
            "/etc/default/docker": '# DOCKER_OPTS="--icc=true"\nDOCKER_OPTS="--live-restore --userns-remap default"\nexport http_proxy=http://user:never to be read@proxy\n',
        },
    )
    fact = seen(DockerCollector(), source)["docker"]
    value = fact.value
    assert [it["address"] for it in value["hosts"]] == ["fd://", "tcp://0.0.0.0:2375"]
    assert [it["verified"] for it in value["hosts"]] == [True, False]
    assert (value["icc"], value["live_restore"], value["userns_remap"]) == (False, True, "default")
    assert (value["log_max_size"], value["insecure_registries"]) == ("10m", ["registry.example"])
    assert fact.sources["hosts"] == f"{DROPINS}/a.conf:4"
    assert not any(SECRET.encode() in answer.content for answer in source.answers)


def test_a_unit_of_etc_hides_that_of_the_package(tmp_path: Path) -> None:
    own = "[Service]\nExecStart=/usr/bin/dockerd --no-new-privileges\n"
    fact = docker(tmp_path, {UNIT: EXEC, "/etc/systemd/system/docker.service": own})
    assert fact.value["no_new_privileges"]
    assert fact.value["hosts"] == []


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"icc": "maybe"}', '{"hosts": "x"}', '{"log-opts": 1}', '{"ip": 1}', "[" * 5000],
)
def test_a_file_that_dockerd_would_not_take(tmp_path: Path, content: str) -> None:
    fact = docker(tmp_path, {CONFIG.path: content})
    assert fact.value is None
    assert fact.unavailable.startswith("parse:")


# --- containers ---------------------------------------------------------------------------------


def container(root: str, name: str, config: dict[str, Any], host: dict[str, Any]) -> dict[str, str]:
    folder = f"{root}/containers/{name * 16}"
    compact = (",", ":")
    return {
        f"{folder}/config.v2.json": json.dumps(config, separators=compact),
        f"{folder}/hostconfig.json": json.dumps(host, separators=compact),
    }


PLAIN = {
    "Binds": None,
    "LogConfig": {"Type": "splunk", "Config": {"splunk-token": SECRET}},
    "NetworkMode": "default",
    "CapAdd": None,
    "CapDrop": None,
    "PidMode": "",
    "IpcMode": "private",
    "Privileged": False,
    "SecurityOpt": None,
    "UTSMode": "",
    "UsernsMode": "",
    "ReadonlyRootfs": False,
    "Memory": 0,
    "PidsLimit": None,
}
STATE = {
    "State": {"Running": True},
    "Config": {
        "User": "",
        "Env": [f"DB_PASSWORD={SECRET}", 'X="Privileged":true'],
        "Labels": {"PidMode": "host", "User": "nobody", "Name": "/other"},
    },
    "Name": "/web",
}


def containers(root: Path, files: dict[str, str], **more: str) -> tuple[list[dict[str, Any]], Tree]:
    source = tree(root, {**DOCKERD, **files, **more})
    fact = seen(DockerContainersCollector(), source)["docker_containers"]
    assert fact.unavailable == ""
    return fact.value, source


def test_a_container_as_docker_makes_it(tmp_path: Path) -> None:
    (row,), source = containers(tmp_path, container("/var/lib/docker", "aaaa", STATE, PLAIN))
    assert row == {
        "id": "aaaaaaaaaaaa",
        "name": "web",
        "running": True,
        "privileged": False,
        "network": "default",
        "pid": "",
        "ipc": "private",
        "uts": "",
        "userns": "",
        "capabilities": [],
        "mounts": [],
        "devices": [],
        "sensitive": [],
        "socket": False,
        "unconfined": False,
        "no_new_privileges": False,
        "read_only": False,
        "memory": 0,
        "pids_limit": 0,
        "root": True,
        "source": f"/var/lib/docker/containers/{'aaaa' * 16}",
    }
    assert not any(SECRET.encode() in answer.content for answer in source.answers)


def test_a_container_with_everything(tmp_path: Path) -> None:
    host: dict[str, Any] = (
        {"Annotations": {"PidMode": ""}}
        | PLAIN
        | {
            "Binds": ["/:/host:ro", "/srv/[a]:/srv", "/var/run/docker.sock:/x"],
            "Mounts": [
                {"Type": "bind", "Source": "/etc", "Target": "/y"},
                {"Type": "bind", "Source": "/etc/app", "Target": "/a", "ReadOnly": True},
                {"Type": "bind", "Source": "/etc/cron.d", "Target": 'ReadOnly":true'},
                {"Type": "volume", "Source": "data"},
            ],
            "Devices": [
                {"PathOnHost": "/dev/sda", "PathInContainer": "/dev/x", "CgroupPermissions": "r"},
                {"PathOnHost": "/dev/dri/card0", "PathInContainer": "/dev/dri/card0"},
            ],
            "NetworkMode": "host",
            "PidMode": "host",
            "CapAdd": ["sys_admin", "CAP_CHOWN", "NET_ADMIN"],
            "Privileged": True,
            "SecurityOpt": ["no-new-privileges", "seccomp=unconfined"],
            "PidsLimit": -1,
            "Memory": 536870912,
        }
    )
    config = STATE | {"Config": {"User": "1000:1000"}, "State": {"Running": False}}
    (row,), _ = containers(tmp_path, container("/var/lib/docker", "bbbb", config, host))
    assert row["capabilities"] == ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]
    assert (row["privileged"], row["network"], row["pid"], row["socket"]) == (
        True,
        "host",
        "host",
        True,
    )
    assert (row["unconfined"], row["no_new_privileges"]) == (True, True)
    assert (row["memory"], row["pids_limit"], row["root"], row["running"]) == (
        536870912,
        0,
        False,
        False,
    )
    assert row["sensitive"] == ["/", "/etc", "/etc/cron.d", "/dev/sda"]
    assert row["devices"] == ["/dev/sda", "/dev/dri/card0"]
    assert row["mounts"][:3] == ["/", "/srv/[a]", "/run/docker.sock"]


@pytest.mark.parametrize(
    ("path", "writable", "sensitive"),
    [
        *((path, False, True) for path in ("/", "//", "/var", "/home", "/var/lib", "//etc")),
        *((path, False, True) for path in ("/etc/../etc/", "/etc/shadow", "/root/.ssh", "/boot/x")),
        *((path, False, True) for path in ("/dev/sda", "/home/a/.ssh/id_rsa", "/var/run")),
        *((path, False, True) for path in ("/var/lib/docker/volumes", "/var/spool/cron/crontabs")),
        *((path, True, True) for path in ("/etc/cron.d", "/usr/bin", "/lib/systemd", "/proc/sys")),
        *((path, True, True) for path in ("/etc/nginx/nginx.conf", "/usr/local/bin/x")),
        *((path, False, False) for path in ("/etc/nginx/nginx.conf", "/lib/modules")),
        *(
            (path, True, False)
            for path in ("/etc/localtime", "/srv", "/home/app/data", "/etcetera")
        ),
        *(
            (path, True, False)
            for path in ("/var/lib/mysql", "/var/log/nginx", "/dev/shm", "/data")
        ),
    ],
)
def test_paths_that_are_the_host(path: str, writable: bool, sensitive: bool) -> None:
    assert is_sensitive(plain(path), writable) is sensitive


@pytest.mark.parametrize(
    ("path", "disk"),
    [
        *((path, True) for path in ("/dev", "/dev/sda1", "/dev//nvme0n1", "/dev/mapper/root")),
        *((path, True) for path in ("/dev/mem", "/dev/dm-0", "/dev/disk/by-id/x", "/dev/md/0")),
        *((path, False) for path in ("/dev/dri", "/dev/nvidia0", "/dev/ttyUSB0", "/dev/snd")),
    ],
)
def test_devices_that_are_the_host(path: str, disk: bool) -> None:
    assert is_disk(plain(path)) is disk


def test_another_data_root(tmp_path: Path) -> None:
    files = {CONFIG.path: '{"data-root": "/data/docker"}'}
    (row,), _ = containers(tmp_path, {**files, **container("/data/docker", "cccc", STATE, PLAIN)})
    assert row["source"].startswith("/data/docker/containers/cccc")
    assert containers(tmp_path / "b", files)[0] == []


def test_what_may_not_be_looked_at_is_unknown() -> None:
    class Refusing:
        def answer(self, readings: Sequence[Reading]) -> dict[Reading, Answer]:
            rows = b'[{"path":"/usr/bin/dockerd","kind":"file","mode":493,"uid":0,"gid":0}]'
            return {
                it: Answer("denied", reason="permission denied")
                if "containers" in str(it)
                else Answer("content", rows if "bin/dockerd" in str(it) else b"")
                if not isinstance(it, type(CONFIG))
                else Answer("absent")
                for it in readings
            }

    (one,) = observe(Refusing(), [DockerContainersCollector()])
    assert one.facts[0].unavailable.startswith("denied")


# --- containerd, Podman, the kubelet ------------------------------------------------------------


def test_nothing_is_installed(tmp_path: Path) -> None:
    found = seen(EnginesCollector(), tree(tmp_path, {}))
    assert found["container_engines"].value == []
    for name in ("containerd", "podman", "kubelet"):
        assert found[name].value == {"installed": False}


TOML = """version = 2
[grpc]
  tcp_address = "0.0.0.0:10010"
# insecure_skip_verify = true
[plugins."io.containerd.grpc.v1.cri".registry.configs."r".auth]
  password = "never to be read"
[plugins."io.containerd.grpc.v1.cri".registry.configs."a".tls]
  insecure_skip_verify = true
[plugins."io.containerd.grpc.v1.cri".registry.configs."b".tls]
  insecure_skip_verify = false
"""


def test_containerd(tmp_path: Path) -> None:
    source = tree(tmp_path, {"/usr/bin/containerd": "", "/etc/containerd/config.toml": TOML})
    fact = seen(EnginesCollector(), source)["containerd"]
    assert fact.value == {
        "installed": True,
        "tcp_address": "0.0.0.0:10010",
        "insecure_skip_verify": True,
        "disable_apparmor": False,
    }
    assert fact.sources["insecure_skip_verify"] == "/etc/containerd/config.toml:8"
    assert not any(SECRET.encode() in answer.content for answer in source.answers)
    none = seen(EnginesCollector(), tree(tmp_path / "b", {"/usr/bin/containerd": ""}))["containerd"]
    assert none.value["tcp_address"] == ""


@pytest.mark.parametrize(
    ("registries", "insecure"),
    [
        ("", []),
        ('[[registry]]\nlocation = "a"\ninsecure = true\n[[registry]]\nlocation = "b"\n', ["a"]),
        (
            '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "m"\ninsecure = true\n',
            ["m"],
        ),
        ('[registries.insecure]\nregistries = ["old"]\n', ["old"]),
        ("# [[registry]]\n# insecure = true\n", []),
    ],
)
def test_podman(tmp_path: Path, registries: str, insecure: list[str]) -> None:
    files = {
        "/usr/bin/podman": "",
        REGISTRIES.path: registries,
        POLICY.path: '{"default": [{"type": "insecureAcceptAnything"}]}',
    }
    value = seen(EnginesCollector(), tree(tmp_path, files))["podman"].value
    assert value == {
        "installed": True,
        "insecure_registries": insecure,
        "policy": "insecureAcceptAnything",
    }


def test_a_kubelet(tmp_path: Path) -> None:
    said = "authentication: {anonymous: {enabled: true}}\nreadOnlyPort: 10255\n"
    value = seen(EnginesCollector(), tree(tmp_path, {KUBELET.path: said}))["kubelet"].value
    assert value == {
        "installed": True,
        "anonymous": True,
        "authorization": "Webhook",
        "read_only_port": 10255,
        "protect_kernel_defaults": False,
        "rotate_certificates": False,
    }


def test_modes(tmp_path: Path) -> None:
    source = tree(tmp_path, {CONFIG.path: "{}", "/usr/bin/podman": ""})
    (tmp_path / CONFIG.path[1:]).chmod(0o666)
    rows = seen(EnginesCollector(), source)["container_files"].value
    by_path = {row["path"]: row for row in rows}
    assert by_path[CONFIG.path]["mode_octal"] == "0666"
    assert by_path["/etc/docker"]["kind"] == "directory"


# --- whatever the bytes -------------------------------------------------------------------------


def podman_of(text: str) -> object:
    return engines._insecure(engines._toml(text, "x"), "x")


PARSERS: list[Callable[[str], object]] = [
    lambda it: dockerflags._exec_start(it),
    lambda it: dockerflags.parse_flags(it.split(), "x"),
    lambda it: list(parse_containers(it, "/x")),
    engines._kubelet,
    engines._policy,
    podman_of,
]
PIECES = st.sampled_from(
    (
        *(
            "/lib/systemd/system/docker.service:3:",
            "ExecStart=",
            "-H",
            "--",
            "=",
            '"',
            "\\",
            "\n",
            " ",
        ),
        *(
            "[[registry]]\n",
            "insecure = true\n",
            "{",
            "}",
            "[",
            "]",
            ":",
            "a: ",
            "- ",
            "&a ",
            "*a",
            "\x00",
        ),
        *(f"/x/{'a' * 64}/hostconfig.json:", '"CapAdd":', '"Privileged":true', '"Binds":["/:/x"]'),
    )
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)), st.sampled_from(PARSERS))
def test_any_text_is_parsed_or_a_parse_error(text: str, parse: Callable[[str], object]) -> None:
    try:
        parse(text)
    except ParseError:
        return


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize(
    "line",
    [
        "/etc/systemd/system/docker.service.d/{n}.conf:1:ExecStart=/usr/bin/dockerd",
        "/x/{n}/hostconfig.json:x",
        "a{n}: 1",
        "a{n} = 1",
        "[" * 40,
    ],
)
def test_ten_thousand_odd_lines_are_read_in_time(line: str, parse: Callable[[str], object]) -> None:
    text = "\n".join(line.replace("{n}", str(n)) for n in range(10_000))
    start = time.perf_counter()
    try:
        parse(text)
    except ParseError:
        return
    finally:
        assert time.perf_counter() - start < 10


def test_grep_is_told_what_to_pick() -> None:
    assert command("/data").argv[-2:] == ("--", "/data/containers")
