"""What the system lets cryptography do: crypto-policies(7), fips_enabled of the kernel, config(5) of OpenSSL.

The RPM family has one policy for all libraries; Debian's has openssl.cnf, which the former's includes too.
Sections of `openssl_conf` → `ssl_conf` → `system_default` say what every TLS program has that sets nothing itself.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, NamedTuple

from collectors.crypto import manyfiles, webfiles
from collectors.model import Answers, Collector, Fact, File, ParseError, Reading

CONFIG = "/etc/crypto-policies/config"
CURRENT = "/etc/crypto-policies/state/current"
FIPS = File("/proc/sys/crypto/fips_enabled")
# Debian's, then that of the RPM family; a host has one of them
OPENSSL = ("/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf")
FILES = (CONFIG, CURRENT, *OPENSSL)
MAX_DEPTH = 16
MAX_LINES = 50_000
_LEVEL = re.compile(r"@SECLEVEL[=: ]?([0-9])")


class CryptoPolicyCollector(Collector, frozen=True):
    """`crypto_policy`: policy and subpolicies (as configured, capitals), current (in force), empty where there are none;
    fips (true, false), openssl_config (its path), min_protocol and cipher_string (empty where not set),
    seclevel (−1: the library's own)."""

    name: ClassVar[str] = "crypto_policy"
    facts: ClassVar[tuple[str, ...]] = ("crypto_policy",)

    def readings(self) -> tuple[Reading, ...]:
        return (*manyfiles.readings(FILES), FIPS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        files = manyfiles.texts(answers, FILES)
        policy, *more = _policy(files.get(CONFIG, ""))
        current = ":".join(_policy(files.get(CURRENT, "")))
        fips = (answers.maybe(FIPS) or "0").strip() == "1"
        values: dict[str, Any] = {
            "policy": policy,
            "subpolicies": more,
            "current": current,
            "fips": fips,
            "openssl_config": "",
            "min_protocol": "",
            "cipher_string": "",
            "seclevel": -1,
        }
        sources = {"": CONFIG, "policy": CONFIG, "fips": FIPS.path}
        for path in OPENSSL:
            if (text := files.get(path)) is None:
                continue
            webfiles.ask_for_includes(path, text, included, answers)
            found = _system_default(path, text, answers)
            values["openssl_config"] = path
            sources["openssl_config"] = path
            if not policy:
                sources[""] = path
            for name, key in (("min_protocol", "MinProtocol"), ("cipher_string", "CipherString")):
                if key in found:
                    values[name], sources[name] = found[key].value, found[key].source
            if level := _LEVEL.findall(values["cipher_string"]):
                values["seclevel"], sources["seclevel"] = int(level[-1]), sources["cipher_string"]
            break
        yield Fact("crypto_policy", values, sources)


def _policy(text: str) -> list[str]:
    """The first line that says something: `DEFAULT:SHA1`."""
    for line in text.split("\n"):
        line = line.partition("#")[0].strip()
        if line:
            return line.upper().split(":")
    return [""]


class Setting(NamedTuple):
    section: str
    name: str
    value: str
    source: str


def _lines(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Lines with their places, those that go on put together, without comments."""
    waiting = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.rstrip("\r").partition("#")[0].rstrip()
        if line.endswith("\\"):
            waiting = waiting[:4000] + line[:-1]
            continue
        yield f"{path}:{number}", (waiting + line).strip()
        waiting = ""


def _include(path: str, line: str) -> list[str]:
    """The patterns of an `.include` line; a folder is one of `*.cnf` and `*.conf`."""
    if not line.startswith(".include"):
        return []
    name = line.removeprefix(".include").lstrip(" \t=").strip()
    name = posixpath.join(posixpath.dirname(path), name) if name else ""
    if not name:
        return []
    return [name] if "." in posixpath.basename(name) else [f"{name}/*.cnf", f"{name}/*.conf"]


def included(path: str, text: str) -> list[str]:
    return [pattern for _, line in _lines(path, text) for pattern in _include(path, line)]


class _Reader:
    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._lines = 0
        self._section = "default"
        self.settings: dict[tuple[str, str], Setting] = {}

    def file(self, path: str, text: str, depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise ParseError(f"{path}: too many includes")
        for source, line in _lines(path, text):
            self._lines += 1
            if self._lines > MAX_LINES:
                raise ParseError(f"{source}: too many lines")
            for pattern in _include(path, line):
                for name, content in webfiles.texts(pattern, self._answers).items():
                    self.file(name, content, depth + 1)
            if line.startswith("["):
                self._section = line[1:].partition("]")[0].strip()
            elif "=" in line and not line.startswith("."):
                name, _, value = (part.strip() for part in line.partition("="))
                setting = Setting(self._section, name, value.strip("\"'"), source)
                # the last one wins, as in OpenSSL
                self.settings[self._section, name.rpartition(".")[2]] = setting


def _system_default(path: str, text: str, answers: Answers) -> dict[str, Setting]:
    """The settings of the section that every TLS context begins with."""
    reader = _Reader(answers)
    reader.file(path, text)
    section = "default"
    for step in ("openssl_conf", "ssl_conf", "system_default"):
        setting = reader.settings.get((section, step))
        if setting is None:
            return {}
        section = setting.value
    return {name: it for (where, name), it in reader.settings.items() if where == section}
