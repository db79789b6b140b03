"""A real rsyslogd on loopback ports over TLS, TCP or UDP that writes what it gets to a file.

Everything lives in one folder and ends with its owner. It may be killed and started again.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.exporters.certificates import Authority
from tests.sshlab import wait_until

RSYSLOGD = "/usr/sbin/rsyslogd"
GTLS = "/usr/lib/*/rsyslog/lmnsd_gtls.so"

needs_rsyslogd = pytest.mark.skipif(
    not os.access(RSYSLOGD, os.X_OK) or not list(Path("/").glob(GTLS[1:])),
    reason="needs the Debian packages rsyslog and rsyslog-gnutls",
)

CONFIG = """
global(workDirectory="{folder}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="on"
  {tls})
template(name="plain" type="string" string="%syslogfacility-text%.%syslogseverity-text% %hostname% %app-name% %msgid% %msg%\\n")
{input}
action(type="omfile" file="{folder}/received" template="plain")
"""
TLS = """defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{folder}/ca.crt"
  defaultNetstreamDriverCertFile="{folder}/server.crt"
  defaultNetstreamDriverKeyFile="{folder}/server.key" """
INPUTS = {
    "tls": 'module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1"'
    ' streamDriver.authMode="{auth}")\n{tcp}',
    "tcp": 'module(load="imtcp")\n{tcp}',
    "udp": 'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="{port}")',
}
TCP = 'input(type="imtcp" address="127.0.0.1" port="{port}")'


class Rsyslog:
    """`auth` "x509/certvalid" wants a certificate of the authority from clients."""

    def __init__(
        self, folder: Path, transport: str, authority: Authority, auth: str = "anon"
    ) -> None:
        folder.mkdir()
        self._folder, self._transport = folder, transport
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        with socket.socket(socket.AF_INET, kind) as one:
            one.bind(("127.0.0.1", 0))
            self.port: int = one.getsockname()[1]
        (folder / "ca.crt").write_bytes(authority.pem)
        authority.issue("127.0.0.1").write(folder, "server")
        tls = TLS.format(folder=folder) if transport == "tls" else ""
        given = INPUTS[transport].format(auth=auth, port=self.port, tcp=TCP.format(port=self.port))
        (folder / "conf").write_text(CONFIG.format(folder=folder, tls=tls, input=given))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        pid = self._folder / "pid"
        pid.unlink(missing_ok=True)
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [RSYSLOGD, "-n", "-f", str(self._folder / "conf"), "-i", str(pid)],
                stdout=log,
                stderr=log,
            )
        wait_until(self._listens)

    def signal(self, number: signal.Signals) -> None:
        if self._process:
            self._process.send_signal(number)

    def kill(self) -> None:
        """At once, as the kernel does it."""
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def lines(self) -> list[str]:
        path = self._folder / "received"
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def __enter__(self) -> Rsyslog:
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()

    def _listens(self) -> bool:
        table = Path("/proc/net/udp" if self._transport == "udp" else "/proc/net/tcp")
        state = "07" if self._transport == "udp" else "0A"
        rows = (line.split() for line in table.read_text().splitlines()[1:])
        return any(row[1].endswith(f":{self.port:04X}") and row[3] == state for row in rows)
