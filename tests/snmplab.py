"""A real snmpd on a loopback port or in a network namespace, with v2c and v3 users.

Everything lives in one folder and ends with its owner.
"""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from collectors.link.devices import SnmpAccess
from collectors.strictyaml import Secret
from tests.sshlab import wait_until

SNMPD = "/usr/sbin/snmpd"
COMMUNITY, NARROW = "jw-all", "jw-no-ifx"
AUTH, PRIVACY = "auth-secret-1", "priv-secret-1"

needs_snmpd = pytest.mark.skipif(
    not os.access(SNMPD, os.X_OK), reason="needs the Debian package snmpd"
)

CONFIG = """
rocommunity {community} {source}
view narrow included .1
view narrow excluded .1.3.6.1.2.1.31
rocommunity {narrow} {source} -V narrow
createUser strong SHA-256 {auth} AES {privacy}
createUser medium SHA {auth}
createUser weak MD5 {auth} DES {privacy}
rouser strong authPriv
rouser medium authNoPriv
rouser weak authPriv
"""


class Snmpd:
    """One snmpd; `argv` comes before its own, to start it elsewhere. It may be restarted."""

    def __init__(
        self, folder: Path, address: str = "127.0.0.1", argv: Sequence[str] = (), extra: str = ""
    ) -> None:
        folder.mkdir()
        self.address, self.port = address, free_udp_port()
        self._folder, self._argv = folder, argv
        domain = "udp6:[{}]:{}" if ":" in address else "udp:{}:{}"
        (folder / "conf").write_text(
            f"agentaddress {domain.format(address, self.port)}\n"
            + CONFIG.format(
                community=COMMUNITY, narrow=NARROW, source="default", auth=AUTH, privacy=PRIVACY
            ).replace("rocommunity", "rocommunity6" if ":" in address else "rocommunity")
            + extra
        )
        self._process = self._start()

    def v2c(self, community: str = COMMUNITY, **changes: Any) -> SnmpAccess:
        values = {"address": self.address, "port": self.port, "community": Secret(community)}
        return SnmpAccess(**{**values, **changes})

    def v3(self, user: str = "strong", **changes: Any) -> SnmpAccess:
        values: dict[str, Any] = {
            "address": self.address,
            "port": self.port,
            "version": "v3",
            "user": user,
            "auth": "SHA-256",
            "auth_secret": Secret(AUTH),
            "priv": "AES",
            "priv_secret": Secret(PRIVACY),
        }
        return SnmpAccess(**{**values, **changes})

    def restart(self) -> None:
        self.close()
        self._process = self._start()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _start(self) -> subprocess.Popen[bytes]:
        log = self._folder / "log"
        log.unlink(missing_ok=True)
        folder = self._folder
        program = [*self._argv, SNMPD, "-f", "-Lf", str(log), "-C", "-c", str(folder / "conf")]
        process = subprocess.Popen(
            program,
            env={**os.environ, "SNMP_PERSISTENT_DIR": str(folder / "state")},
            stdin=subprocess.DEVNULL,
        )
        wait_until(lambda: log.exists() and "NET-SNMP version" in log.read_text())
        return process


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
