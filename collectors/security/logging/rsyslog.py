"""Where records of the system go: rsyslog's configuration, the daemons and shippers that run.

The parser is in rsyslogconfig.py. Files are made with the daemon's umask as well, which its unit may set,
systemd.exec(5): the RPM family's has UMask=0066. syslog-ng's configuration is not read: with it alone the fact has
no value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Glob,
    Inventory,
    Reading,
    Stat,
    Unavailable,
)
from collectors.rows import FileStat, Process
from collectors.security.dropins import Text, settings
from collectors.security.logging import rsyslogconfig
from collectors.security.partial import texts

MAIN = File("/etc/rsyslog.conf", masked=True)
# the first that is there is the unit; what the drop-ins say goes before it
UNITS = (
    File("/etc/systemd/system/rsyslog.service"),
    File("/usr/lib/systemd/system/rsyslog.service"),
)
DROPINS = Glob("/etc/systemd/system/rsyslog.service.d/*.conf")
SYSLOG_NG = Stat("/etc/syslog-ng/syslog-ng.conf")
PROCESSES = Inventory("processes")

_OCTAL = re.compile(r"0?[0-7]{1,4}", re.ASCII)

# As the kernel has them: 15 characters.
DAEMONS = {"rsyslogd", "syslog-ng", "syslogd", "metalog"}
SHIPPERS = {
    *("filebeat", "fluentd", "fluent-bit", "td-agent", "td-agent-bit", "vector", "promtail"),
    *("nxlog", "splunkd", "wazuh-agentd", "ossec-agentd", "ilogtail", "loongcollector", "logstash"),
}


class RsyslogCollector(Collector, frozen=True):
    """`rsyslog`: installed; daemons and shippers that run (null: not known);

    files: rows of selector, path, mode (of the file when it is made), ruleset, logins (the records
    of logins surely come to it), source. /dev/null and other devices are no files.
    forwards: rows of selector, target, port, protocol (udp, tcp, relp, kafka …), tls, loopback,
    ruleset, logins.
    inputs: rows of protocol, port: where it takes records of others.
    """

    name: ClassVar[str] = "rsyslog"
    facts: ClassVar[tuple[str, ...]] = ("rsyslog",)

    def readings(self) -> tuple[Reading, ...]:
        return (MAIN, SYSLOG_NG, PROCESSES, *UNITS, DROPINS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        text = answers.maybe(MAIN)
        value: dict[str, Any] = {
            "installed": text is not None,
            "daemons": _running(answers, DAEMONS),
            "shippers": _running(answers, SHIPPERS),
            "files": [],
            "forwards": [],
            "inputs": [],
        }
        if text is None and answers.rows(SYSLOG_NG, FileStat):
            yield Fact("rsyslog", None, unavailable="failed: syslog-ng's configuration is not read")
            return
        if text is not None:
            found = rsyslogconfig.parse(
                MAIN.path,
                text,
                lambda pattern: texts(answers, pattern, masked=True),
                _umask(answers),
            )
            value |= {"files": found.files, "forwards": found.forwards, "inputs": found.inputs}
        yield Fact("rsyslog", value, {"": MAIN.path})


def _umask(answers: Answers) -> int:
    """What the unit sets; without a unit, or where it says nothing, 0: rsyslog's modes are narrower
    than systemd's own 0022 leaves."""
    unit = next((text for it in UNITS if (text := answers.maybe(it)) is not None), "")
    files = [
        Text("", unit),
        *(Text(*one) for one in sorted(texts(answers, DROPINS.pattern).items())),
    ]
    value, _ = settings(files, "Service").get("UMask", ("", ""))
    return int(value, 8) if _OCTAL.fullmatch(value) else 0


def _running(answers: Answers, names: set[str]) -> list[str] | None:
    try:
        rows = answers.rows(PROCESSES, Process)
    except Unavailable:
        return None
    return sorted({row.name for row in rows} & names)
