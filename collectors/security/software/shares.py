"""What is shared with other machines: smb.conf(5) of Samba, exports(5) of NFS."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, Glob, Reading
from collectors.security.partial import text_of
from collectors.security.software.everyone import is_everybody

_SPECIAL = re.compile(r"[\"'\\#]")
SMB = File("/etc/samba/smb.conf")
EXPORTS = (Glob("/etc/exports"), Glob("/etc/exports.d/*.exports"))

_TRUE = ("yes", "true", "1", "on")
# Parameters by any of their names, as one; `read only` is the opposite of the writable ones.
_SYNONYMS = {
    "public": "guestok",
    "writeable": "writable",
    "writeok": "writable",
    "directory": "path",
    "allowhosts": "hostsallow",
    "onlyguest": "guestonly",
}


class SharesCollector(Collector, frozen=True):
    """`shares`: rows of key (`smb/data`, `nfs//srv 10.0.0.0/8`), kind (smb, nfs), name, path, client,
    guest (without a password), writable, world (any address), no_root_squash (a client's root, or
    anybody, is root here), insecure."""

    name: ClassVar[str] = "shares"
    facts: ClassVar[tuple[str, ...]] = ("shares",)

    def readings(self) -> tuple[Reading, ...]:
        return (SMB, *EXPORTS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows = [*_samba(answers), *_nfs(answers)]
        yield Fact("shares", rows, {"": f"{SMB.path}, {EXPORTS[0].pattern}"})


def _row(kind: str, name: str, path: str, client: str, source: str, **more: bool) -> dict[str, Any]:
    key = f"{kind}/{name}" + (f" {client}" if kind == "nfs" else "")
    flags = ("guest", "writable", "world", "no_root_squash", "insecure")
    return {
        "key": key,
        "kind": kind,
        "name": name,
        "path": path,
        "client": client,
        **dict.fromkeys(flags, False),
        **more,
        "source": source,
    }


def _samba(answers: Answers) -> Iterator[dict[str, Any]]:
    text = answers.maybe(SMB)
    if text is None:
        return
    sections: dict[str, dict[str, str]] = {"global": {}}
    sources: dict[str, str] = {}
    for section, key, value, source in _settings(SMB.path, text, answers, ["global"], 0):
        sections.setdefault(section, {})
        sources.setdefault(section, source)
        if key:
            sections[section][key] = value
    everywhere = sections.pop("global")
    for name, own in sections.items():
        if name in ("printers", "print$"):
            continue
        settings = {**everywhere, **own}
        writable = not _true(settings.get("readonly", "yes"))
        if "writable" in settings:
            writable = _true(settings["writable"])
        guest = _true(settings.get("guestok", "no")) or _true(settings.get("guestonly", "no"))
        allowed = settings.get("hostsallow", "")
        clients = re.split(r"[,;\s]+", allowed.strip(", ;\t"))
        names = [word.lower() for word in clients]
        if "except" in names:  # all but a few are all
            clients = clients[: names.index("except")]
        world = is_everybody(clients)
        yield _row(
            *("smb", name, settings.get("path", ""), allowed, sources[name]),
            guest=guest,
            writable=writable,
            world=world,
        )


def _settings(
    path: str, text: str, answers: Answers, section: list[str], depth: int
) -> Iterator[tuple[str, str, str, str]]:
    """Section, key (empty for its head), value and source of each line, includes in their place."""
    for number, line in _lines(text):
        source = f"{path}:{number}"
        if line[0] in "#;":
            continue
        if line[0] == "[":
            section[0] = line[1:].partition("]")[0].strip().lower()
            yield section[0], "", "", source
            continue
        key, equals, value = line.partition("=")
        key = re.sub(r"\s", "", key).lower()
        value = value.strip()
        if not equals:
            continue
        if key != "include" or not value.startswith("/") or "%" in value or depth > 3:
            # an include that names its client is one file for each: what they share is here
            yield section[0], _opposite(key), _opposed(key, value), source
            continue
        included = answers.maybe(File(value))
        if included is not None:
            yield from _settings(value, included, answers, section, depth + 1)


def _opposite(key: str) -> str:
    return "writable" if key == "readonly" else _SYNONYMS.get(key, key)


def _opposed(key: str, value: str) -> str:
    if key != "readonly":
        return value
    return "no" if _true(value) else "yes"


def _true(value: str) -> bool:
    return value.strip().lower() in _TRUE


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Stripped lines with their number, those that end with a backslash together with the next."""
    begun: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        first = first or number
        if line.endswith("\\"):
            begun.append(line[:-1])
            continue
        whole = " ".join([*begun, line]).strip() if begun else line.strip()
        if whole:
            yield first, whole
        begun, first = [], 0


def _nfs(answers: Answers) -> Iterator[dict[str, Any]]:
    for glob in EXPORTS:
        for path, answer in answers.children(glob).items():
            for number, line in _lines(text_of(path, answer) or ""):
                yield from _exports(line, f"{path}:{number}")


def _exports(line: str, source: str) -> Iterator[dict[str, Any]]:
    if line.startswith("#"):
        return
    # shlex goes character by character, which only quotes, escapes and comments need
    plain = not _SPECIAL.search(line)
    try:
        folder, *clients = (line.split() if plain else shlex.split(line, comments=True)) or [""]
    except ValueError:  # a quote that does not end
        folder, *clients = line.split()
    defaults: list[str] = []
    clients = clients or ["*"]
    for client in clients:
        if client.startswith("-"):
            defaults = client[1:].split(",")
            continue
        host, _, rest = client.partition("(")
        options = [*defaults, *(part.strip() for part in rest.rstrip(")").split(","))]
        yield _row(
            *("nfs", folder, folder, host or "*", source),
            writable=_last(options, "rw", "ro"),
            world=is_everybody([host]),
            no_root_squash=_is_root_here(options),
            insecure=_last(options, "insecure", "secure"),
        )


def _is_root_here(options: list[str]) -> bool:
    """Whether root of a client, or anybody, is root or of its group in the share."""
    if any(_is_zero(option, "anonuid=") or _is_zero(option, "anongid=") for option in options):
        return True
    squashed = _last(options, "all_squash", "no_all_squash")
    return _last(options, "no_root_squash", "root_squash") and not squashed


def _is_zero(option: str, name: str) -> bool:
    """As strtoul(3) takes a number, and a uid has 32 bits of it."""
    number = option.removeprefix(name).strip().lstrip("+-") if option.startswith(name) else ""
    digits = re.match(r"\d{1,20}", number, re.ASCII)
    return bool(number) and (digits is None or int(digits[0]) % (1 << 32) == 0)


def _last(options: list[str], yes: str, no: str) -> bool:
    """Of two options the one that comes last holds; without either it is `no`."""
    return next((option == yes for option in reversed(options) if option in (yes, no)), False)
