"""A real slapd under a temporary folder: Debian's, with an mdb database of its own, TLS, and some people in it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from cryptography import x509

from tests.exporters.certificates import Authority

SLAPD: Final = "/usr/sbin/slapd"
BASE: Final = "dc=example,dc=cn"
READER: Final = f"cn=console,{BASE}"
READER_PASSWORD: Final = "Reader-Password-1"
PASSWORD: Final = "Zhang-Password-1"

_CONFIG: Final = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.crt
TLSCertificateKeyFile {folder}/server.key
database mdb
suffix "{base}"
directory {folder}/data
maxsize 10485760
rootdn "cn=root,{base}"
rootpw root
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * none
"""


def person(uid: str, unit: str = "people", password: str = PASSWORD, **more: str) -> str:
    """One in LDIF."""
    dn = f"uid={uid},ou={unit},{BASE}"
    given = {"cn": uid.title(), "sn": uid, "mail": f"{uid}@example.cn", **more}
    lines = [f"dn: {dn}", "objectClass: inetOrgPerson", f"uid: {uid}", f"userPassword: {password}"]
    return "\n".join([*lines, *(f"{key}: {value}" for key, value in given.items())]) + "\n"


def group(name: str, *uids: str) -> str:
    lines = [f"dn: cn={name},ou=groups,{BASE}", "objectClass: groupOfNames", f"cn: {name}"]
    return "\n".join([*lines, *(f"member: uid={one},ou=people,{BASE}" for one in uids)]) + "\n"


_TREE: Final = "\n".join(
    [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n",
        *(
            f"dn: ou={one},{BASE}\nobjectClass: organizationalUnit\nou: {one}\n"
            for one in ("people", "others", "groups")
        ),
        f"dn: {READER}\nobjectClass: person\ncn: console\nsn: console\nuserPassword: {READER_PASSWORD}\n",
        person("zhang", cn="Zhang San", departmentNumber="0317"),
        person("li"),
        person("wang", departmentNumber="0317"),
        person("zhao"),
        person("twin"),
        person("twin", "others"),
        person("star*(x)"),
        group("analysts", "zhang", "twin", "star*(x)"),
        group("approvers", "zhang", "li"),
        f"dn: ou=elsewhere,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\n"
        "ref: ldap://127.0.0.1:9/ou=elsewhere,dc=example,dc=cn\n",
    ]
)


class Slapd:
    """Running from `__enter__` on; `kill` and `start` it as often as wanted."""

    def __init__(self, certified: str = "127.0.0.1") -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="jianwei-ldap-"))
        self._authority = Authority()
        names: tuple[x509.GeneralName, ...] = ()
        if certified != "127.0.0.1":
            names = (x509.DNSName(certified),)
        self._authority.issue("slapd", *names).write(self._folder, "server")
        self.ca_file = str(self._folder / "ca.pem")
        Path(self.ca_file).write_bytes(self._authority.pem)
        (self._folder / "data").mkdir()
        self._config = self._folder / "slapd.conf"
        text = _CONFIG.format(folder=self._folder, base=BASE, reader=READER)
        self._config.write_text(text)
        self._process: subprocess.Popen[bytes] | None = None
        self.port, self.tls_port = _free(), _free()

    @staticmethod
    def unavailable() -> str:
        return "" if os.access(SLAPD, os.X_OK) else "slapd is not installed"

    @property
    def url(self) -> str:
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    def __enter__(self) -> Slapd:
        argv = ["/usr/sbin/slapadd", "-q", "-f", str(self._config)]
        done = subprocess.run(argv, input=_TREE.encode(), capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr.decode()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        urls = f"{self.url} {self.tls_url}"
        argv = [SLAPD, "-d", "0", "-f", str(self._config), "-h", urls]
        self._process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for port in (self.port, self.tls_port):
            _wait(port, self._process)

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def change(self, ldif: str) -> None:
        """ldapmodify as its root."""
        argv = ["ldapmodify", "-x", "-H", self.url, "-D", f"cn=root,{BASE}", "-w", "root"]
        done = subprocess.run(argv, input=ldif.encode(), capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr.decode()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert process.poll() is None, "slapd ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("slapd does not answer")
