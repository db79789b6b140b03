"""Policies and hosts that mean harm: a clear error or unknown, no hang, nothing read that must not be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.model import Answer, Command, Glob, Inventory, Reading, Stat
from collectors.rows import FileStat
from collectors.sources.local import LocalSource, encode_rows
from collectors.strictyaml import DocumentError
from rules.sca.kind import is_policy
from rules.sca.policy import parse
from rules.sca.results import Options
from tests.rules.sca import lab

CORPUS = sorted((Path(__file__).parent / "hostile").glob("*.yml"))


@pytest.mark.timeout(20)
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_one_mistake_one_message(path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# error: ")
    with pytest.raises(DocumentError) as error:
        parse(path.read_bytes(), str(path))
    assert str(error.value).startswith(f"{path}:{expected}")
    assert "\n" not in str(error.value)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_policy_or_an_error(content: bytes) -> None:
    is_policy(content)
    try:
        parse(content, "any.yml")
    except DocumentError:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(["policy", "checks", "requirements", "variables"])
OF_CHECK = st.sampled_from(
    ["id", "title", "condition", "rules", "compliance", "mitre", "regex_type", "references"]
)
CHECKS = st.lists(
    st.dictionaries(OF_CHECK, JSON, max_size=5).map(
        lambda it: {"id": 1, "condition": "all", "rules": ["f:/a"], **it}
    ),
    max_size=2,
)


@settings(max_examples=150)
@given(st.dictionaries(KEYS, JSON, max_size=3), CHECKS)
def test_any_values_are_a_policy_or_an_error(more: dict[str, Any], checks: list[Any]) -> None:
    import json

    whole = {"policy": {"id": "a", "name": "b"}, "checks": checks, **more}
    try:
        parse(json.dumps(whole), "any.yml")
    except DocumentError:
        return


@pytest.mark.timeout(30)
def test_a_large_policy() -> None:
    rules = "".join(f"      - 'f:/etc/{n} -> r:^a{n}.*b && !r:c'\n" for n in range(20))
    checks = "".join(
        f"  - id: {n}\n    title: t\n    condition: all\n    rules:\n{rules}" for n in range(500)
    )
    policy = parse(f"policy:\n  id: large\n  name: l\nchecks:\n{checks}", "large.yml")
    assert len(policy.checks) == 500
    too_many = "".join(f"  - {{id: {n}, condition: all}}\n" for n in range(10_001))
    with pytest.raises(DocumentError, match="more than 10000 checks"):
        parse(f"policy:\n  id: large\n  name: l\nchecks:\n{too_many}", "large.yml")


PATHOLOGICAL = {
    "long": ("a" * 300 + "\n") * 10_000,
    "one line": "a" * 3_000_000,
    "empty lines": "\n" * 100_000,
    "no utf-8": "\udcff\udcfe\n" * 10_000,
    "nul": "\0\0a\n" * 10_000,
    "nearly": ("x=9 " * 20 + "\n") * 10_000,
    "carriage": "a\r" * 50_000 + "\r\n" * 10_000,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", PATHOLOGICAL)
@pytest.mark.parametrize("semantics", [4, 5])
def test_pathological_lines(kind: str, semantics: Any, tmp_path: Path) -> None:
    source = lab.machine(tmp_path, {"/etc/a": PATHOLOGICAL[kind]})
    rules = [
        r"f:/etc/a -> !r:(a+)+$",
        r"f:/etc/a -> r:^a.*a.*a && r:(a|aa)+z",
        r"f:/etc/a -> n:x=(\d+) compare > 10",
        r"f:/etc/a -> !r:^# && !r:zzz && r:(x=\d\s*)+end",
        r"not f:/etc/a -> whole",
    ]
    for condition in ("all", "none"):
        lab.verdict(source, rules, semantics, condition=condition)


def local(root: Path, rules: list[str], **more: Any) -> Any:
    return lab.verdict(LocalSource(str(root)), rules, options=Options(commands=""), **more)


@pytest.mark.timeout(20)
def test_odd_files_of_a_real_file_system(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    os.mkfifo(etc / "fifo")
    (etc / "folder").mkdir()
    (etc / "loop").symlink_to("loop")
    (etc / "up").symlink_to("..")
    (etc / "zero").symlink_to("/dev/zero")
    with open(etc / "huge", "wb") as file:
        file.truncate(100 << 20)
    for name in ("fifo", "folder", "loop", "zero", "huge"):
        verdict = local(tmp_path, [f"not f:/etc/{name} -> r:x"])
        assert verdict.verdict == "unknown", verdict
        assert f"/etc/{name}" in verdict.reason
    # links to folders are not entered, so they make no circle; odd files are none of those looked for
    verdict = local(tmp_path, [r"d:/etc -> r:^x$"])
    assert (verdict.verdict, verdict.actual) == ("fail", None)
    assert local(tmp_path, ["not d:/etc -> r:fifo -> r:x"]).verdict == "pass"
    assert local(tmp_path, ["not d:/etc -> r:huge -> r:x"]).verdict == "unknown"


def test_names_that_mean_something_to_a_pattern(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    (etc / "[d]").mkdir(parents=True)
    (etc / "d").mkdir()
    (etc / "[d]" / "a*?\n.conf").write_text("here\n")
    (etc / "d" / "a.conf").write_text("other\n")
    (etc / "[d]" / os.fsdecode(b"\xff.conf")).write_text("bytes\n")
    assert local(tmp_path, [r"d:/etc/[d] -> r:\.conf$ -> r:^here$"]).verdict == "pass"
    assert local(tmp_path, [r"not d:/etc/[d] -> r:\.conf$ -> r:^other$"]).verdict != "fail"
    assert local(tmp_path, ["f:/etc/[d]/a.conf"]).verdict == "fail"
    assert local(tmp_path, ["f:/etc/d/a.conf -> r:other", "not f:/etc/?/a.conf"]).verdict == "pass"


def test_folders_that_are_too_deep_or_too_full(tmp_path: Path) -> None:
    deep = tmp_path / "deep"
    deep.joinpath(*"abcdefghijkl").mkdir(parents=True)
    assert "deep" in local(tmp_path, ["not d:/deep -> r:x"]).reason
    full = tmp_path / "full"
    full.mkdir()
    for number in range(600):
        (full / f"{number}.conf").write_text("x\n")
    verdict = local(tmp_path, [r"not d:/full -> r:\.conf$ -> r:bad"])
    assert (verdict.verdict, "more than 500 files" in verdict.reason) == ("unknown", True)


def test_what_is_never_read() -> None:
    class Watching:
        def __init__(self) -> None:
            self.asked: list[Reading] = []

        def answer(self, readings: Any) -> dict[Reading, Answer]:
            self.asked += readings
            return {reading: Answer("absent") for reading in readings}

    source = Watching()
    paths = (
        *("/dev/watchdog", "/dev//mem", "/dev/./sda", "/proc/kmsg", "/proc/kcore", "/proc/1/mem"),
        "/sys/kernel/debug/tracing/trace_pipe",
    )
    rules = [f"f:{path} -> r:x" for path in paths]
    assert lab.verdict(source, rules, condition="any").verdict == "unknown"
    assert source.asked == []
    # what holds secrets is not asked of another machine
    remote = Options(commands="", remote=True)
    for path in ("/etc/shadow", "/etc/gshadow-", "/etc/ssh/ssh_host_rsa_key", "/root/.ssh/id_rsa"):
        verdict = lab.verdict(source, [f"f:{path} -> r:x"], options=remote)
        assert "secrets" in verdict.reason
    assert source.asked == []


def test_processes_that_are_hidden(tmp_path: Path) -> None:
    source = lab.machine(tmp_path, processes=["init", "sshd"])
    hidden = tmp_path / "inventories/processes.json"
    assert lab.verdict(source, ["not p:telnetd"]).verdict == "pass"
    hidden.write_text('[{"pid": 7, "name": "sshd", "state": "S", "threads": 1}]')
    assert lab.verdict(source, ["not p:telnetd"]).verdict == "unknown"
    assert lab.verdict(source, ["p:sshd"]).verdict == "pass"
    hidden.write_text("[]")
    assert lab.verdict(source, ["not p:telnetd"]).verdict == "unknown"


def test_secrets_are_not_told(tmp_path: Path) -> None:
    hashed = "$6$saltsalt$abcdefghijklmnopqrstuvwxyz0123456789"
    files = {
        "/etc/shadow": f"root:{hashed}:19000:0:99999:7:::\n",
        "/etc/backup": f"root:{hashed}:19000\n",
        "/boot/grub/user.cfg": "GRUB2_PASSWORD=grub.pbkdf2.sha512.10000.ABCDEF0123456789.FEDC\n",
    }
    source = lab.machine(tmp_path, files, commands={"getent shadow": files["/etc/shadow"]})
    for target in ("f:/etc/shadow", "f:/etc/backup", "f:/boot/grub/user.cfg", "c:getent shadow"):
        for rules in ([f"{target} -> r:root|GRUB"], [f"not {target} -> r:root|GRUB"]):
            told = str(lab.verdict(source, rules))
            assert "abcdefgh" not in told
            assert "ABCDEF" not in told
            assert ":1" in told


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/my.cnf", "password=hunter2"),
        ("/etc/app.yaml", "  db_password: 'hunter2'"),
        ("/etc/pip.conf", "index-url = https://user:hunter2@host/simple"),
        ("/etc/snmp/snmpd.conf", "rocommunity hunter2 10.0.0.0/8"),
        ("/srv/live/privkey.pem", "hunter2" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj" * 2),
        ("/srv/copy.txt", "hunter2" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj" * 2),
    ],
)
def test_values_of_secrets_are_not_told(tmp_path: Path, path: str, line: str) -> None:
    source = lab.machine(tmp_path, {path: line + "\n"})
    for rule in (f"f:{path} -> r:.", f"not f:{path} -> r:."):
        assert "hunter2" not in str(lab.verdict(source, [rule]))


def test_what_is_no_secret_is_told(tmp_path: Path) -> None:
    for line in ("PASS_MAX_DAYS 99999", "password requisite pam_pwquality.so retry=3"):
        source = lab.machine(tmp_path / line[:4], {"/etc/login.defs": line + "\n"})
        assert line in str(lab.verdict(source, ["not f:/etc/login.defs -> r:."]))


def test_a_link_to_a_secret_is_one(tmp_path: Path) -> None:
    shadow = "root:abXXXXXXXXXXX:19000:0:99999:7:::\n"  # an old hash, without a mark
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/shadow").write_text(shadow)
    (tmp_path / "etc/names").symlink_to(tmp_path / "etc/shadow")
    source = LocalSource()
    told = str(lab.verdict(source, [f"not f:{tmp_path}/etc/names -> r:root"]))
    assert "abXXX" not in told


@settings(max_examples=60)
@given(
    st.binary(max_size=200),
    st.sampled_from(["content", "absent", "denied", "failed"]),
    st.lists(
        st.builds(
            FileStat,
            st.text(max_size=9),
            st.sampled_from(["file", "directory", "link", "other"]),
            st.just(0),
            st.just(0),
            st.just(0),
            target=st.text(max_size=5),
        ),
        max_size=4,
    ),
)
def test_whatever_a_host_answers_there_is_a_verdict(
    content: bytes, state: Any, rows: list[FileStat]
) -> None:
    class Host:
        def answer(self, readings: Any) -> dict[Reading, Answer]:
            return {reading: self.one(reading) for reading in readings}

        def one(self, reading: Reading) -> Answer:
            match reading:
                case Stat() if state == "content":
                    return Answer("content", encode_rows(rows))
                case Inventory() | Command():
                    return Answer(state, content)
                case Glob(pattern=pattern):
                    return Answer("content", children=((pattern, Answer(state, content)),))
            return Answer(state, content)

    rules = [
        "f:/a",
        "f:/a -> r:x",
        "d:/d",
        "d:/d -> r:. -> n:(.*) compare < 5",
        "c:x -> !r:y",
        "p:z",
    ]
    for rule in rules:
        for semantics in (4, 5):
            verdict = lab.verdict(Host(), [rule], semantics)
            assert verdict.verdict in ("pass", "fail", "unknown")
