"""Options on sshd's command line and the ports it listens on, beside the real sshd."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.model import Answer, Command, Fact, Reading
from collectors.observe import observe
from collectors.security.sshserver.sshd import SshdCollector
from collectors.security.sshserver.sshdtest import SshdEffectiveCollector
from collectors.sources import commands
from collectors.sources.local import LocalSource

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MAIN = "/etc/ssh/sshd_config"
UNIT = "/usr/lib/systemd/system/sshd.service"
DROP_IN = "/etc/systemd/system/sshd.service.d/x.conf"
RPM_UNIT = """[Service]
Type=notify
EnvironmentFile=-/etc/crypto-policies/back-ends/opensshserver.config
EnvironmentFile=-/etc/sysconfig/sshd
ExecStart=/usr/sbin/sshd -D $OPTIONS $CRYPTO_POLICY
"""


class Host:
    """Files under a root; sshd is absent, or the real one with its key reads them."""

    def __init__(self, root: Path, files: dict[str, str], key: Path | None = None) -> None:
        self._root, self._key, self._files = root, key, LocalSource(str(root))
        for path, content in files.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode("utf-8", "replace"))

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        return {r: self._one(r) for r in readings}

    def _one(self, reading: Reading) -> Answer:
        if not isinstance(reading, Command):
            return self._files.answer([reading])[reading]
        if self._key is None:
            return Answer("absent", reason="no program sshd")
        argv = (str(SSHD), "-f", f"{self._root}{MAIN}", "-h", str(self._key), *reading.argv[1:])
        return commands.run(Command(argv))


def fact(host: Host, collector: Any = None) -> Fact:
    (observation,) = observe(host, [collector or SshdEffectiveCollector()])
    (made,) = observation.facts
    return made


def everyone(root: Path, files: dict[str, str]) -> Any:
    return fact(Host(root, {MAIN: "PermitRootLogin no\n", **files})).value["contexts"][0]


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if SSHD is None or os.geteuid():
        pytest.skip("needs sshd (Debian: openssh-server), and root")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    made = tmp_path_factory.mktemp("sshd") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made)], check=True)
    return made


@pytest.mark.parametrize(
    ("files", "place"),
    [
        ({"/etc/sysconfig/sshd": 'OPTIONS="-o PermitRootLogin=yes"\n'}, "/etc/sysconfig/sshd"),
        (
            {UNIT: RPM_UNIT, "/etc/sysconfig/sshd": "OPTIONS='-oPermitRootLogin=yes -4'\n"},
            "/etc/sysconfig/sshd",
        ),
        (
            {
                UNIT: RPM_UNIT,
                DROP_IN: "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -De -o \\\n"
                '  "PermitRootLogin yes"\n',
            },
            f"{DROP_IN}:4",
        ),
        ({DROP_IN: "[Service]\nExecStart=@/usr/sbin/sshd x -oPermitRootLogin=yes\n"}, DROP_IN),
        (
            {UNIT: RPM_UNIT, DROP_IN: "[Service]\nEnvironment='OPTIONS=-o PermitRootLogin=yes'\n"},
            DROP_IN,
        ),
        (
            {
                UNIT: RPM_UNIT,
                DROP_IN: "[Service]\nEnvironmentFile=/etc/default/more\n"
                "ExecStart=\nExecStart=/sbin/sshd -o PermitRootLogin=${ROOT}\n",
                "/etc/default/more": "ROOT=yes\n",
            },
            "/etc/default/more",
        ),
        # Debian's unit has two names
        (
            {
                "/usr/lib/systemd/system/ssh.service": "[Service]\nExecStart=/usr/sbin/sshd -D\n",
                DROP_IN: "[Service]\nExecStart=\nExecStart=sshd -oPermitRootLogin=yes\n",
            },
            DROP_IN,
        ),
    ],
)
def test_what_the_unit_adds_goes_before_the_files(
    tmp_path: Path, files: dict[str, str], place: str
) -> None:
    row = everyone(tmp_path, files)
    assert row["permitrootlogin"] == "yes"
    assert place in row["sources"]["permitrootlogin"]


@pytest.mark.parametrize(
    "files",
    [
        # a variable that the unit does not use
        {UNIT: RPM_UNIT, "/etc/default/ssh": "SSHD_OPTS='-o PermitRootLogin=yes'\n"},
        # taken back
        {
            "/etc/systemd/system/sshd.service.d/a.conf": "[Service]\nExecStart=sshd -oPermitRootLogin=yes\n",
            DROP_IN: "[Service]\nExecStart=\nExecStart=/usr/sbin/sshd -D\n",
        },
        {DROP_IN: "[Unit]\nExecStart=sshd -oPermitRootLogin=yes\n"},
        {DROP_IN: "[Service]\n#ExecStart=sshd -oPermitRootLogin=yes\n"},
    ],
)
def test_what_adds_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    row = everyone(tmp_path, files)
    assert (row["permitrootlogin"], row["sources"]["permitrootlogin"]) == ("no", f"{MAIN}:1")


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ("/usr/sbin/sshd -D -f /srv/sshd_config", "and not its usual file"),
        ("/bin/sh -c 'exec /usr/sbin/sshd -oPermitRootLogin=yes'", "is started and not sshd"),
        ("/usr/sbin/sshd -o 'PermitRootLogin", "No closing quotation"),
    ],
)
def test_another_start_is_unknown(tmp_path: Path, start: str, why: str) -> None:
    host = Host(tmp_path, {MAIN: "\n", DROP_IN: f"[Service]\nExecStart=\nExecStart={start}\n"})
    made = fact(host)
    assert made.value is None
    assert why in made.unavailable


def test_no_file_of_variables_is_read_that_may_hold_secrets(tmp_path: Path) -> None:
    drop_in = "[Service]\nEnvironmentFile=/etc/shadow\nExecStart=sshd $X\n"
    made = fact(Host(tmp_path, {MAIN: "\n", DROP_IN: drop_in, "/etc/shadow": "X=-oUsePAM=no\n"}))
    assert (
        made.unavailable == "parse: command line of sshd: variables from /etc/shadow are not read"
    )


OPTIONS = (
    "-o PermitRootLogin=yes -o MaxAuthTries=20",
    "-oPermitEmptyPasswords=yes -g 33",
    "-p 2022 -p 2023",
    "-o Port=99 -oAllowUsers=b",
    "-o MaxStartups=7:7:7 -o X11Forwarding=yes",
)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(
    "config",
    [
        "Port 22\nPermitRootLogin no\nMaxStartups 1:2:3\nAllowUsers a\n",
        "MaxAuthTries 3\nMatch all\nPermitRootLogin no\n",
        "Match User root\nPermitRootLogin no\nMaxAuthTries 5\n",
        "ListenAddress 0.0.0.0:2222\nListenAddress 127.0.0.1\nListenAddress [::1]:http\n",
        "ListenAddress ::1\nPort ssh\n",
    ],
)
def test_the_real_sshd_with_options(config: str, options: str, key: Path, tmp_path: Path) -> None:
    services = "http 80/tcp www\n"
    files = {
        MAIN: config,
        "/etc/sysconfig/sshd": f'OPTIONS="{options}"\n',
        "/etc/services": services,
    }
    for host in (Host(tmp_path, files), Host(tmp_path, files, key)):
        for row in fact(host).value["contexts"]:
            whom = ["-C", "user=root,host=x,addr=192.0.2.1"] if row["context"] != "everyone" else []
            argv = [str(SSHD), "-T", "-f", f"{tmp_path}{MAIN}", "-h", str(key), *options.split()]
            done = subprocess.run([*argv, *whom], capture_output=True, text=True, check=True)
            said: dict[str, list[str]] = {}
            for line in done.stdout.splitlines():
                keyword, _, value = line.partition(" ")
                said.setdefault(keyword, []).append(value)
            for keyword in ("permitemptypasswords", "maxauthtries", "logingracetime"):
                assert [str(row[keyword])] == said[keyword]
            for keyword in ("x11forwarding", "addressfamily"):
                assert [row[keyword]] == said[keyword]
            root = row["permitrootlogin"].replace("prohibit-", "without-")
            assert [root] == said["permitrootlogin"]
            assert row.get("allowusers", []) == said.get("allowusers", [])
            heard = {int(it.rpartition(":")[2]) for it in said["listenaddress"]}
            assert set(row["port"]) == heard
            if row["by"] == "sshd -T":
                assert [row["maxstartups"]] == said["maxstartups"]


@pytest.mark.parametrize(
    ("config", "ports"),
    [
        ("", [22]),
        ("Port ssh\n", [22]),
        ("ListenAddress 0.0.0.0:2222\n", [2222]),
        ("ListenAddress 0.0.0.0:2222\nListenAddress ::\nPort 24\n", [2222, 24]),
        ("ListenAddress [::]:2222 rdomain blue\n", [2222]),
        ("Port altssh\n", [10022]),
    ],
)
def test_ports_are_those_of_addresses_too(tmp_path: Path, config: str, ports: list[int]) -> None:
    files = {MAIN: config, "/etc/services": "#altssh 1/tcp\nx 10022/tcp altssh # y\n"}
    assert fact(Host(tmp_path, files), SshdCollector()).value["port"] == ports
    assert fact(Host(tmp_path, files)).value["contexts"][0]["port"] == ports


def test_a_port_of_no_service_is_unknown(tmp_path: Path) -> None:
    made = fact(Host(tmp_path, {MAIN: "Port nowhere\n"}), SshdCollector())
    assert made.unavailable == "parse: port 'nowhere' is in no /etc/services"


def test_a_folder_among_drop_ins_is_passed_over(key: Path, tmp_path: Path) -> None:
    files = {
        MAIN: f"Include {tmp_path}/etc/ssh/sshd_config.d/*.conf\nMaxAuthTries 9\n",
        "/etc/ssh/sshd_config.d/a.conf": "MaxAuthTries 4\n",
        "/etc/ssh/sshd_config.d/x.conf/b.conf": "MaxAuthTries 2\n",
    }
    theirs = fact(Host(tmp_path, files, key)).value["contexts"][0]
    assert (theirs["by"], theirs["maxauthtries"]) == ("sshd -T", 4)
    files[MAIN] = "Include /etc/ssh/sshd_config.d/*.conf\nMaxAuthTries 9\n"
    assert fact(Host(tmp_path, files), SshdCollector()).value["maxauthtries"] == 4


@given(unit=st.text(), drop_in=st.text(), start=st.text())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_unit(unit: str, drop_in: str, start: str, tmp_path: Path) -> None:
    files = {UNIT: unit, DROP_IN: f"{drop_in}\n[Service]\nExecStart=sshd {start}\n", MAIN: "\n"}
    made = fact(Host(tmp_path, files))
    assert made.value or made.unavailable.startswith(("parse: ", "failed: "))
