"""What OpenSSH's server really takes: `sshd -T`, and `sshd -T -C` for those a Match block is about, sshd(8).

`sshd -T` needs the host keys, hence root. Where it is not there, is refused or fails, what the files say
counts (sshdconfig.py), and `by` says so; algorithms, whose defaults differ by version, are then known only
where a file names them. What is added on the server's command line goes before the files: OPTIONS in
/etc/sysconfig/sshd, SSHD_OPTS in /etc/default/ssh, and CRYPTO_POLICY of crypto-policies(7), which newer
releases include from sshd_config.d/50-redhat.conf instead.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final

from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    File,
    NeedMore,
    ParseError,
    Reading,
)
from collectors.security import sshdconfig
from collectors.security.sshd import MAIN, SshdCollector
from collectors.security.sshdkeywords import DEFAULTS
from collectors.security.sshdways import ways

TEST: Final = Command(("sshd", "-T"), timeout=3)
SYSCONFIG: Final = File("/etc/sysconfig/sshd", 1 << 16)
DEFAULT_SSH: Final = File("/etc/default/ssh", 1 << 16)
CRYPTO_POLICY: Final = File("/etc/crypto-policies/back-ends/opensshserver.config", 1 << 16)
EVERYONE: Final = "everyone"
MAX_CONTEXTS = 16
ALGORITHMS: Final = (
    *("ciphers", "macs", "kexalgorithms", "hostkeyalgorithms", "pubkeyacceptedalgorithms"),
    *("hostbasedacceptedalgorithms", "casignaturealgorithms"),
)
_ASSIGNED = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(OPTIONS|SSHD_OPTS|CRYPTO_POLICY)=(.*)$", re.MULTILINE
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
    criteria), by, and every keyword as in `sshd`; algorithms are lists. ways: rows of context,
    way (`publickey,password`), kinds (of factors: keys and passwords), pam (whether PAM is asked).
    """

    name: ClassVar[str] = "sshd_effective"
    facts: ClassVar[tuple[str, ...]] = ("sshd_effective",)

    def readings(self) -> tuple[Reading, ...]:
        return (MAIN, TEST, SYSCONFIG, DEFAULT_SSH, CRYPTO_POLICY)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        if answers.maybe(MAIN) is None:
            yield Fact("sshd_effective", {"installed": False}, {"": MAIN.path})
            return
        tested, why = _tested(answers, TEST)
        (files,) = SshdCollector().parse(answers)
        blocks = files.value["match"]
        if why and any("localport" in block["criteria"].lower() for block in blocks):
            # such a block makes sshd ask for whom it is to answer
            tested, why = _tested(answers, _command(_NOBODY))
        line = command_line(answers)
        rows = [_row(EVERYONE, tested, _told(files.value), line, files.sources.get("", ""))]
        more: list[Reading] = []
        seen: set[str] = set()  # what the blocks before have said
        for number, block in enumerate(blocks):
            command = _asked(block["criteria"]) if tested and number < MAX_CONTEXTS else None
            try:
                for_them = _tested(answers, command)[0] if command else None
            except NeedMore as need:
                more += need.readings
                continue
            rows.append(_matched(block, rows[0], seen, for_them, line))
            seen.update(block["settings"])
        if more:
            raise NeedMore(*more)
        value = {
            "installed": True,
            "by": "sshd -T" if tested else "parser",
            "why": why,
            "contexts": rows,
            "ways": [way for row in rows for way in ways(row)],
        }
        yield Fact("sshd_effective", value, {**files.sources, "": MAIN.path})


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


def _told(value: Mapping[str, Any]) -> dict[str, Any]:
    """What the files say for everyone, with the defaults of the parser."""
    return _lists({k: v for k, v in value.items() if k not in ("match", "defaults", "installed")})


def _row(
    context: str,
    tested: dict[str, Any] | None,
    told: dict[str, Any],
    line: dict[str, Any],
    source: str,
) -> dict[str, Any]:
    by = "parser" if tested is None else "sshd -T"
    base = {**DEFAULTS, **(told if tested is None else tested)}
    made = {"context": context, "by": by, "own": [], "source": by if tested else source}
    return {**base, **line, **made}


def _matched(
    block: Mapping[str, Any],
    everyone: dict[str, Any],
    seen: set[str],
    tested: dict[str, Any] | None,
    line: dict[str, Any],
) -> dict[str, Any]:
    """The row of a Match block. What it says itself must show, or the question missed the block."""
    own = _lists(block["settings"])
    if tested and all(tested.get(k) == v for k, v in own.items() if k not in seen):
        settings, by = {**everyone, **tested}, "sshd -T"
    else:
        settings, by = {**everyone, **own}, "parser"
    made = {"context": block["criteria"], "by": by, "own": sorted(own), "source": block["source"]}
    return {**settings, **line, **made}


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


def command_line(answers: Answers) -> dict[str, Any]:
    """Settings of `-o` on the command line of the service, which go before all files."""
    assigned: dict[str, str] = {}
    for reading in (CRYPTO_POLICY, DEFAULT_SSH, SYSCONFIG):
        for name, value in _ASSIGNED.findall(answers.maybe(reading) or ""):
            assigned[name] = value
    block = sshdconfig.Block()
    for option in _options(
        assigned.get(name, "") for name in ("OPTIONS", "SSHD_OPTS", "CRYPTO_POLICY")
    ):
        for line in sshdconfig.lines("command line", option.replace("=", " ", 1)):
            block.set(line)
    return _lists(block.settings)


def _options(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        try:
            # a quoted whole, as systemd reads it, then its words
            words = shlex.split(" ".join(shlex.split(value, comments=True)))
        except ValueError as error:
            raise ParseError(f"command line of sshd: {error}") from error
        following = iter(words)
        for word in following:
            if word == "-o":
                yield next(following, "")
            elif word.startswith("-o"):
                yield word[2:]
