"""`jianwei ipv6` and `jianwei ipv6 check` as their users call them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from collectors.ipv6.check import site_of
from tests.sshlab import SshLab, needs_sshd

MACHINE = str(Path(__file__).parents[1] / "fixtures/machines/debian12")
PLACE = {"LC_ALL": "", "LANG": ""}


def ipv6(*arguments: str, given: bytes = b"") -> Result:
    return CliRunner().invoke(main, ["ipv6", *arguments], input=given, env=PLACE)


def host(*arguments: str, given: bytes = b"") -> dict[str, Any]:
    done = ipv6(*arguments, "--json", given=given)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {check["id"]: check["verdict"] for check in found["checks"]}


def test_json_has_what_machines_need() -> None:
    found = host("--recorded", MACHINE)
    assert set(found) >= {"score", "ipv6_only_score", "layers", "checks"}
    for check in found["checks"]:
        assert set(check) >= {"id", "layer", "weight", "verdict", "reason", "evidence"}
        assert check["reason"]["zh"]
    assert found["subject"]["kind"] == "host"


@pytest.mark.parametrize(("language", "words"), [("zh", "得分"), ("en", "score")])
def test_the_table_is_in_the_language_asked_for(language: str, words: str) -> None:
    done = ipv6("--recorded", MACHINE, "--lang", language)
    assert done.exit_code == 0
    assert words in done.stdout
    assert "ipv6.host.sysctls" in done.stdout


def test_parameters_and_given_facts() -> None:
    assert verdicts(host("--recorded", MACHINE))["ipv6.host.routers"] == "fail"
    found = host("--recorded", MACHINE, "--param", "most_routers=2")
    assert verdicts(found)["ipv6.host.routers"] == "pass"
    rogue = {"ipv6_advertisers": [{"key": "fe80::bad eth0", "expected": False}]}
    found = host("--recorded", MACHINE, "--facts", "-", given=json.dumps(rogue).encode())
    assert verdicts(found)["ipv6.host.rogue-routers"] == "fail"


@needs_sshd
def test_a_host_over_ssh_is_as_this_one(tmp_path: Path) -> None:
    lab = SshLab(tmp_path)
    config = tmp_path / "jianwei.yaml"
    config.write_text(
        f"ssh: {{known_hosts: [{lab.known_hosts}], config_file: '', key_file: {lab.key},"
        " use_agent: false}\n"
    )
    try:
        there = verdicts(host("--config", str(config), "--host", lab.server().target))
        here = verdicts(host())
    finally:
        lab.close()
    # traffic goes on, neighbours come and go
    for moving in ("ipv6.host.neighbours", "ipv6.adoption.traffic-share"):
        del here[moving], there[moving]
    assert there == here


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check",), "no sites"),
        (("check", "ftp://a.cn"), "is no http or https URL"),
        (("check", "https://a b", "https://u:p@c.cn"), "u:p@c.cn"),
        (("check", "https://a.cn", "--root", "a.root"), "--root"),
        (("check", "https://a.cn", "--timeout", "nan"), "--timeout"),
        (("check", "https://a.cn", "--config", "/nonexistent.yaml"), "/nonexistent.yaml"),
        (("check", "https://a.cn", "--param", "successs=1"), "no such parameter"),
        (("--recorded", "/nonexistent"), "/nonexistent"),
        (("--host", "ssh://a", "--watch", "5"), "--watch listens on this machine"),
        (("--facts", "-"), "--facts"),
    ],
)
def test_bad_input_is_told_and_exits_with_2(arguments: tuple[str, ...], told: str) -> None:
    done = ipv6(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.output


def test_a_site_that_cannot_be_asked_is_below_any_bar() -> None:
    done = ipv6("check", "http://127.0.0.1/", "--json", "--fail-under", "1")
    assert done.exit_code == 1
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["score"] == 0
    assert ipv6("check", "http://127.0.0.1/", "--json").exit_code == 0


def test_a_site_is_a_url_or_a_name() -> None:
    assert site_of("a.gov.cn").url == "https://a.gov.cn/"
    assert (site_of("http://a.cn:8080/x").port, site_of("http://a.cn/").tls) == (8080, False)
    assert site_of("https://[2001:db8::1]/").host == "2001:db8::1"
