"""From where the clock is set: chrony.conf(5), ntp.conf(5), timesyncd.conf(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, Glob, ParseError, Reading
from collectors.security.partial import text_of, texts

CHRONY = (File("/etc/chrony.conf"), File("/etc/chrony/chrony.conf"))
NTP = (File("/etc/ntp.conf"), File("/etc/ntpsec/ntp.conf"))
FOLDERS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
TIMESYNCD = tuple(File(f"{folder}/timesyncd.conf") for folder in FOLDERS)
DROP_INS = tuple(Glob(f"{folder}/timesyncd.conf.d/*.conf") for folder in FOLDERS)
MAX_DEPTH = 4
MAX_ROWS = 500

# Pools that anybody may ask: none of them is the site's own.
_PUBLIC = re.compile(
    r"(?:.*\.)?(?:pool\.ntp\.org|ntp\.org|ntp\.org\.cn|ntp\.ubuntu\.com|time\.google\.com|"
    r"time\.apple\.com|time\.windows\.com|time\.cloudflare\.com|time\.nist\.gov|ntp\.aliyun\.com|"
    r"ntp\d?\.aliyun\.com|time\d?\.cloud\.tencent\.com|ntp\.tencent\.com)\.?",
    re.IGNORECASE,
)


class TimeSourcesCollector(Collector, frozen=True):
    """`time_sources`: rows of address, daemon (chrony, ntpd, systemd-timesyncd), public, source; of what is
    written in the configurations that are there."""

    name: ClassVar[str] = "time_sources"
    facts: ClassVar[tuple[str, ...]] = ("time_sources",)

    def readings(self) -> tuple[Reading, ...]:
        return (*CHRONY, *NTP, *TIMESYNCD, *DROP_INS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows = []
        for daemon, files in (("chrony", CHRONY), ("ntpd", NTP)):
            for file in files:
                text = answers.maybe(file)
                if text is not None:
                    rows += [_row(daemon, *it) for it in _servers(file.path, text, answers, 0)]
        rows += [_row("systemd-timesyncd", *it) for it in _timesyncd(answers)]
        yield Fact("time_sources", rows[:MAX_ROWS], {"": "/etc/chrony.conf"})


def _row(daemon: str, address: str, source: str) -> dict[str, Any]:
    address = address[:255]
    public = _PUBLIC.fullmatch(address) is not None
    return {"address": address, "daemon": daemon, "public": public, "source": source}


def _servers(path: str, text: str, answers: Answers, depth: int) -> Iterator[tuple[str, str]]:
    """Of chrony and ntpd alike; a local clock (127.127.…) is no source."""
    if depth > MAX_DEPTH:
        raise ParseError(f"{path}: includes without end")
    for number, raw in enumerate(text.split("\n"), 1):
        words = raw.split()
        if len(words) < 2 or words[0][0] in "#!;%":
            continue
        name, value = words[0].lower(), words[1]
        if name in ("server", "pool", "peer", "refclock"):
            if not value.startswith("127.127."):
                yield value, f"{path}:{number}"
        elif name in ("include", "confdir", "sourcedir", "includefile") and value[0] == "/":
            ending = {"confdir": "/*.conf", "sourcedir": "/*.sources"}.get(name, "")
            for other, content in sorted(texts(answers, value.rstrip("/") + ending).items()):
                yield from _servers(other, content, answers, depth + 1)


def _timesyncd(answers: Answers) -> list[tuple[str, str]]:
    """Values of NTP= add up, an empty one takes all back."""
    found: list[tuple[str, str]] = []
    mains = ((file.path, answers.maybe(file)) for file in TIMESYNCD)
    files = [next(((path, text) for path, text in mains if text is not None), ("", ""))]
    drop_ins = {
        path.rpartition("/")[2]: (path, text_of(path, answer) or "")
        for glob in reversed(DROP_INS)
        for path, answer in answers.children(glob).items()
    }
    files += [drop_ins[name] for name in sorted(drop_ins)]
    for path, text in files:
        for number, raw in enumerate((text or "").split("\n"), 1):
            key, equals, value = raw.strip().partition("=")
            if equals and key.strip() == "NTP":
                found = [*found, *((one, f"{path}:{number}") for one in value.split())]
                if not value.strip():
                    found = []
    return found
