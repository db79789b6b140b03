"""`jianwei audit` and `jianwei rules` as people and scripts call them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from tests.sshlab import SshLab, needs_sshd

MACHINES = Path(__file__).parent.parent / "fixtures/machines"
HARDENED, DEFAULT = str(MACHINES / "hardened"), str(MACHINES / "debian12")

PACK = """
pack: city
title: {{zh: 市级基线, en: City baseline}}
params: {{limit: 100, names: [root]}}
rules:
  - id: linux.few-accounts
    title: {{zh: 账户不多, en: Few accounts}}
    severity: {severity}
    facts: [{fact}]
    assert: size({fact}) <= params.limit
    actual: size({fact})
    tests: {{pass: [{{{fact}: []}}], fail: [{{params: {{limit: -1}}, {fact}: []}}]}}
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"LC_ALL": "", "LANG": ""})


def city(folder: Path, severity: str = "medium", fact: str = "accounts") -> str:
    path = folder / "city.yaml"
    path.write_text(PACK.format(severity=severity, fact=fact))
    return str(path)


def audited(*arguments: str) -> dict[str, Any]:
    done = run("audit", "--format", "json", *arguments)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_table_of_a_recording_in_both_languages() -> None:
    zh = run("audit", "--recorded", DEFAULT)
    assert zh.exit_code == 0
    assert "得分 50%  通过 12  不通过 12" in zh.stdout
    assert "/etc/ssh/sshd_config.d/50-site.conf:2" in zh.stdout
    assert "\x1b" not in zh.stdout
    en = run("audit", "--recorded", HARDENED, "--lang", "en")
    assert "score 100%  pass 24  FAIL 0" in en.stdout


@pytest.mark.parametrize("form", ["ocsf", "sarif", "csv", "html"])
def test_other_formats_to_a_file_and_to_standard_output(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"audit.{form}"
    path.write_text("what was there before")
    arguments = ("audit", "--recorded", DEFAULT, "--format", form)
    done = run(*arguments, "--output", str(path))
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    content = path.read_bytes()
    assert b"linux.sshd.no-root-login" in content
    assert b"systemctl reload sshd" in content  # what the rule says to do
    assert len(run(*arguments).stdout_bytes) == pytest.approx(len(content), rel=0.01)


def test_output_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    done = run("audit", "--recorded", DEFAULT, "--output", str(tmp_path / "file/below"))
    assert done.exit_code == 0  # the folder is made
    (tmp_path / "plain").write_text("")
    done = run("audit", "--recorded", DEFAULT, "--output", str(tmp_path / "plain/below"))
    assert done.exit_code == 2
    assert "--output" in done.stderr


def test_an_inventory_has_the_formats_that_are_lines(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yaml"
    hosts.write_text("hosts: [{name: db-01, host: 'ssh://nobody@127.0.0.1:1'}]\n")
    for more in (("--format", "html"), ("--format", "json", "--output", str(tmp_path / "out"))):
        done = run("audit", "--inventory", str(hosts), *more)
        assert done.exit_code == 2
        assert "table, json or ocsf" in done.stderr
    done = run("audit", "--inventory", str(hosts), "--format", "ocsf")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "db-01: " in done.stderr  # why there is nothing of it


def test_json_of_a_recording() -> None:
    found = audited("--recorded", DEFAULT)
    assert found["host"]["name"] == "gov-node-01"
    pack, readiness = found["packs"]
    assert readiness["pack"] == "ipv6-readiness"
    assert pack["pack"] == "host-basics"
    assert pack["counts"]["fail"] == 12
    hit = next(v for v in pack["verdicts"] if v["instance"] == "dmdba")
    assert {"rule", "verdict", "instance", "severity", "actual", "source", "reason", "maps"} <= set(
        hit
    )
    assert found["time"].endswith("Z")


@pytest.mark.parametrize(
    ("machine", "fail_on", "code"),
    [
        (DEFAULT, "none", 0),
        (DEFAULT, "low", 1),
        (DEFAULT, "critical", 1),
        (DEFAULT, "unknown", 1),
        (HARDENED, "low", 0),
        (HARDENED, "unknown", 0),
    ],
)
def test_fail_on(machine: str, fail_on: str, code: int) -> None:
    assert (
        run("audit", "--pack", "host-basics", "--recorded", machine, "--fail-on", fail_on).exit_code
        == code
    )


def test_fail_on_takes_the_severity_of_what_failed(tmp_path: Path) -> None:
    arguments = ["audit", "--recorded", HARDENED, "--pack", city(tmp_path), "--param", "limit=1"]
    assert run(*arguments, "--fail-on", "medium").exit_code == 1
    assert run(*arguments, "--fail-on", "high").exit_code == 0


def test_unknown_is_for_fail_on_unknown_alone(tmp_path: Path) -> None:
    recording = tmp_path / "empty"
    recording.mkdir()
    (recording / "asked.json").write_text("[]")
    arguments = ["audit", "--recorded", str(recording), "--pack", city(tmp_path, "critical")]
    assert "not recorded" in run(*arguments).stdout
    assert run(*arguments, "--fail-on", "low").exit_code == 0
    assert run(*arguments, "--fail-on", "unknown").exit_code == 1


def test_parameters_by_pack_and_by_name(tmp_path: Path) -> None:
    arguments = ("--recorded", HARDENED, "--pack", city(tmp_path), "--pack", "host-basics")
    packs = audited(*arguments, "--param", "limit=7", "--param", "host-basics.root_login=[x, y]")
    city_, basics = packs["packs"]
    assert city_["params"]["limit"] == 7
    assert city_["verdicts"][0]["verdict"] == "fail"
    assert basics["params"]["root_login"] == ["x", "y"]


def test_configuration_names_packs_and_parameters(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"audit:\n  packs: [{city(tmp_path)}]\n  params: {{city: {{limit: 3}}}}\n")
    found = audited("--recorded", HARDENED, "--config", str(config))
    assert [pack["params"]["limit"] for pack in found["packs"]] == [3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pack", "nope"], "there is no such pack; there are: container-host"),
        (["--param", "nope=1"], "no such parameter; there are: "),
        (["--param", "max_days"], "no such parameter"),
        (["--param", "max_days=soon"], "expected number, got text"),
        (["--param", "max_days=["], "is not YAML"),
        (["--recorded", "/nonexistent"], "/nonexistent: is not a folder"),
        (["--config", "/nonexistent"], "cannot be read"),
        (["--pack", "host-basics", "--pack", "host-basics"], "two packs are named 'host-basics'"),
        (["--fail-on", "everything"], "Invalid value for '--fail-on'"),
    ],
)
def test_bad_input_is_one_line_and_2(arguments: list[str], message: str) -> None:
    done = run("audit", *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stdout == ""


def test_parameters_for_a_pack_that_is_not_there(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("audit: {params: {nope: {limit: 3}}}\n")
    done = run("audit", "--config", str(config), "--recorded", HARDENED)
    assert done.exit_code == 2
    assert "no pack 'nope' is loaded" in done.stderr


def jianwei(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "agents", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False, **more)


def test_this_machine_for_real() -> None:
    done = jianwei("audit", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    pack, _ = json.loads(done.stdout)["packs"]
    by_rule = {v["rule"]: v for v in pack["verdicts"]}
    assert by_rule["linux.accounts.only-root-has-uid-0"]["verdict"] in ("pass", "fail")
    if os.geteuid() == 0:
        assert pack["counts"]["unknown"] == 0, [
            v["reason"] for v in pack["verdicts"] if v["verdict"] == "unknown"
        ]


STEADY = re.compile(r"linux\.(accounts|files|sshd|kernel)\.")  # what a second does not change


def verdicts(found: dict[str, Any]) -> list[Any]:
    return [
        {key: value for key, value in verdict.items() if key != "maps"}
        for pack in found["packs"]
        for verdict in pack["verdicts"]
        if STEADY.match(verdict["rule"])
    ]


@needs_sshd
def test_over_ssh_it_is_the_same(tmp_path: Path) -> None:
    lab = SshLab(tmp_path)
    config = tmp_path / "jianwei.yaml"
    config.write_text(
        f"ssh: {{known_hosts: [{lab.known_hosts}], config_file: '', key_file: {lab.key},"
        " use_agent: false}\n"
    )
    try:
        server = lab.server()
        there = audited("--config", str(config), "--host", server.target)
        # one trip, and one for what sshd_config includes
        assert server.sessions() <= 2
    finally:
        lab.close()
    here = audited()
    assert there["host"] == here["host"]
    assert verdicts(there) == verdicts(here)


def test_a_recording_of_this_machine_is_judged_the_same(tmp_path: Path) -> None:
    recording = str(tmp_path / "recording")
    assert run("record", recording).exit_code == 0
    there, here = audited("--recorded", recording), audited()
    assert verdicts(there) == verdicts(here)
    assert there["host"] == here["host"]


def test_exit_codes_for_real() -> None:
    basics = ("audit", "--pack", "host-basics", "--recorded")
    assert jianwei(*basics, DEFAULT, "--fail-on", "high").returncode == 1
    assert jianwei(*basics, HARDENED, "--fail-on", "low").returncode == 0
    assert jianwei("audit", "--pack", "nope").returncode == 2


def test_a_terminal_gets_colour_and_progress() -> None:
    near, far = pty.openpty()
    argv = [sys.executable, "-m", "agents", "audit", "--recorded", DEFAULT]
    with subprocess.Popen(argv, stdout=far, stderr=far) as child:
        os.close(far)
        shown = b""
        with contextlib.suppress(OSError):  # EIO is how a terminal ends
            while more := os.read(near, 65536):
                shown += more
        os.close(near)
    assert child.returncode == 0
    assert b"\x1b[31;1m" in shown
    assert b"reading" in shown


def test_a_pack_that_does_not_end_is_ended(tmp_path: Path) -> None:
    numbers = ", ".join(map(str, range(300)))
    body = "true"
    for name in "abcdef":
        body = (
            f"[{numbers}].all({name}, {body})" if name == "a" else f"params.n.all({name}, {body})"
        )
    text = PACK.format(severity="low", fact="accounts").replace(
        "limit: 100", f"n: [{numbers}], limit: 1"
    )
    text = text.replace("size(accounts) <= params.limit", f"size(accounts) < 0 || {body}")
    (tmp_path / "slow.yaml").write_text(text)
    config = tmp_path / "c.yaml"
    config.write_text(f"audit: {{packs: [{tmp_path}/slow.yaml], deadline: 500ms}}\n")
    done = jianwei("audit", "--config", str(config), "--recorded", HARDENED)
    assert done.returncode == -signal.SIGALRM
    assert done.stderr.endswith("it may take 0.5 s (audit.deadline) and 1 GiB\n")


def test_a_pack_that_takes_all_memory_is_ended(tmp_path: Path) -> None:
    doubled = "params.names" + ".map(a, a + a)" * 60
    text = PACK.format(severity="low", fact="accounts")
    text = text.replace("size(accounts) <= params.limit", f"{doubled} == [] || size(accounts) < 0")
    (tmp_path / "large.yaml").write_text(text)
    done = jianwei("audit", "--pack", f"{tmp_path}/large.yaml", "--recorded", HARDENED)
    assert done.returncode == -signal.SIGABRT
    assert "memory" in done.stderr


# --- rules --------------------------------------------------------------------------------------


def test_list() -> None:
    done = run("rules", "list", "--lang", "en")
    assert done.exit_code == 0
    assert (
        "critical  linux.accounts.only-root-has-uid-0  No account but root has UID 0" in done.stdout
    )
    found = {pack["pack"]: pack for pack in json.loads(run("rules", "list", "--json").stdout)}
    assert {"host-basics", "ipv6-readiness", "link-quality", "mlps-l2", "mlps-l3"} <= set(found)
    pack = found["host-basics"]
    assert pack["rules"][0]["maps"]["gb22239"] == ["8.1.4.2.b"]


def test_lint(tmp_path: Path) -> None:
    right = city(tmp_path)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(Path(right).read_text().replace("size(accounts)", "size(acounts)", 1))
    done = run("rules", "lint", right, str(wrong))
    assert done.exit_code == 1
    assert done.stdout == f"{right}: 1 rules, no mistake\n"
    assert done.stderr == (
        f"{wrong}:10: rules[0].assert: rule linux.few-accounts: "
        "no name 'acounts'; did you mean 'accounts'?\n"
    )
    assert run("rules", "lint", right).exit_code == 0


def test_test(tmp_path: Path) -> None:
    assert run("rules", "test").exit_code == 0
    path = Path(city(tmp_path))
    path.write_text(
        path.read_text().replace("pass: [{accounts: []}]", "pass: [{accounts: [1, 2]}]")
    )
    done = run("rules", "test", str(path))
    assert done.exit_code == 0
    path.write_text(path.read_text().replace("limit: 100", "limit: 1"))
    done = run("rules", "test", str(path))
    assert done.exit_code == 1
    for line in (
        f"{path}:12: rule linux.few-accounts",
        "  expected  pass",
        "  came out  fail",
        "            actual: 2",
        "  assert    size(accounts) <= params.limit",
        "  accounts  1, 2",
        "city: 1 rules, 2 scenarios, 1 wrong",
    ):
        assert line in done.stdout.splitlines()


def test_test_of_a_wrong_pack_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("pack: x\n")
    done = run("rules", "test", str(tmp_path / "x.yaml"))
    assert done.exit_code == 2
    assert "the key 'title' is missing" in done.stderr
