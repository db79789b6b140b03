"""Where packages come from and whether they are verified: sources.list(5), apt.conf(5),
apt-secure(8); dnf.conf(5), yum.conf(5) and their .repo files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, Glob, Reading, Unavailable
from collectors.security.software.packagedb import READINGS, manager

# All of them may hold the password of a mirror or a proxy.
LISTS = (
    Glob("/etc/apt/sources.list", masked=True),
    Glob("/etc/apt/sources.list.d/*.list", masked=True),
)
DEB822 = Glob("/etc/apt/sources.list.d/*.sources", masked=True)
APT_CONF = (Glob("/etc/apt/apt.conf", masked=True), Glob("/etc/apt/apt.conf.d/*", masked=True))
MAIN = (Glob("/etc/dnf/dnf.conf", masked=True), Glob("/etc/yum.conf", masked=True))
REPOS = Glob("/etc/yum.repos.d/*.repo", masked=True)

_ONE_LINE = re.compile(r"deb(?:-src)?\s+(?:\[([^\]]*)\]\s*)?(\S+)\s*(\S*)")
_LAX = re.compile(
    r"(?i)(allowunauthenticated|allowinsecurerepositories|allowweakrepositories"
    r"|allowdowngradetoinsecurerepositories)\"?\s+\"?(true|yes|1|on|enable)\b"
)
_TRUE = ("yes", "true", "1", "on")
_FALSE = ("no", "false", "0", "off")


class RepositoriesCollector(Collector, frozen=True):
    """`repositories`: rows of key, kind (apt, apt-option, rpm), url, enabled, signed (whether what
    comes from it is verified), security (a source of security updates, apt only)."""

    name: ClassVar[str] = "repositories"
    facts: ClassVar[tuple[str, ...]] = ("repositories",)

    def readings(self) -> tuple[Reading, ...]:
        return (*READINGS, *LISTS, DEB822, *APT_CONF, *MAIN, REPOS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        database = manager(answers)
        if not database:
            yield Fact("repositories", None, unavailable="absent: no database of dpkg or rpm")
            return
        rows = _apt(answers) if database == "dpkg" else _rpm(answers)
        yield Fact(
            "repositories", list(rows), {"": "/etc/apt" if database == "dpkg" else REPOS.pattern}
        )


def _row(
    key: str, kind: str, url: str, enabled: bool, signed: bool, security: bool, source: str
) -> dict[str, Any]:
    return {
        "key": key,
        "kind": kind,
        "url": re.sub(r"//[^/]*@", "//", url),  # without a password
        "enabled": enabled,
        "signed": signed,
        "security": security,
        "source": source,
    }


def _texts(answers: Answers, *globs: Glob) -> Iterator[tuple[str, str]]:
    for glob in globs:
        for path, answer in answers.children(glob).items():
            if answer.state == "absent":
                continue
            if answer.state != "content":
                raise Unavailable(File(path), answer)
            yield path, answer.content.decode("utf-8", "replace")


def _apt(answers: Answers) -> Iterator[dict[str, Any]]:
    for path, text in _texts(answers, *LISTS):
        for number, line in enumerate(text.split("\n"), 1):
            if match := _ONE_LINE.match(line.strip()):
                options = (match[1] or "").lower().replace(" ", "")
                option = re.search(r"(trusted|allow-insecure|allow-weak)=(yes|true|1)", options)
                yield _apt_row(match[2], match[3], not option, f"{path}:{number}")
    for path, text in _texts(answers, DEB822):
        for number, fields in _stanzas(text):
            if fields.get("enabled", "yes").lower() in _FALSE:
                continue
            lax = any(
                fields.get(name, "no").lower() in _TRUE
                for name in ("trusted", "allow-insecure", "allow-weak")
            )
            for url in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split() or [""]:
                    yield _apt_row(url, suite, not lax, f"{path}:{number}")
    for path, text in _texts(answers, *APT_CONF):
        for number, line in enumerate(text.split("\n"), 1):
            if line.lstrip().startswith(("//", "#")):
                continue
            if lax_option := _LAX.search(line):
                yield _row(lax_option[1], "apt-option", "", True, False, False, f"{path}:{number}")


def _apt_row(url: str, suite: str, signed: bool, source: str) -> dict[str, Any]:
    security = "security" in suite.lower() or "security" in url.lower()
    row = _row("", "apt", url, True, signed, security, source)
    row["key"] = f"{row['url']} {suite}".strip()
    return row


def _stanzas(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Fields by name in small letters, of each paragraph of deb822(5), with its first line."""
    fields: dict[str, str] = {}
    first, key = 0, ""
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield first, fields
            fields, first, key = {}, 0, ""
        elif line[0] in " \t" and key:
            fields[key] += " " + line.strip()
        else:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            fields[key], first = value.strip(), first or number


def _rpm(answers: Answers) -> Iterator[dict[str, Any]]:
    checked = False  # what dnf does where nothing is said
    files = dict(_texts(answers, *MAIN))
    for path, text in files.items():
        for _, section, settings in _ini(text):
            if section == "main":
                checked = _yes(settings.get("gpgcheck", ""), checked)
        if path:
            break  # dnf's own; yum.conf is a link to it, or of a machine without dnf
    for path, text in (*files.items(), *_texts(answers, REPOS)):
        for number, section, settings in _ini(text):
            if section == "main":
                continue
            url = settings.get("baseurl") or settings.get("metalink") or settings.get("mirrorlist")
            enabled = _yes(settings.get("enabled", ""), True)
            signed = _yes(settings.get("gpgcheck", ""), checked)
            first = (url or "").split()[:1]
            yield _row(
                *(section, "rpm", first[0] if first else "", enabled, signed, False),
                source=f"{path}:{number}",
            )


def _ini(text: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Line, name and settings of each section; the last of a key counts."""
    begun, section = 0, ""
    settings: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if stripped[0] == "[":
            if section:
                yield begun, section, settings
            begun, section, settings = number, stripped[1:].partition("]")[0].strip(), {}
            continue
        key, equals, value = stripped.partition("=")
        if equals and line[0] not in " \t":
            settings[key.strip().lower()] = value.strip()
    if section:
        yield begun, section, settings


def _yes(text: str, default: bool) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    return False if word in _FALSE else default
