"""What OpenSSH's server is told to do: /etc/ssh/sshd_config and what it includes, sshd_config(5).

What is on disk, which is what the next start or reload takes; options on sshd's command line are
seen in `sshd_effective` only. The parser is in sshdconfig.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Glob,
    NeedMore,
    Reading,
    Unavailable,
)
from collectors.security.identity.snippets import is_folder
from collectors.security.sshserver import sshdconfig, sshdports
from collectors.security.sshserver.sshdkeywords import DEFAULTS

FOLDER = "/etc/ssh"
MAIN = File(f"{FOLDER}/sshd_config")
DEFAULT = "OpenSSH"  # the source of what no file says


class SshdCollector(Collector, frozen=True):
    """`sshd`: keyword in small letters → value, as `sshd -T` tells it, and

    installed: false where there is no configuration, and then nothing else.
    defaults: the keywords that no file sets. `permitrootlogin` is one of them or is not.
    match: for each Match block its criteria, its settings alone, its source.
    Numbers and times (in seconds) are integers; what adds up (allowusers, port …) is a list.
    port: all that sshd listens on, those of ListenAddress as well.
    """

    name: ClassVar[str] = "sshd"
    facts: ClassVar[tuple[str, ...]] = ("sshd",)

    def readings(self) -> tuple[File, ...]:
        return (MAIN,)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        config = configuration(answers)
        if config is None:
            yield Fact("sshd", {"installed": False}, {"": MAIN.path})
            return
        set_ = config.settings()
        defaults = [name for name in DEFAULTS if name not in set_]
        value: dict[str, Any] = {
            **DEFAULTS,
            **set_,
            "installed": True,
            "defaults": defaults,
            "match": [
                {
                    "criteria": block.criteria,
                    "settings": block.settings,
                    "sources": block.sources,
                    "source": block.source,
                }
                for block in config.matches
            ],
        }
        value["port"] = sshdports.listening(value["port"], set_.get("listenaddress", ()), answers)
        sources = {**dict.fromkeys(defaults, f"{DEFAULT} default"), **config.sources()}
        yield Fact("sshd", value, {"": MAIN.path, **sources})


def configuration(answers: Answers) -> sshdconfig.Config | None:
    """What the files say; None where there are none."""
    text = answers.maybe(MAIN)
    if text is None:
        return None
    _ask_for_includes(MAIN.path, text, answers)
    return sshdconfig.parse(MAIN.path, text, lambda pattern: _files(pattern, answers))


def _ask_for_includes(path: str, text: str, answers: Answers) -> None:
    """Ask for all that is included at one depth at once: rounds are few, and each is a trip."""
    seen: set[str] = set()
    files = {path: text}
    while files:
        wanted = [
            pattern
            for name, content in files.items()
            for pattern in sshdconfig.patterns(name, content, FOLDER)
            if pattern not in seen
        ]
        seen.update(wanted)
        more: list[Reading] = []
        files = {}
        for pattern in dict.fromkeys(wanted):
            try:
                files.update(_files(pattern, answers))
            except NeedMore as need:
                more += need.readings
        if more:
            raise NeedMore(*more)


def _files(pattern: str, answers: Answers) -> dict[str, str]:
    """The files that match, by path; one that cannot be read makes the whole unknown."""
    reading = Glob(pattern)
    texts = {}
    for path, answer in answers.children(reading).items():
        if answer.state == "absent":
            continue  # a dangling link; sshd skips what it cannot find
        if is_folder(answer):
            continue  # sshd reads nothing from it
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        texts[path] = answer.content.decode("utf-8", "replace")
    return texts
