"""Wazuh SCA policies on the command line: audited, linted, on schedule, over SSH; their commands."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents import scapolicies
from agents.auditing import AuditSchedule
from agents.cli import main
from collectors.model import Answer, Command, File, Reading
from collectors.sources.local import LocalSource
from collectors.strictyaml import DocumentError
from rules.settings import AuditSettings
from tests.sshlab import SshLab, needs_sshd

HERE = Path(__file__).parents[1]
SERVER = str(HERE / "rules/sca/server.yml")
HOSTILE = sorted((HERE / "rules/sca/hostile").glob("*.yml"))
HARDENED = str(HERE / "fixtures/machines/hardened")
DEFAULT = str(HERE / "fixtures/machines/debian12")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to own a policy")

COMMANDS = """
policy: {{id: commands, name: Commands, regex_type: pcre2}}
checks:
  - {{id: 1, title: "Words, no shell", condition: all, rules: ['c:echo $HOME; touch {folder}/made -> $HOME; touch {folder}/made']}}
  - {{id: 2, title: A shell of its own, condition: all, rules: ['c:sh -c "echo a && echo b >&2; exit 3" -> r:^b$']}}
  - {{id: 3, title: Environment, condition: all, rules: ['c:env -> r:^LC_ALL=C$', 'not c:env -> r:SECRET']}}
  - {{id: 4, title: Not there, condition: all, rules: ['not c:no-such-program -> r:x']}}
  - {{id: 5, title: Too much, condition: all, rules: ['not c:yes -> r:x']}}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"LC_ALL": "", "LANG": "", "SECRET": "1"})


def audited(*arguments: str) -> dict[str, Any]:
    done = run("audit", "--format", "json", *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verdicts(found: dict[str, Any], pack: int = 0) -> dict[str, str]:
    return {v["rule"].rpartition(".")[2]: v["verdict"] for v in found["packs"][pack]["verdicts"]}


def reasons(found: dict[str, Any]) -> str:
    return "\n".join(v["reason"] for v in found["packs"][0]["verdicts"])


def commands(folder: Path) -> str:
    folder.chmod(0o755)
    path = folder / "commands.yml"
    path.write_text(COMMANDS.format(folder=folder))
    path.chmod(0o644)
    return str(path)


def test_beside_a_pack() -> None:
    found = audited("--recorded", HARDENED, "--pack", "host-basics", "--pack", SERVER)
    assert [pack["pack"] for pack in found["packs"]] == ["host-basics", "gov_server"]
    assert verdicts(found, 1)["1004"] == "pass"
    assert found["host"]["name"]
    table = run("audit", "--recorded", HARDENED, "--pack", SERVER, "--lang", "en")
    assert table.exit_code == 0
    assert "Baseline of a government cloud server (gov_server)" in table.stdout


@pytest.mark.parametrize("form", ["json", "ocsf", "sarif", "csv", "html"])
def test_every_format_tells_policies(form: str) -> None:
    done = run("audit", "--recorded", DEFAULT, "--pack", SERVER, "--format", form)
    assert done.exit_code == 0, done.output
    assert "sca.gov_server.1004" in done.stdout
    assert "PASS_MAX_DAYS" in done.stdout


def test_fail_on_knows_policies() -> None:
    done = run("audit", "--recorded", HARDENED, "--pack", SERVER, "--fail-on", "unknown")
    assert done.exit_code == 1


def test_two_of_one_name(tmp_path: Path) -> None:
    done = run("audit", "--recorded", HARDENED, "--pack", SERVER, "--pack", SERVER)
    assert (done.exit_code, "two packs are named 'gov_server'" in done.stderr) == (2, True)
    copy = tmp_path / "copy.yml"
    copy.write_text(Path(SERVER).read_text().replace("gov_server", "host-basics"))
    done = run("audit", "--recorded", HARDENED, "--pack", "host-basics", "--pack", str(copy))
    assert (done.exit_code, "two packs are named 'host-basics'" in done.stderr) == (2, True)


def test_both_meanings(tmp_path: Path) -> None:
    path = tmp_path / "meaning.yml"
    path.write_text(
        "policy: {id: meaning, name: M}\nchecks:\n"
        "  - {id: 1, title: t, condition: all, rules: ['f:/etc/passwd -> !r:^root:']}\n"
    )
    assert verdicts(audited("--pack", str(path))) == {"1": "fail"}
    assert verdicts(audited("--pack", str(path), "--sca-semantics", "4")) == {"1": "pass"}
    config = tmp_path / "jianwei.yaml"
    config.write_text(f"audit: {{packs: [{path}], sca_semantics: 4}}\n")
    assert verdicts(audited("--config", str(config))) == {"1": "pass"}
    assert verdicts(audited("--config", str(config), "--sca-semantics", "5")) == {"1": "fail"}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_hostile_policies(path: Path) -> None:
    done = run("audit", "--recorded", HARDENED, "--pack", str(path))
    assert done.exit_code == 2, done.output
    assert done.stderr.startswith(f"jianwei: {path}:")
    assert len(done.stderr.splitlines()) == 1
    assert run("rules", "lint", str(path)).exit_code == 1


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yml")
    for path in (tmp_path / "fifo.yml", tmp_path / "none.yml", tmp_path):
        done = run("audit", "--recorded", HARDENED, "--pack", str(path))
        assert (done.exit_code, done.stdout) == (2, "")


def test_lint(tmp_path: Path) -> None:
    done = run("rules", "lint", SERVER)
    assert done.exit_code == 1
    assert "24 checks, pcre2, 2 mistakes" in done.stdout
    assert f"{SERVER}:" in done.stderr
    assert "(?" in done.stderr
    assert "registry" in done.stderr
    good = tmp_path / "good.yml"
    good.write_text(
        "policy: {id: good, name: G}\nchecks:\n  - {id: 1, title: t, condition: all, rules: ['f:/etc/a']}\n"
    )
    done = run("rules", "lint", str(good))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "1 checks, osregex, no mistake" in done.stdout


def test_check_config(tmp_path: Path) -> None:
    config = tmp_path / "jianwei.yaml"
    config.write_text(f"audit: {{packs: [host-basics, {SERVER}]}}\n")
    assert run("check-config", str(config)).exit_code == 0
    config.write_text(f"audit: {{packs: [{HOSTILE[0]}]}}\n")
    done = run("check-config", str(config))
    assert (done.exit_code, str(HOSTILE[0]) in done.stderr) == (2, True)


def test_without_the_flag_no_command_runs(tmp_path: Path) -> None:
    found = audited("--pack", commands(tmp_path))
    assert set(verdicts(found).values()) == {"unknown"}
    assert reasons(found).count("--allow-commands") >= 5
    assert not (tmp_path / "made").exists()


@as_root
def test_commands_run_without_a_shell(tmp_path: Path) -> None:
    found = audited("--pack", commands(tmp_path), "--allow-commands")
    assert verdicts(found) == {
        "1": "pass",
        "2": "pass",
        "3": "pass",
        "4": "unknown",
        "5": "unknown",
    }
    assert not (tmp_path / "made").exists()
    assert "no program no-such-program" in reasons(found)
    assert "longer than" in reasons(found)


@as_root
def test_commands_of_a_policy_that_others_can_write(tmp_path: Path) -> None:
    path = commands(tmp_path)
    os.chmod(path, 0o666)  # noqa: S103
    found = audited("--pack", path, "--allow-commands")
    assert set(verdicts(found).values()) == {"unknown"}
    assert "may be written by others than root" in reasons(found)
    os.chmod(path, 0o644)
    tmp_path.chmod(0o777)
    assert set(verdicts(audited("--pack", path, "--allow-commands")).values()) == {"unknown"}


@as_root
def test_commands_are_not_those_of_another_root(tmp_path: Path) -> None:
    config = tmp_path / "jianwei.yaml"
    config.write_text(
        f"root: {tmp_path}\naudit: {{packs: [{commands(tmp_path)}], allow_commands: true}}\n"
    )
    found = audited("--config", str(config))
    assert set(verdicts(found).values()) == {"unknown"}
    assert "would not run in" in reasons(found)


@needs_sshd
def test_over_ssh(tmp_path: Path) -> None:
    policy = tmp_path / "ssh.yml"
    policy.write_text(
        Path(SERVER).read_text()
        + "  - {id: 9001, title: s, condition: none, rules: ['f:/etc/shadow -> r:^root::']}\n"
        "  - {id: 9002, title: m, condition: all, rules: ['f:/etc/none -> r:x']}\n"
        "  - {id: 9003, title: d, condition: all, rules: ['d:/etc/pam.d -> r:^common -> r:pam_unix']}\n"
    )
    policy.chmod(0o644)
    lab = SshLab(tmp_path)
    config = tmp_path / "jianwei.yaml"
    config.write_text(
        f"ssh: {{known_hosts: [{lab.known_hosts}], config_file: '', key_file: {lab.key},"
        " use_agent: false}\n"
    )
    try:
        server = lab.server()
        target = ("--config", str(config), "--host", server.target)
        there = audited("--pack", str(policy), "--allow-commands", *target)
        # one trip for facts, files and folders, one for files in folders, one for folders in folders
        assert server.sessions() <= 3
        here = audited("--pack", str(policy))
    finally:
        lab.close()
    told, known = verdicts(there), verdicts(here)
    assert told.pop("9001") == "unknown"
    assert "/etc/shadow is not read over the network" in reasons(there)
    del known["9001"]
    assert told == known
    assert told["9003"] == "pass"
    assert "not run over SSH" in reasons(there)


def test_on_schedule(tmp_path: Path) -> None:
    config = tmp_path / "jianwei.yaml"
    config.write_text(f"audit: {{packs: [host-basics, {SERVER}]}}\n")
    settings = AuditSettings(packs=("host-basics", SERVER))
    schedule = AuditSchedule(str(config), settings, {"lines": list})
    schedule.start()
    try:
        deadline = time.monotonic() + 60
        while schedule.last is None and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        schedule.stop()
    assert schedule.problem == ""
    assert schedule.last
    assert [pack.pack for pack in schedule.last.packs] == ["host-basics", "gov_server"]


class Hanging(LocalSource):
    """A machine one of whose files never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.over = threading.Event()

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        if File("/hangs") in readings:
            self.over.wait(60)
        return super().answer(readings)


def test_a_reading_that_hangs_costs_only_itself() -> None:
    source = Hanging()
    others: list[Reading] = [File(f"/proc/sys/kernel/{name}") for name in ("ostype", "hostname")]
    slow = Command(("sh", "-c", "sleep 0.4; echo done"), timeout=5)
    try:
        asked = [File("/hangs"), *others, slow]
        answers = scapolicies.answer(source, asked, time.monotonic() + 0.2)
    finally:
        source.over.set()
    assert answers[File("/hangs")] == scapolicies.LATE
    assert all(answers[it].state == "content" for it in others)
    # a command under way is ended by its own deadline, never left behind
    assert answers[slow].content == b"done\n"


def test_when_the_time_is_over_nothing_more_is_asked() -> None:
    answers = scapolicies.answer(LocalSource(), [File("/etc/passwd")], time.monotonic() - 1)
    assert answers == {File("/etc/passwd"): scapolicies.LATE}


def test_what_is_read_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    asked = File(str(tmp_path / "a"))
    end = time.monotonic() + 20
    full = scapolicies.answer(LocalSource(), [asked], end, scapolicies.MAX_SIZE + 1)
    assert full == {asked: scapolicies.FULL}
    assert scapolicies.size_of(scapolicies.answer(LocalSource(), [asked], end)) == 1000


def test_policies_are_told_from_packs() -> None:
    assert scapolicies.check(["host-basics", SERVER]) == ["host-basics"]
    with pytest.raises(DocumentError):
        scapolicies.check(["/none/at/all.yml"])


def test_an_inventory(tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yaml"
    inventory.write_text(
        "subjects:\n"
        f"  - {{name: web-01, kind: host, department: D, level: city, host: 'recorded: {HARDENED}'}}\n"
        "  - {name: web-02, kind: host, department: D, level: city, host: 'recorded: /none'}\n"
    )
    done = run("audit", "--inventory", str(inventory), "--pack", SERVER, "--format", "json")
    assert done.exit_code == 1, done.output  # the second cannot be asked
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert rows["web-02"]["problem"]
    assert verdicts(rows["web-01"]["result"])["1004"] == "pass"


@as_root
def test_where_signatures_are_required_policies_need_one_too(tmp_path: Path) -> None:
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True)
    policy = tmp_path / "policy.yml"
    policy.write_bytes(Path(SERVER).read_bytes())
    config = tmp_path / "jianwei.yaml"
    config.write_text(f"audit: {{packs: [{policy}], trusted_keys: [{public}]}}\n")
    arguments = ("audit", "--config", str(config), "--recorded", HARDENED, "--format", "json")
    refused = run(*arguments)
    assert (refused.exit_code, "is not signed" in refused.stderr) == (2, True)
    assert run("check-config", str(config)).exit_code == 2
    signed = run("rules", "sign", str(policy), "--key", str(key))
    assert signed.exit_code == 0, signed.output
    assert run(*arguments).exit_code == 0
    policy.write_text(policy.read_text() + "# changed\n")
    assert run(*arguments).exit_code == 2


def test_hits_of_a_policy_have_a_life(tmp_path: Path) -> None:
    config = tmp_path / "jianwei.yaml"
    config.write_text(
        f"state_dir: {tmp_path}/state\nroot: {DEFAULT}/root\naudit: {{packs: [{SERVER}]}}\n"
    )
    for _ in range(2):
        found = audited("--config", str(config), "--hits")
    rules = {hit["rule"]: hit["state"] for hit in found["hits"]}
    failed = {v["rule"] for v in found["packs"][0]["verdicts"] if v["verdict"] == "fail"}
    assert failed
    assert rules == dict.fromkeys(failed, "new")
