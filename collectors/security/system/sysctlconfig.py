"""Kernel parameters as files have them, which is what holds after the next boot: sysctl.d(5).

As systemd-sysctl reads them: /etc/sysctl.conf only where a link among the drop-ins leads to it, or where
there is no systemd. A key is written with dots or slashes; the first of these is what separates. A key
written out is never set by a pattern, and `-key` alone excludes it from patterns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, ClassVar, NamedTuple

from collectors.model import Answers, Collector, Fact, File, ParseError, Reading, Stat
from collectors.rows import FileStat
from collectors.security.dropins import Folders, Text
from collectors.security.system.sysctl import IPV4, IPV6, READINGS, ROOT, interfaces, plain, typed

FOLDERS = Folders(
    tuple(f"{p}/sysctl.d" for p in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"))
)
MAIN = File("/etc/sysctl.conf")
SYSTEMD = Stat("/run/systemd/system")
_PATTERNS = 200  # patterns in all files; each is laid beside every parameter

# What the kernel itself begins with, where it is the same in every build.
DEFAULTS: Mapping[str, int] = {
    "fs.suid_dumpable": 0,
    "kernel.kptr_restrict": 0,
    "kernel.randomize_va_space": 2,
    "net.ipv4.icmp_echo_ignore_broadcasts": 1,
    "net.ipv4.icmp_ignore_bogus_error_responses": 1,
    "net.ipv4.ip_forward": 0,
    "net.ipv4.tcp_syncookies": 1,
    **{
        f"net.ipv4.conf.{name}.{setting}": value
        for name in ("all", "default")
        for setting, value in (
            *(("accept_redirects", 1), ("forwarding", 0), ("log_martians", 0)),
            *(("rp_filter", 0), ("secure_redirects", 1), ("send_redirects", 1)),
        )
    },
    "net.ipv4.conf.all.accept_source_route": 0,
    "net.ipv4.conf.default.accept_source_route": 1,
    **{
        f"net.ipv6.conf.{name}.{setting}": value
        for name in ("all", "default")
        for setting, value in (
            *(("accept_ra", 1), ("accept_redirects", 1), ("accept_source_route", 0)),
            *(("disable_ipv6", 0), ("forwarding", 0)),
        )
    },
}


class Setting(NamedTuple):
    value: str | None  # None: excluded from patterns
    source: str


class SysctlConfigCollector(Collector, frozen=True):
    """`sysctl_configured`: rows of key, configured and running (integer, text or null), source, state:

    same: the file's value runs. differs: another one runs. lost: no file has it, and it is not what the
    kernel begins with, so the next boot has another. default: no file has it, and none is needed.
    unset: no file has it, and what the kernel begins with depends on its build. other: a file has what
    was not read, or what this kernel lacks.
    """

    name: ClassVar[str] = "sysctl_configured"
    facts: ClassVar[tuple[str, ...]] = ("sysctl_configured",)

    def readings(self) -> tuple[Reading, ...]:
        return (*FOLDERS.readings(), MAIN, SYSTEMD, *READINGS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        texts = FOLDERS.texts(answers)
        linked = any(text.target == MAIN.path for text in texts)
        if not linked and not answers.rows(SYSTEMD, FileStat):
            main = answers.maybe(MAIN)
            texts += [Text(MAIN.path, main)] if main is not None else []
        running, _ = plain(answers)
        for family, glob in (("4", IPV4), ("6", IPV6)):
            for name, values in interfaces(answers, glob).items():
                base = f"net.ipv{family}.conf.{name.replace('.', '/')}"
                running |= {f"{base}.{setting}": value for setting, value in values.items()}
        if not running:
            yield Fact("sysctl_configured", None, unavailable=f"absent: {ROOT}")
            return
        shown = {key for key in {*running, *DEFAULTS} if key in DEFAULTS or ".conf." not in key}
        yield Fact("sysctl_configured", _rows(configured(texts, shown), shown, running))


def configured(texts: Iterable[Text], known: Iterable[str]) -> dict[str, Setting]:
    """The setting of each key, patterns laid beside the keys that are known; raises ParseError.

    Those of single interfaces are not known: a machine of containers has hundreds that come and go.
    """
    found: dict[str, Setting] = {}
    for path, text, _ in texts:
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line[0] in "#;":
                continue
            name, equals, value = line.partition("=")
            name = name.strip()
            excluded = not equals and name.startswith("-")
            if not (equals or excluded):
                continue  # systemd-sysctl tells it as an error, and goes on
            key = _path(name.removeprefix("-").strip())
            found.pop(key, None)  # the last counts, and has its place
            found[key] = Setting(None if excluded else value.strip(), f"{path}:{number}")
    patterns = {key: it for key, it in found.items() if set(key) & set("*?[")}
    if len(patterns) > _PATTERNS:
        raise ParseError(f"sysctl.d: more than {_PATTERNS} patterns")
    made = {_dotted(key): it for key, it in found.items() if key not in patterns}
    explicit = frozenset(made)
    keys = [(_path(key), key) for key in known]
    for pattern, setting in patterns.items():
        if setting.value is None:
            continue
        parts = pattern.split("/")
        for path, key in keys:
            if key not in explicit and _matches(path.split("/"), parts):
                made[key] = setting
    return {key: it for key, it in made.items() if it.value is not None}


def _matches(names: list[str], parts: list[str]) -> bool:
    return len(names) == len(parts) and all(map(fnmatchcase, names, parts))


def _path(key: str) -> str:
    """A key with slashes: dots and slashes change places where a dot is the first of them."""
    first = next((c for c in key if c in "./"), "")
    return key.translate(_SWAP) if first == "." else key.lstrip("/")


_SWAP = str.maketrans("./", "/.")


def _dotted(path: str) -> str:
    return path.translate(_SWAP)


def _rows(
    files: Mapping[str, Setting], shown: set[str], running: Mapping[str, int | str]
) -> list[dict[str, Any]]:
    rows = []
    for key in sorted(shown | set(files)):
        setting, now = files.get(key), running.get(key)
        value = typed(setting.value or "") if setting else None
        rows.append(
            {
                "key": key,
                "configured": value,
                "running": now,
                "state": _state(key, value, now),
                "source": setting.source if setting else f"{ROOT}/{_path(key)}",
            }
        )
    return rows


def _state(key: str, value: int | str | None, now: int | str | None) -> str:
    if value is not None:
        if now is None:
            return "other"
        return "same" if value == now else "differs"
    if now is None or key not in DEFAULTS:
        return "unset"
    return "default" if now == DEFAULTS[key] else "lost"
