"""What sshd really takes: `sshd -T`, those a Match block is about, and the parser in its place."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.model import Answer, Command, Fact, ParseError, Reading
from collectors.observe import observe
from collectors.security.sshserver.sshdtest import SshdEffectiveCollector, parse_test
from collectors.sources import commands
from collectors.sources.local import LocalSource

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
ABSENT = Answer("absent", reason="no program sshd")


class Host:
    """The files under a root, and `sshd -T` as told: for whom (`-C`) or "" → output or answer."""

    def __init__(self, root: Path, files: dict[str, str], said: dict[str, str | Answer]) -> None:
        self._files = LocalSource(str(root))
        self._said = said
        self.asked: list[str] = []
        for path, content in files.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode("utf-8", "replace"))

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        return {r: self._one(r) for r in readings}

    def _one(self, reading: Reading) -> Answer:
        if not isinstance(reading, Command):
            return self._files.answer([reading])[reading]
        whom = reading.argv[3] if len(reading.argv) > 2 else ""
        self.asked.append(whom)
        said = self._said.get(whom.partition(",host")[0], self._said.get(whom, ABSENT))
        return said if isinstance(said, Answer) else Answer("content", said.encode())


class RealHost(Host):
    """The same, with the real sshd reading the configuration under the root."""

    def __init__(self, root: Path, files: dict[str, str], key: Path) -> None:
        super().__init__(root, files, {})
        self._argv = (str(SSHD), "-f", str(root / "etc/ssh/sshd_config"), "-h", str(key))

    def _one(self, reading: Reading) -> Answer:
        if isinstance(reading, Command):
            self.asked.append(" ".join(reading.argv[2:]))
            return commands.run(Command((*self._argv, *reading.argv[1:])))
        return super()._one(reading)


def fact(host: Host) -> Fact:
    (observation,) = observe(host, [SshdEffectiveCollector()])
    (made,) = observation.facts
    return made


MAIN = "/etc/ssh/sshd_config"
TESTED = "port 22\nciphers aes256-ctr,aes128-cbc\nmaxauthtries 6\nlogingracetime 120\nusepam yes\n"


def test_absent_is_not_installed(tmp_path: Path) -> None:
    assert fact(Host(tmp_path, {}, {})).value == {"installed": False}


def test_sshd_itself_is_asked(tmp_path: Path) -> None:
    value = fact(Host(tmp_path, {MAIN: "MaxAuthTries 3\n"}, {"": TESTED})).value
    (row,) = value["contexts"]
    assert (value["by"], row["by"], row["context"]) == ("sshd -T", "sshd -T", "everyone")
    assert row["ciphers"] == ["aes256-ctr", "aes128-cbc"]
    assert row["maxauthtries"] == 6


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (ABSENT, "absent: no program sshd"),
        (Answer("failed", reason="exit status 1"), "failed: exit status 1"),
        (Answer("denied", reason="may not run sshd"), "denied: may not run sshd"),
        ("", "parse: sshd -T says nothing"),
        ("port x\n", "parse: sshd -T:1: port: 'x' is not a number"),
    ],
)
def test_the_parser_answers_in_its_place(tmp_path: Path, said: Answer | str, why: str) -> None:
    value = fact(Host(tmp_path, {MAIN: "MaxAuthTries 3\nMACs hmac-md5\n"}, {"": said})).value
    (row,) = value["contexts"]
    assert (value["by"], value["why"]) == ("parser", why)
    assert (row["maxauthtries"], row["macs"]) == (3, ["hmac-md5"])
    # the defaults of algorithms are another version's
    assert "ciphers" not in row


def test_a_change_to_unknown_defaults_is_unknown(tmp_path: Path) -> None:
    for change in ("+", "-", "^"):
        files = {MAIN: f"Ciphers {change}aes128-cbc\n"}
        assert "ciphers" not in fact(Host(tmp_path, files, {})).value["contexts"][0]


def test_match_blocks_are_asked_about(tmp_path: Path) -> None:
    config = "Match User git Address 10.0.0.0/8,192.168.1.1\nMaxAuthTries 9\nMatch Group ops\nMaxAuthTries 8\n"
    whom = "user=git,host=host.invalid,addr=10.0.0.0,laddr=192.0.2.2,lport=22"
    said: dict[str, str | Answer] = {"": TESTED, whom: TESTED.replace("tries 6", "tries 9")}
    host = Host(tmp_path, {MAIN: config}, said)
    _, git, ops = fact(host).value["contexts"]
    assert host.asked == ["", whom]
    assert (git["by"], git["maxauthtries"]) == ("sshd -T", 9)
    assert git["source"] == f"{MAIN}:1"
    # who is in a group is not asked; what the block says goes over what holds for all
    assert (ops["by"], ops["maxauthtries"], ops["ciphers"]) == (
        "parser",
        8,
        ["aes256-ctr", "aes128-cbc"],
    )


def test_a_question_that_misses_the_block_does_not_hide_it(tmp_path: Path) -> None:
    whom = "user=a1,host=host.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22"
    config = "Match User a*\nPermitRootLogin yes\n"
    _, row = fact(Host(tmp_path, {MAIN: config}, {"": TESTED, whom: TESTED})).value["contexts"]
    assert (row["by"], row["permitrootlogin"]) == ("parser", "yes")


@pytest.mark.parametrize(
    ("path", "content", "ciphers"),
    [
        ("/etc/sysconfig/sshd", 'OPTIONS="-u0 -oCiphers=3des-cbc"\n', ["3des-cbc"]),
        ("/etc/default/ssh", "SSHD_OPTS='-o Ciphers=3des-cbc'\n", ["3des-cbc"]),
        ("/etc/default/ssh", "#SSHD_OPTS='-o Ciphers=3des-cbc'\n", ["aes256-ctr", "aes128-cbc"]),
        (
            "/etc/crypto-policies/back-ends/opensshserver.config",
            "CRYPTO_POLICY='-oCiphers=aes256-gcm@openssh.com,aes256-ctr -oMACs=hmac-sha2-256'\n",
            ["aes256-gcm@openssh.com", "aes256-ctr"],
        ),
    ],
)
def test_the_command_line_goes_before_all_files(
    tmp_path: Path, path: str, content: str, ciphers: list[str]
) -> None:
    value = fact(Host(tmp_path, {MAIN: "\n", path: content}, {"": TESTED})).value
    assert value["contexts"][0]["ciphers"] == ciphers


def test_a_policy_that_is_opted_out_of_does_not_count(tmp_path: Path) -> None:
    files = {
        MAIN: "\n",
        "/etc/crypto-policies/back-ends/opensshserver.config": "CRYPTO_POLICY='-oCiphers=3des-cbc'\n",
        "/etc/sysconfig/sshd": "CRYPTO_POLICY=\n",
    }
    assert (
        fact(Host(tmp_path, files, {"": TESTED})).value["contexts"][0]["ciphers"][0] == "aes256-ctr"
    )


def test_a_policy_that_a_file_includes_counts_for_the_parser(tmp_path: Path) -> None:
    policy = "/etc/crypto-policies/back-ends/opensshserver.config"
    files = {
        MAIN: "Include /etc/ssh/sshd_config.d/*.conf\nCiphers aes128-cbc\n",
        "/etc/ssh/sshd_config.d/50-redhat.conf": f"Include {policy}\nUsePAM yes\n",
        policy: "Ciphers aes256-ctr\nMACs hmac-sha2-256\n",
    }
    (row,) = fact(Host(tmp_path, files, {})).value["contexts"]
    assert (row["ciphers"], row["macs"], row["usepam"]) == (
        ["aes256-ctr"],
        ["hmac-sha2-256"],
        "yes",
    )


@pytest.mark.parametrize(
    ("config", "ways"),
    [
        ("", {"publickey": 1, "password": 1, "keyboard-interactive": 1}),
        ("PasswordAuthentication no\nKbdInteractiveAuthentication no\n", {"publickey": 1}),
        ("AuthenticationMethods publickey,password\n", {"publickey,password": 2}),
        (
            "AuthenticationMethods publickey,publickey publickey,keyboard-interactive:pam\n",
            {"publickey,publickey": 1, "publickey,keyboard-interactive:pam": 2},
        ),
        # a method that is off lets nobody in
        ("AuthenticationMethods publickey,password password\nPasswordAuthentication no\n", {}),
        (
            "AuthenticationMethods publickey,password\nMatch User a\nAuthenticationMethods any\nPasswordAuthentication no\n",
            {"publickey,password": 2, "User a: publickey": 1, "User a: keyboard-interactive": 1},
        ),
    ],
)
def test_ways_in(tmp_path: Path, config: str, ways: dict[str, int]) -> None:
    value = fact(Host(tmp_path, {MAIN: config}, {})).value
    assert {way["way"]: way["kinds"] for way in value["ways"]} == ways


# --- the real sshd -------------------------------------------------------------------------------------

CONFIGS = (
    "",
    "Ciphers aes256-ctr\nMACs -umac-64@openssh.com\n",
    "MaxAuthTries 3\nMatch User git\n  MaxAuthTries 9\n  PermitTTY no\n",
    "Match Address 10.0.0.0/8\n  PermitRootLogin yes\nMatch User root Address 10.1.0.0/16\n  PermitRootLogin no\n  X11Forwarding yes\n",
    "Match LocalPort 2222\n  PasswordAuthentication no\nMatch Host *.example.org\n  Banner /etc/issue\n",
    "AuthenticationMethods publickey,password\nLoginGraceTime 1m\nMaxStartups 5\n",
)  # fmt: skip


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if SSHD is None or os.geteuid():
        pytest.skip("needs sshd (Debian: openssh-server), and root")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    made = tmp_path_factory.mktemp("sshd") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made)], check=True)
    return made


@pytest.mark.parametrize("config", CONFIGS)
def test_the_real_sshd_and_the_parser_agree(config: str, key: Path, tmp_path: Path) -> None:
    theirs = fact(RealHost(tmp_path, {MAIN: config}, key)).value
    ours = fact(Host(tmp_path, {}, {})).value
    assert (theirs["by"], ours["by"]) == ("sshd -T", "parser")
    for row, mine in zip(theirs["contexts"], ours["contexts"], strict=True):
        assert (row["context"], row["by"]) == (mine["context"], "sshd -T")
        assert row["ciphers"]
        assert row["hostkeyalgorithms"]
        if row["context"].startswith("User root"):
            # an earlier block goes first for root: the block's own word is the parser's
            assert (row["permitrootlogin"], mine["permitrootlogin"]) == ("yes", "no")
            continue
        # one number is told as three
        same = set(mine) & set(row) - {"by", "source", "sources", "listenaddress"}
        same -= {"macs", "maxstartups"}
        assert {k: row[k] for k in same} == {k: mine[k] for k in same}


def test_of_max_startups_the_last_holds(key: Path, tmp_path: Path) -> None:
    config = "MaxStartups 10:30:60\nMaxSessions 7\nMaxStartups 500:30:500\nMaxSessions 8\n"
    for host in (RealHost(tmp_path, {MAIN: config}, key), Host(tmp_path, {}, {})):
        (row,) = fact(host).value["contexts"]
        assert (row["maxstartups"], row["maxsessions"]) == ("500:30:500", 7)


@given(config=st.text(), line=st.text(), said=st.text())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_configuration(config: str, line: str, said: str, tmp_path: Path) -> None:
    files = {MAIN: config, "/etc/sysconfig/sshd": f"OPTIONS={line}\n"}
    made = fact(Host(tmp_path, files, {"": said}))
    assert made.value or made.unavailable.startswith(("parse: ", "failed: "))


@given(st.text())
def test_any_output(text: str) -> None:
    try:
        parse_test(text)
    except ParseError:
        return


def test_ten_thousand_odd_lines(tmp_path: Path) -> None:
    start = time.perf_counter()
    config = "".join(f"Match User u{i}\nMaxAuthTries 3\n" for i in range(5_000))
    host = Host(tmp_path, {MAIN: config, "/etc/sysconfig/sshd": "\n" * 10_000}, {"": TESTED})
    assert len(fact(host).value["contexts"]) == 5_001
    assert len(host.asked) <= 20
    assert time.perf_counter() - start < 10
