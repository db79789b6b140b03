"""sshd's configuration: what a person writes in it, and what the real sshd makes of the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from collectors.model import Fact, ParseError
from collectors.observe import observe
from collectors.security.sshserver import sshdconfig
from collectors.security.sshserver.sshd import SshdCollector
from collectors.security.sshserver.sshdkeywords import DEFAULTS
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def machine(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def fact(root: Path, files: dict[str, str]) -> Fact:
    (observation,) = observe(LocalSource(str(machine(root, files))), [SshdCollector()])
    (made,) = observation.facts
    return made


def test_absent_is_not_installed(tmp_path: Path) -> None:
    made = fact(tmp_path, {"/etc/hostname": "x"})
    assert made.value == {"installed": False}
    assert not made.unavailable


def test_defaults_are_filled_in_and_marked(tmp_path: Path) -> None:
    made = fact(tmp_path, {"/etc/ssh/sshd_config": "#PermitRootLogin yes\nMaxAuthTries 3\n"})
    assert made.value["permitrootlogin"] == "prohibit-password"
    assert "permitrootlogin" in made.value["defaults"]
    assert made.sources["permitrootlogin"] == "OpenSSH default"
    assert made.value["maxauthtries"] == 3
    assert "maxauthtries" not in made.value["defaults"]
    assert made.sources["maxauthtries"] == "/etc/ssh/sshd_config:2"


def test_first_value_wins_where_the_include_stands(tmp_path: Path) -> None:
    made = fact(
        tmp_path,
        {
            "/etc/ssh/sshd_config": (
                "MaxAuthTries 3\nInclude sshd_config.d/*.conf\nPermitRootLogin yes\n"
            ),
            "/etc/ssh/sshd_config.d/20-b.conf": "PermitRootLogin yes\nMaxAuthTries 9\n",
            "/etc/ssh/sshd_config.d/10-a.conf": "permitrootlogin NO\n",
            "/etc/ssh/sshd_config.d/.hidden.conf": "UsePAM yes\n",
            "/etc/ssh/sshd_config.d/README": "UsePAM yes\n",
        },
    )
    assert made.value["permitrootlogin"] == "no"
    assert made.sources["permitrootlogin"] == "/etc/ssh/sshd_config.d/10-a.conf:1"
    assert made.value["maxauthtries"] == 3
    assert made.value["usepam"] == "no"


def test_includes_nest_and_several_stand_on_a_line(tmp_path: Path) -> None:
    made = fact(
        tmp_path,
        {
            "/etc/ssh/sshd_config": 'include /etc/ssh/a "/etc/ssh/with space" /nowhere/*\n',
            "/etc/ssh/a": "Include deeper/*\n",
            "/etc/ssh/deeper/one": "X11Forwarding yes\n",
            "/etc/ssh/with space": "PermitTTY no\n",
        },
    )
    assert (made.value["x11forwarding"], made.value["permittty"]) == ("yes", "no")


def test_a_file_that_includes_itself_is_unknown(tmp_path: Path) -> None:
    made = fact(tmp_path, {"/etc/ssh/sshd_config": "Include sshd_config\nPermitRootLogin no\n"})
    assert made.unavailable == "parse: /etc/ssh/sshd_config: too many includes"


def test_match_blocks_are_kept_apart(tmp_path: Path) -> None:
    made = fact(
        tmp_path,
        {
            "/etc/ssh/sshd_config": (
                "PermitRootLogin no\n"
                "Match Address 10.0.0.0/8\n"
                "  PermitRootLogin yes\n"
                "  PermitRootLogin no\n"
                "  Include extra\n"
                "Match all\n"
                "X11Forwarding yes\n"
            ),
            "/etc/ssh/extra": "MaxAuthTries 9\nMatch User git\nPermitTTY no\n",
        },
    )
    assert made.value["permitrootlogin"] == "no"
    assert made.value["x11forwarding"] == "yes"
    assert made.value["maxauthtries"] == 6
    first, second = made.value["match"]
    assert first["criteria"] == "Address 10.0.0.0/8"
    assert first["settings"] == {"permitrootlogin": "yes", "maxauthtries": 9}
    assert first["source"] == "/etc/ssh/sshd_config:2"
    assert first["sources"]["maxauthtries"] == "/etc/ssh/extra:1"
    assert second["criteria"] == "Address 10.0.0.0/8 && User git"
    assert second["settings"] == {"permittty": "no"}


def test_match_all_goes_before_the_rest_but_for_what_no_match_changes(tmp_path: Path) -> None:
    text = "MaxAuthTries 3\nTCPKeepAlive yes\nMatch all\nMaxAuthTries 9\nKeepAlive no\nUseDNS yes\n"
    made = fact(tmp_path, {"/etc/ssh/sshd_config": text})
    assert (made.value["maxauthtries"], made.value["tcpkeepalive"]) == (9, "yes")
    assert made.value["usedns"] == "yes"
    assert made.sources["maxauthtries"] == "/etc/ssh/sshd_config:4"


def test_what_adds_up_adds_up(tmp_path: Path) -> None:
    made = fact(
        tmp_path,
        {"/etc/ssh/sshd_config": "Port 22\nAllowUsers a b\nPort=2222\nAllowUsers c # d\n"},
    )
    assert made.value["port"] == [22, 2222]
    assert made.value["allowusers"] == ["a", "b", "c"]
    assert "denyusers" not in made.value


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a b", ["a", "b"]),
        ('"a b" c', ["a b", "c"]),
        ("'a\"b'", ['a"b']),
        (r'"a\"b"', ['a"b']),
        (r"a\ b", ["a b"]),
        (r"a\nb", [r"a\nb"]),
        ("a # b", ["a"]),
        ("a#b", ["a#b"]),
        ('""', [""]),
        ("  ", []),
    ],
)
def test_words(line: str, words: list[str]) -> None:
    assert sshdconfig.split(line, "f:1") == words


def test_unreadable_drop_in_is_unknown_and_never_the_default(tmp_path: Path) -> None:
    machine(tmp_path / "root", {"/etc/ssh/sshd_config": "Include sshd_config.d/*.conf\n"})
    path = "/etc/ssh/sshd_config.d/1.conf"
    odd = [{"path": path, "state": "denied", "reason": "permission denied"}]
    (tmp_path / "exceptions.json").write_text(json.dumps(odd))
    (tmp_path / "asked.json").write_text('["*"]')
    (observation,) = observe(RecordedSource(tmp_path), [SshdCollector()])
    assert observation.facts[0].unavailable == f"denied: {path}: permission denied"


def test_unreadable_main_file_is_unknown(tmp_path: Path) -> None:
    odd = [{"path": "/etc/ssh/sshd_config", "state": "denied", "reason": "permission denied"}]
    (tmp_path / "exceptions.json").write_text(json.dumps(odd))
    (tmp_path / "asked.json").write_text('["*"]')
    (observation,) = observe(RecordedSource(tmp_path), [SshdCollector()])
    assert observation.facts[0].unavailable.startswith("denied: ")


# --- side by side with the real sshd -----------------------------------------------------------

BOOLEANS = ("yes", "no", "YES", "No")
VALUES: dict[str, tuple[str, ...]] = {
    "PermitRootLogin": ("yes", "no", "prohibit-password", "Without-Password"),
    "PasswordAuthentication": BOOLEANS,
    "ChallengeResponseAuthentication": BOOLEANS,
    "KbdInteractiveAuthentication": BOOLEANS,
    "PermitEmptyPasswords": BOOLEANS,
    "X11Forwarding": BOOLEANS,
    "PermitTTY": BOOLEANS,
    "MaxAuthTries": ("1", "4", "20"),
    "MaxSessions": ("0", "3"),
    "ClientAliveInterval": ("0", "300", "5m", "1h30m", "90S"),
    "ClientAliveCountMax": ("0", "3"),
    "LogLevel": ("verbose", "INFO", "Debug3"),
    "AllowTcpForwarding": ("yes", "all", "local", "no"),
    "Banner": ("none", "/etc/issue", '"/etc/with space"', r"/etc/with\ space"),
    "ForceCommand": ("internal-sftp", "echo hello", '"echo hello"'),
}
GLOBAL: dict[str, tuple[str, ...]] = {
    "Compression": ("yes", "delayed", "no"),
    "LoginGraceTime": ("0", "2m", "45"),
    "StrictModes": BOOLEANS,
    "TCPKeepAlive": BOOLEANS,
    "KeepAlive": BOOLEANS,
    "UseDNS": BOOLEANS,
    "Port": ("22", "2222"),
    "SyslogFacility": ("auth", "LOCAL7"),
    "PermitUserEnvironment": ("yes", "no"),
}
BANNERS = {"ForceCommand"}  # takes the rest of the line, so nothing may follow


@st.composite
def directives(draw: st.DrawFn, conditional: bool) -> str:
    keyword = draw(st.sampled_from(sorted(VALUES if conditional else VALUES | GLOBAL)))
    value = draw(st.sampled_from((VALUES | GLOBAL)[keyword]))
    if keyword not in BANNERS and not value.startswith('"') and draw(st.booleans()):
        value = draw(st.sampled_from((f'"{value}"', f"'{value}'"))) if "\\" not in value else value
    spelling = draw(st.sampled_from((keyword, keyword.lower(), keyword.upper())))
    separator = draw(st.sampled_from((" ", "\t", "  ", "=", " = ", " =", "\t= ")))
    tail = "" if keyword in BANNERS else draw(st.sampled_from(("", " ", " # no", "\t#no", "\r")))
    return draw(st.sampled_from(("", "  ", "\t"))) + spelling + separator + value + tail


@st.composite
def files(draw: st.DrawFn, includes: bool) -> str:
    lines: list[str] = []
    for block in range(draw(st.integers(1, 3))):
        conditional = block > 0
        if conditional:
            criteria = ("User alice", "Group ops,adm", "Address 10.0.0.0/8 User bob", "all")
            lines.append("Match " + draw(st.sampled_from(criteria)))
        for _ in range(draw(st.integers(0, 4))):
            # what is global only is an error within a condition
            everyone = not conditional or lines[-1:] == ["Match all"]
            lines.append(draw(directives(not (everyone and includes))))
        lines += draw(st.lists(st.sampled_from(("", "# X11Forwarding yes", "   #")), max_size=2))
        if includes and draw(st.booleans()):
            lines.append(draw(st.sampled_from(("Include {d}/*.conf", "include {d}/a.conf {d}/no"))))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def host_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if SSHD is None:
        pytest.skip("needs sshd (Debian: openssh-server)")
    if not Path("/run/sshd").is_dir():
        if os.geteuid():
            pytest.skip("needs /run/sshd, which only root can make")
        Path("/run/sshd").mkdir(mode=0o755)
    key = tmp_path_factory.mktemp("sshd") / "key"
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(argv, check=True)
    return key


def effective(config: Path, host_key: Path) -> dict[str, list[str]] | None:
    """What `sshd -T` says, or None where it refuses the configuration."""
    argv = [str(SSHD), "-T", "-f", str(config), "-h", str(host_key)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def ours(config: Path) -> dict[str, Any]:
    def include(pattern: str) -> dict[str, str]:
        paths: Iterator[Path] = Path("/").glob(pattern.lstrip("/"))
        return {str(path): path.read_bytes().decode() for path in paths}

    text = config.read_bytes().decode()
    parsed = sshdconfig.parse(str(config), text, include)
    return {**DEFAULTS, **parsed.settings()}


def as_sshd_says(keyword: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [str(item) for item in value]
    return ["without-password" if value == "prohibit-password" else str(value)]


@given(main=files(True), dropins=st.lists(files(False), max_size=2))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_real_sshd_agrees(
    main: str, dropins: list[str], host_key: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "d"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, text in zip("ab", dropins, strict=False):
        (folder / f"{name}.conf").write_bytes(text.encode())
    config = tmp_path / "sshd_config"
    config.write_bytes(main.format(d=folder).encode())
    theirs = effective(config, host_key)
    assume(theirs is not None)
    assert theirs is not None
    mine = ours(config)
    for keyword in DEFAULTS:
        if keyword in theirs:
            assert as_sshd_says(keyword, mine[keyword]) == theirs[keyword], keyword


def test_the_defaults_are_those_of_the_real_sshd(host_key: Path, tmp_path: Path) -> None:
    config = tmp_path / "sshd_config"
    config.write_text("")
    theirs = effective(config, host_key)
    assert theirs is not None
    compared = [keyword for keyword in DEFAULTS if keyword in theirs]
    assert len(compared) > 35
    for keyword in compared:
        assert as_sshd_says(keyword, DEFAULTS[keyword]) == theirs[keyword], keyword


@pytest.mark.parametrize(
    "text",
    ['Banner "/etc/issue\n', "PermitRootLogin\n", "MaxAuthTries many\n", "LoginGraceTime 5x\n"],
)
def test_what_sshd_refuses_is_unknown(text: str, host_key: Path, tmp_path: Path) -> None:
    config = tmp_path / "sshd_config"
    config.write_text(text)
    assert effective(config, host_key) is None
    with pytest.raises(ParseError, match=r"sshd_config:1"):
        ours(config)
