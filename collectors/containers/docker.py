"""Docker's daemon: what daemon.json and its command line say, dockerd(8).

An option in both is one that dockerd refuses to start with, so the file and the line add up. What neither
says has dockerd's default. Log options and proxies, which may hold credentials, are not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from collectors.containers import dockerflags
from collectors.model import Answers, Collector, Fact, File, ParseError, Reading, Stat
from collectors.rows import FileStat

CONFIG = File("/etc/docker/daemon.json", masked=True)
PROGRAMS = tuple(Stat(f"{path}/dockerd") for path in ("/usr/bin", "/usr/sbin", "/usr/local/bin"))
DATA = "/var/lib/docker"
_SWITCHES: Mapping[str, bool] = {
    "icc": True,
    "live-restore": False,
    "no-new-privileges": False,
    "userland-proxy": True,
    "iptables": True,
    "ip6tables": False,
    "ip-forward": True,
    "experimental": False,
    "selinux-enabled": False,
    "tls": False,
    "tlsverify": False,
    "debug": False,
}
_TEXTS: Mapping[str, str] = {
    "userns-remap": "",
    "log-driver": "json-file",
    "log-level": "info",
    "seccomp-profile": "",
    "ip": "0.0.0.0",  # noqa: S104 - a default that is told
    "default-cgroupns-mode": "",
    "data-root": DATA,
    "storage-driver": "",
}
# One of many times on the command line, with the name of the list in the file.
_LISTS = {
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "authorization-plugin": "authorization-plugins",
}


class DockerCollector(Collector, frozen=True):
    """`docker`: installed; false, and then nothing else. Options by dockerd's names with `_` for `-`: icc,
    live_restore, no_new_privileges, userns_remap, log_driver …; log_max_size, log_max_file; default_ulimits
    (name → hard limit); insecure_registries, authorization_plugins; hosts: rows of address, kind (unix, fd,
    tcp), loopback, verified (TLS with client certificates), source.
    """

    name: ClassVar[str] = "docker"
    facts: ClassVar[tuple[str, ...]] = ("docker",)

    def readings(self) -> tuple[Reading, ...]:
        return (CONFIG, *PROGRAMS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        if not installed(answers):
            yield Fact("docker", {"installed": False}, {"": PROGRAMS[0].pattern})
            return
        said, lists, sources = options(answers)
        value: dict[str, Any] = {"installed": True}
        for name, default in _SWITCHES.items():
            value[name.replace("-", "_")] = _is_true(said.get(name, default), name)
        for name, text in _TEXTS.items():
            value[name.replace("-", "_")] = _text(said.get(name, text), name)
        log = said.get("log-opts", {})
        ulimits = said.get("default-ulimits", {})
        if not (isinstance(log, dict) and isinstance(ulimits, dict)):
            raise ParseError(f"{CONFIG.path}: log-opts and default-ulimits are mappings")
        value["log_max_size"] = str(log.get("max-size", ""))
        value["log_max_file"] = str(log.get("max-file", ""))
        value["default_ulimits"] = {
            str(name): it.get("Hard", it.get("Soft", -1))
            for name, it in ulimits.items()
            if isinstance(it, dict)
        }
        value["insecure_registries"] = [
            it for it in lists["insecure-registries"] if not it.startswith("127.")
        ]
        value["authorization_plugins"] = lists["authorization-plugins"]
        verified = value["tlsverify"]
        value["hosts"] = [_host(it, verified, sources["hosts"]) for it in lists["hosts"]]
        named = {name.replace("-", "_"): source for name, source in sources.items()}
        yield Fact("docker", value, {"": CONFIG.path, **named})


def installed(answers: Answers) -> bool:
    return any(answers.rows(stat, FileStat) for stat in PROGRAMS)


def options(
    answers: Answers,
) -> tuple[dict[str, Any], dict[str, list[str]], dict[str, str]]:
    """Plain options, lists, and where each is written."""
    said = _config(answers.maybe(CONFIG))
    sources = dict.fromkeys((*said, *_LISTS.values()), CONFIG.path)
    lists = {name: _list(said.get(name, []), name) for name in _LISTS.values()}
    for flag in dockerflags.flags(answers):
        if flag.name in _LISTS:
            name = _LISTS[flag.name]
            lists[name].append(flag.value)
        elif flag.name == "log-opt":
            name, (key, _, value) = "log-opts", flag.value.partition("=")
            said.setdefault(name, {})[key] = value
        elif flag.name == "default-ulimit":
            name, (key, _, value) = "default-ulimits", flag.value.partition("=")
            hard = value.rpartition(":")[2]
            said.setdefault(name, {})[key] = {"Hard": int(hard) if hard.isdecimal() else -1}
        else:
            name = flag.name
            said[name] = flag.value
        sources[name] = flag.source
    return said, lists, sources


def _config(text: str | None) -> dict[str, Any]:
    if not (text or "").strip():
        return {}
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise ParseError(f"{CONFIG.path}: {error}") from error
    if not isinstance(value, dict):
        raise ParseError(f"{CONFIG.path}: is not an object")
    return {
        name: dict(it) if name in ("log-opts", "default-ulimits") and isinstance(it, dict) else it
        for name, it in value.items()
    }


def _is_true(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "1", "t", "false", "0", "f"):
        return value.lower() in ("true", "1", "t")
    raise ParseError(f"{CONFIG.path}: {name} is neither true nor false")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ParseError(f"{CONFIG.path}: {name} is no text")
    return value


def _list(value: Any, name: str) -> list[str]:
    if not (isinstance(value, list) and all(isinstance(it, str) for it in value)):
        raise ParseError(f"{CONFIG.path}: {name} is no list of texts")
    return list(value)


def _host(address: str, verified: bool, source: str) -> dict[str, Any]:
    kind, _, rest = address.partition("://")
    name = rest.rpartition(":")[0].strip("[]") if rest.rpartition(":")[1] else rest
    local = name in ("localhost", "::1") or name.startswith("127.")
    return {
        "address": address,
        "kind": kind,
        "loopback": kind != "tcp" or local,
        "verified": kind != "tcp" or verified,
        "source": source,
    }
