"""Host keys, authentication and jump hosts of SshSource, against real servers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from collectors.model import Answer, File, Reading
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.source import HostKeyError, SshError, SshSource
from collectors.strictyaml import Secret
from tests.sshlab import USER, PasswordServer, Sshd, SshLab, keygen, needs_sshd

VERSION = File("/proc/version")


def ask(target: str, settings: SshSettings, *readings: Reading) -> list[Answer]:
    with SshSource(target, settings) as source:
        return list(source.answer(readings or [VERSION]).values())


def assert_let_in(target: str, settings: SshSettings) -> None:
    assert ask(target, settings)[0].content.startswith(b"Linux version")


@needs_sshd
def test_an_unknown_key_is_refused_and_told(lab: SshLab) -> None:
    server = lab.server(known=False)
    with pytest.raises(HostKeyError) as error:
        ask(server.target, lab.settings())
    shown = subprocess.run(
        ["ssh-keygen", "-lf", server.host_key], capture_output=True, text=True, check=True
    ).stdout.split()[1]
    assert error.value.judgement == "unknown"
    assert error.value.fingerprint == shown
    for part in ("127.0.0.1", str(server.port), "ssh-ed25519", shown, "ssh-keyscan", "compare"):
        assert part in str(error.value)
    assert "Accepted" not in server.log.read_text()


@needs_sshd
def test_a_changed_key_is_refused(lab: SshLab, tmp_path: Path) -> None:
    server, other = lab.server(known=False), tmp_path / "other"
    keygen(other)
    kind, key, _ = other.with_suffix(".pub").read_text().split()
    known = tmp_path / "known_hosts"
    known.write_text(f"# hosts\n[127.0.0.1]:{server.port} {kind} {key}\n")
    with pytest.raises(HostKeyError, match="changed ssh-ed25519 key SHA256:") as error:
        ask(server.target, lab.settings(known_hosts=(str(known),)))
    assert f"{known}:2" in str(error.value)


@needs_sshd
def test_a_revoked_key_is_refused(lab: SshLab, tmp_path: Path) -> None:
    server = lab.server(known=False)
    known = tmp_path / "known_hosts"
    known.write_text(
        f"{server.known_hosts_line}@revoked * {server.known_hosts_line.split(' ', 1)[1]}"
    )
    with pytest.raises(HostKeyError, match="revoked"):
        ask(server.target, lab.settings(known_hosts=(str(known),)))


@needs_sshd
def test_hashed_known_hosts(lab: SshLab, server: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(server.known_hosts_line)
    subprocess.run(["ssh-keygen", "-H", "-f", known], check=True, capture_output=True)
    assert known.read_text().startswith("|1|")
    assert_let_in(server.target, lab.settings(known_hosts=(str(known),)))


@needs_sshd
def test_of_several_host_keys_the_known_one_is_asked_for(lab: SshLab, tmp_path: Path) -> None:
    rsa = tmp_path / "rsa"
    keygen(rsa, "rsa")
    server = lab.server(f"HostKey {rsa}", known=False)
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{server.port} {rsa.with_suffix('.pub').read_text()}")
    assert_let_in(server.target, lab.settings(known_hosts=(str(known),)))


@needs_sshd
def test_keys(lab: SshLab, server: Sshd, tmp_path: Path) -> None:
    stranger, locked = tmp_path / "stranger", tmp_path / "locked"
    keygen(stranger)
    locked.write_bytes(lab.key.read_bytes())
    locked.chmod(0o600)
    argv = ["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", str(locked)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    right = lab.settings(key_file=str(locked), key_passphrase=Secret("open sesame"))
    assert_let_in(server.target, right)
    for changes, message in (
        ({"key_file": str(stranger)}, f"not let in; tried key {stranger}"),
        ({"key_file": str(locked)}, "is encrypted: set key_passphrase"),
        ({"key_file": str(locked), "key_passphrase": Secret("x")}, "the passphrase is wrong"),
        ({"key_file": str(tmp_path / "none")}, "there is no such key file"),
        ({"key_file": "/etc/passwd"}, "is no private key"),
    ):
        with pytest.raises(SshError, match=message):
            ask(server.target, lab.settings(**changes))


@needs_sshd
def test_keys_of_an_agent(
    lab: SshLab, server: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no keys of whoever runs the tests
    settings = lab.settings(key_file="", use_agent=True)
    stranger = tmp_path / "stranger"
    keygen(stranger)
    with lab.agent(stranger, lab.key) as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", agent)
        assert_let_in(server.target, settings)
        with pytest.raises(SshError, match="nothing: there is no key"):
            ask(server.target, lab.settings(key_file="", use_agent=False))
    log = server.log.read_text()
    assert "agent forwarding" not in log.lower()
    assert " pty" not in log.lower()


@needs_sshd
def test_a_default_key_is_found(
    lab: SshLab, server: Sshd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519").write_bytes(lab.key.read_bytes())
    assert_let_in(server.target, lab.settings(key_file=""))


def test_passwords(lab: SshLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    server = PasswordServer("auditor", "right")
    try:
        with lab.known_hosts.open("a") as file:
            file.write(
                f"[127.0.0.1]:{server.port} {server.key.get_name()} {server.key.get_base64()}\n"
            )
        target = f"ssh://auditor@127.0.0.1:{server.port}"
        assert_let_in(target, lab.settings(key_file="", password=Secret("right")))
        with pytest.raises(SshError, match="not let in; tried password") as error:
            ask(target, lab.settings(key_file="", password=Secret("wrong")))
        assert "wrong" not in str(error.value)
        with pytest.raises(SshError, match=r"tried key .* \(the host takes password only\)"):
            ask(target, lab.settings())
    finally:
        server.close()


@needs_sshd
def test_a_jump_host_is_gone_through_and_verified(lab: SshLab, server: Sshd) -> None:
    first, second = lab.server(), lab.server()
    via = ",".join(f"{USER}@127.0.0.1:{jump.port}" for jump in (first, second))
    assert_let_in(server.target, lab.settings(jump=via))
    assert all("Accepted publickey" in jump.log.read_text() for jump in (first, second))
    unknown = lab.server(known=False)
    with pytest.raises(HostKeyError, match=f"127.0.0.1:{unknown.port}: unknown"):
        ask(server.target, lab.settings(jump=f"{USER}@127.0.0.1:{unknown.port}"))
    hidden = lab.server(known=False)
    with pytest.raises(HostKeyError, match=f"127.0.0.1:{hidden.port}: unknown"):
        ask(hidden.target, lab.settings(jump=via))


@needs_sshd
def test_ssh_config_says_where_a_name_leads(lab: SshLab, server: Sshd, tmp_path: Path) -> None:
    jump = lab.server()
    config = tmp_path / "config"
    config.write_text(
        f"Host gov-node-01\n HostName 127.0.0.1\n Port {server.port}\n User {USER}\n"
        f" IdentityFile {lab.key}\n ProxyJump gov-jump\n"
        f"Host gov-jump\n HostName 127.0.0.1\n Port {jump.port}\n User {USER}\n IdentityFile {lab.key}\n"
    )
    assert_let_in("ssh://gov-node-01", lab.settings(config_file=str(config), key_file=""))
    assert "Accepted publickey" in jump.log.read_text()
