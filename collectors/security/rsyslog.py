"""Where records of the system go: rsyslog's configuration, the daemons and shippers that run.

The parser is in rsyslogconfig.py. syslog-ng's configuration is not read: with it alone the fact has
no value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, Inventory, Reading, Stat, Unavailable
from collectors.rows import FileStat, Process
from collectors.security import rsyslogconfig
from collectors.security.partial import texts

MAIN = File("/etc/rsyslog.conf")
SYSLOG_NG = Stat("/etc/syslog-ng/syslog-ng.conf")
PROCESSES = Inventory("processes")

# As the kernel has them: 15 characters.
DAEMONS = {"rsyslogd", "syslog-ng", "syslogd", "metalog"}
SHIPPERS = {
    *("filebeat", "fluentd", "fluent-bit", "td-agent", "td-agent-bit", "vector", "promtail"),
    *("nxlog", "splunkd", "wazuh-agentd", "ossec-agentd", "ilogtail", "loongcollector", "logstash"),
}


class RsyslogCollector(Collector, frozen=True):
    """`rsyslog`: installed; daemons and shippers that run (null: not known);

    files: rows of selector, path, mode (of the file when it is made), source.
    forwards: rows of selector, target, port, protocol (udp, tcp, relp, kafka …), tls, loopback.
    inputs: rows of protocol, port: where it takes records of others.
    """

    name: ClassVar[str] = "rsyslog"
    facts: ClassVar[tuple[str, ...]] = ("rsyslog",)

    def readings(self) -> tuple[Reading, ...]:
        return (MAIN, SYSLOG_NG, PROCESSES)

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
            found = rsyslogconfig.parse(MAIN.path, text, lambda pattern: texts(answers, pattern))
            value |= {"files": found.files, "forwards": found.forwards, "inputs": found.inputs}
        yield Fact("rsyslog", value, {"": MAIN.path})


def _running(answers: Answers, names: set[str]) -> list[str] | None:
    try:
        rows = answers.rows(PROCESSES, Process)
    except Unavailable:
        return None
    return sorted({row.name for row in rows} & names)
