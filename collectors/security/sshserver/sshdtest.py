"""What OpenSSH's server really takes: `sshd -T`, and `sshd -T -C` for those a Match block is about, sshd(8).

`sshd -T` needs the host keys, hence root. Where it is not there, is refused or fails, what the files say
counts (sshdconfig.py), and `by` says so; algorithms, whose defaults differ by version, are then known only
where a file names them. What is added on the server's command line (sshdcommandline.py) goes before the
files, but not before a Match block.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Final

from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    NeedMore,
    ParseError,
    Reading,
)
from collectors.security.sshserver import sshdcommandline, sshdconfig, sshdports
from collectors.security.sshserver.sshd import DEFAULT, MAIN, configuration
from collectors.security.sshserver.sshdkeywords import ADDING, DEFAULTS, LAST
from collectors.security.sshserver.sshdways import ways

TEST: Final = Command(("sshd", "-T"), timeout=3)
EVERYONE: Final = "everyone"
MAX_CONTEXTS = 16
ALGORITHMS: Final = (
    *("ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms"),
    *("hostbasedacceptedalgorithms", "casignaturealgorithms"),
)
_PLAIN = re.compile(r"[A-Za-z0-9_.@:/*-]{1,128}")
_NOBODY: Final = {
    "user": "jianwei-nobody",
    "host": "host.invalid",
    "addr": "192.0.2.1",
    "laddr": "192.0.2.2",
    "lport": "22",
}
_CRITERIA: Final = {
    "user": "user",
    "host": "host",
    "address": "addr",
    "localaddress": "laddr",
    "localport": "lport",
}


class SshdEffectiveCollector(Collector, frozen=True):
    """`sshd_effective`: installed, by (`sshd -T` or `parser`), why (no `sshd -T`), contexts, ways.

    contexts: a row for everyone and one for each Match block: context (`everyone`, or the block's
    criteria), by, own (keywords of the block), every keyword as in `sshd`, and sources (of each
    keyword); algorithms are lists. ways: rows of context,
    way (`publickey,password`), kinds (of factors: keys and passwords), pam (whether PAM is asked).
    """

    name: ClassVar[str] = "sshd_effective"
    facts: ClassVar[tuple[str, ...]] = ("sshd_effective",)

    def readings(self) -> tuple[Reading, ...]:
        return (MAIN, TEST, *sshdcommandline.readings())

    def parse(self, answers: Answers) -> Iterable[Fact]:
        config = configuration(answers)
        if config is None:
            yield Fact("sshd_effective", {"installed": False}, {"": MAIN.path})
            return
        tested, why = _tested(answers, TEST)
        if why and any("localport" in block.criteria.lower() for block in config.matches):
            # such a block makes sshd ask for whom it is to answer
            tested, why = _tested(answers, _command(_NOBODY))
        line = sshdcommandline.read(answers)
        everyone = _everyone(config, tested, line)
        # as written: `sshd -T` tells addresses with the ports of the files alone
        blocks = (line.block.settings, config.settings())
        addresses = [a for said in blocks for a in said.get("listenaddress", ())]
        everyone["port"] = sshdports.listening(everyone["port"], addresses, answers)
        rows = [everyone]
        more: list[Reading] = []
        seen: set[str] = set()  # what the blocks before have said
        for number, block in enumerate(config.matches):
            command = _asked(block.criteria) if tested and number < MAX_CONTEXTS else None
            try:
                for_them = _tested(answers, command)[0] if command else None
            except NeedMore as need:
                more += need.readings
                continue
            rows.append(_matched(block, everyone, seen, for_them, tested or {}))
            seen.update(block.settings)
        if more:
            raise NeedMore(*more)
        value = {
            "installed": True,
            "by": "sshd -T" if tested else "parser",
            "why": why,
            "contexts": rows,
            "ways": [way for row in rows for way in ways(row)],
        }
        yield Fact("sshd_effective", value, {**config.sources(), "": MAIN.path})


def _tested(answers: Answers, command: Command) -> tuple[dict[str, Any] | None, str]:
    """What sshd says of itself, or None and why not."""
    answer = answers.answer(command)
    if answer.state != "content":
        return None, f"{answer.state}: {answer.reason}"
    try:
        found = parse_test(answer.content.decode("utf-8", "replace"))
    except ParseError as error:
        return None, f"parse: {error}"
    return (found, "") if "port" in found else (None, "parse: sshd -T says nothing")


def parse_test(text: str) -> dict[str, Any]:
    """The output of `sshd -T`, in the shape of the fact `sshd`."""
    block = sshdconfig.Block()
    spoken = "\n".join(line for line in text.split("\n") if len(line.split()) > 1)
    for line in sshdconfig.lines("sshd -T", spoken):
        block.set(line)
    for port in block.settings.get("port", ()):
        if not isinstance(port, int):
            raise ParseError(f"{block.sources['port']}: port: {port[:40]!r} is not a number")
    return _lists(block.settings)


def _lists(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with algorithms as lists; a change to the defaults (`+x`) is not known in full."""
    made = dict(settings)
    for keyword in ALGORITHMS:
        if keyword in made:
            value = str(made.pop(keyword))
            if value[:1] not in ("+", "-", "^"):
                made[keyword] = value.split(",")
    return made


def _everyone(
    config: sshdconfig.Config, tested: dict[str, Any] | None, line: sshdcommandline.CommandLine
) -> dict[str, Any]:
    """The row of those no Match block is about."""
    by = "parser" if tested is None else "sshd -T"
    told = _lists(config.settings())
    made = {**DEFAULTS, **(told if tested is None else tested)}
    sources = {**dict.fromkeys(made, f"{DEFAULT} default"), **config.sources()}
    for keyword, value in _lists(line.block.settings).items():
        # `Match all` counts when somebody comes, and of MaxStartups the last does
        if keyword in config.everyone.settings or (keyword in LAST and keyword in told):
            continue
        adds = keyword in ADDING and keyword in told and not (keyword == "port" and line.ports)
        made[keyword] = [*value, *told[keyword]] if adds else value
        sources[keyword] = line.block.sources[keyword]
    row = {"context": EVERYONE, "by": by, "own": [], "sources": sources}
    return {**made, **row, "source": by if tested else MAIN.path}


def _matched(
    block: sshdconfig.Block,
    everyone: dict[str, Any],
    seen: set[str],
    tested: dict[str, Any] | None,
    plain: dict[str, Any],
) -> dict[str, Any]:
    """The row of a Match block. What it says itself must show, or the question missed the block.

    `plain` is what sshd said of everyone: what it says of these beside that, blocks say.
    """
    own = _lists(block.settings)
    if tested and all(tested.get(k) == v for k, v in own.items() if k not in seen):
        changed = {k: v for k, v in tested.items() if k in own or plain.get(k) != v}
        settings, by = {**everyone, **changed}, "sshd -T"
    else:
        settings, by = {**everyone, **own}, "parser"
    sources = {**everyone["sources"], **block.sources}
    made = {"context": block.criteria, "by": by, "own": sorted(own), "source": block.source}
    return {**settings, **made, "sources": sources}


def _asked(criteria: str) -> Command | None:
    """`sshd -T -C` for somebody whom the criteria are about; None where that is nobody we can name."""
    whom = dict(_NOBODY)
    words = [word for word in criteria.split() if word != "&&"]
    if len(words) % 2:
        return None
    for name, value in zip(words[::2], words[1::2], strict=True):
        key = _CRITERIA.get(name.lower())
        first = value.split(",")[0]
        # one that is excluded may be named first or later: then the parser answers
        if key is None or "!" in value or not _PLAIN.fullmatch(first):
            return None
        whom[key] = _example(first)
    return _command(whom)


def _command(whom: Mapping[str, str]) -> Command:
    asked = ",".join(f"{name}={value}" for name, value in whom.items())
    return Command(("sshd", "-T", "-C", asked), timeout=3)


def _example(pattern: str) -> str:
    """Somebody or something that a pattern matches."""
    if "/" in pattern:
        try:
            return str(ipaddress.ip_network(pattern, strict=False).network_address)
        except ValueError:
            return pattern
    return pattern.replace("*", "1")
