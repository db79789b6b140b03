"""containerd, Podman and the kubelet, and the modes of what container engines keep.

containerd's config.toml may hold a registry's password, so grep(1) picks what is judged. Podman:
containers-registries.conf(5), containers-policy.json(5). The kubelet: KubeletConfiguration of
kubelet.config.k8s.io/v1beta1.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import yaml

from collectors.containers.docker import PROGRAMS
from collectors.model import Answers, Collector, Command, Fact, File, ParseError, Reading, Stat
from collectors.rows import FileStat
from collectors.security.dropins import Folders, Text
from collectors.yamltree import Malformed, Tree

_BIN = ("/usr/bin", "/usr/local/bin", "/usr/sbin")
CONTAINERD = tuple(Stat(f"{path}/containerd") for path in _BIN)
CONTAINERD_CONFIG = Stat("/etc/containerd/config.toml")
_KEYS = (
    "tcp_address|insecure_skip_verify|disable_apparmor|disable_tcp_service|restrict_oom_score_adj"
)
CONTAINERD_KEYS = Command(
    ("grep", "-nE", rf"^[[:space:]]*({_KEYS})[[:space:]]*=", CONTAINERD_CONFIG.pattern), ok=(0, 1)
)
PODMAN = tuple(Stat(f"{path}/podman") for path in _BIN)
REGISTRIES = File("/etc/containers/registries.conf")
REGISTRIES_D = Folders(("/etc/containers/registries.conf.d",))
POLICY = File("/etc/containers/policy.json")
KUBELET = File("/var/lib/kubelet/config.yaml")
PATHS = tuple(
    Stat(path)
    for path in (
        *("/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock"),
        *("/etc/docker", "/etc/docker/daemon.json", "/etc/default/docker", "/etc/sysconfig/docker"),
        *("/etc/docker/certs.d/*/*", "/usr/lib/systemd/system/docker.service"),
        *("/lib/systemd/system/docker.service", "/etc/systemd/system/docker.service"),
        *("/etc/systemd/system/docker.service.d/*", "/etc/containerd", "/var/lib/docker"),
        *("/etc/containerd/config.toml", "/etc/containers/policy.json", "/var/lib/containerd"),
        *("/etc/containers/registries.conf", "/var/lib/kubelet/config.yaml"),
        *("/etc/kubernetes/kubelet.conf", "/etc/kubernetes/manifests/*"),
    )
)


class EnginesCollector(Collector, frozen=True):
    """`container_engines`: names of those installed (docker, containerd, podman). `container_files`: rows as
    those of `files`. `containerd`: installed, tcp_address, insecure_skip_verify, disable_apparmor. `podman`:
    installed, insecure_registries, policy (what is done with an image that no rule names). `kubelet`:
    installed, anonymous, authorization, read_only_port, protect_kernel_defaults, rotate_certificates.
    """

    name: ClassVar[str] = "container_engines"
    facts: ClassVar[tuple[str, ...]] = (
        *("container_engines", "container_files", "containerd", "podman", "kubelet"),
    )

    def readings(self) -> tuple[Reading, ...]:
        programs = (*PROGRAMS, *CONTAINERD, *PODMAN)
        files = (CONTAINERD_CONFIG, REGISTRIES, *REGISTRIES_D.readings(), POLICY, KUBELET)
        return (*programs, *files, *PATHS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        programs = {"docker": PROGRAMS, "containerd": CONTAINERD, "podman": PODMAN}
        there = [
            name
            for name, stats in programs.items()
            if any(answers.rows(stat, FileStat) for stat in stats)
        ]
        yield Fact("container_engines", there)
        yield Fact("container_files", list(_files(answers)))
        yield _containerd(answers, "containerd" in there)
        yield _podman(answers, "podman" in there)
        yield _kubelet(answers.maybe(KUBELET))


def _files(answers: Answers) -> Iterable[dict[str, Any]]:
    for stat in PATHS:
        for row in answers.rows(stat, FileStat):
            yield {
                "path": row.path,
                "kind": row.kind,
                "mode": row.mode,
                "mode_octal": f"{row.mode & 0o7777:04o}",
                "uid": row.uid,
                "gid": row.gid,
                "socket": row.path.endswith(".sock"),
                "source": row.path,
            }


def _containerd(answers: Answers, installed: bool) -> Fact:
    value: dict[str, Any] = {"installed": installed}
    sources = {"": CONTAINERD_CONFIG.pattern}
    if installed:
        value |= {"tcp_address": "", "insecure_skip_verify": False, "disable_apparmor": False}
        there = bool(answers.rows(CONTAINERD_CONFIG, FileStat))
        for line in (answers.text(CONTAINERD_KEYS) if there else "").splitlines():
            number, _, text = line.partition(":")
            for name, it in _toml(text, CONTAINERD_CONFIG.pattern).items():
                # in one of several sections is enough
                if name in value and it and isinstance(it, type(value[name])):
                    value[name] = it
                    sources[name] = f"{CONTAINERD_CONFIG.pattern}:{number}"
    return Fact("containerd", value, sources)


def _toml(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"{where}: {error}") from error


def _podman(answers: Answers, installed: bool) -> Fact:
    if not installed:
        return Fact("podman", {"installed": False}, {"": PODMAN[0].pattern})
    main = answers.maybe(REGISTRIES)
    texts = [Text(REGISTRIES.path, main)] if main is not None else []
    insecure: dict[str, str] = {}
    for path, text, _ in [*texts, *REGISTRIES_D.texts(answers)]:
        insecure |= dict.fromkeys(_insecure(_toml(text, path), path), path)
    return Fact(
        "podman",
        {
            "installed": True,
            "insecure_registries": list(insecure),
            "policy": _policy(answers.maybe(POLICY)),
        },
        {"": REGISTRIES.path, "policy": POLICY.path},
    )


def _insecure(said: Mapping[str, Any], path: str) -> list[str]:
    """Of both versions of the format."""
    tables = said.get("registry", [])
    old = said.get("registries", {})
    if not isinstance(tables, list) or not isinstance(old, dict):
        raise ParseError(f"{path}: registry is no list of tables")
    insecure = old.get("insecure", {})
    names = insecure.get("registries", []) if isinstance(insecure, dict) else []
    found = [str(it) for it in names] if isinstance(names, list) else []
    for table in tables:
        if not isinstance(table, dict):
            raise ParseError(f"{path}: registry is no list of tables")
        mirrors = table.get("mirror", [])
        for one in (table, *(mirrors if isinstance(mirrors, list) else [])):
            if isinstance(one, dict) and one.get("insecure") is True:
                found.append(str(one.get("location") or one.get("prefix") or "?"))
    return found


def _policy(text: str | None) -> str:
    """The type of the default requirement; without the file Podman refuses every image."""
    if text is None:
        return "absent"
    try:
        default = json.loads(text)["default"]
        return str(default[0]["type"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ParseError(f"{POLICY.path}: {error}") from error


def _kubelet(text: str | None) -> Fact:
    if text is None:
        return Fact("kubelet", {"installed": False}, {"": KUBELET.path})
    try:
        said = Tree(text, {}, []).data
    except (yaml.YAMLError, Malformed, RecursionError, ValueError) as error:
        raise ParseError(f"{KUBELET.path}: {error}") from error
    if not isinstance(said, dict):
        raise ParseError(f"{KUBELET.path}: is no mapping")

    def at(*names: str, default: Any) -> Any:
        value: Any = said
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            return default
        if not isinstance(value, type(default)):
            raise ParseError(f"{KUBELET.path}: {'.'.join(names)} is not what it should be")
        return value

    # what a file leaves out has the defaults of the API, which are safer than the program's flags
    return Fact(
        "kubelet",
        {
            "installed": True,
            "anonymous": at("authentication", "anonymous", "enabled", default=False),
            "authorization": at("authorization", "mode", default="Webhook"),
            "read_only_port": at("readOnlyPort", default=0),
            "protect_kernel_defaults": at("protectKernelDefaults", default=False),
            "rotate_certificates": at("rotateCertificates", default=False),
        },
        {"": KUBELET.path},
    )
