"""`jianwei audit --inventory` of a fleet's inventory: each host by its own key and jump hosts; old files as before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.fleet import audited
from collectors.sources.ssh.settings import SshSettings
from collectors.strictyaml import read
from tests.agents.test_cli_audit import DEFAULT, city, run
from tests.sshlab import USER, SshLab, keygen, needs_sshd

OLD = (
    "subjects: [{name: a, kind: host, host: ssh://a}]",
    "hosts: [{name: a, host: ssh://a, department: x, owner: y, level: city}]",
    "hosts: [{name: a b, host: 'recorded: x'}]",
)
FLEET = (
    "defaults: {}\nhosts: [{name: a, host: ssh://a}]",
    "hosts: [{name: a, host: ssh://a, groups: web}]",
    "hosts: [{name: 'a[1:2]', host: 'ssh://a[1:2]'}]",
    "import: x.csv",
)
TABLES = {
    "名称,主机,部门\na,ssh://a,x\n": False,
    "系统,主机,部门\na,ssh://a,x\n": False,  # where 系统 is the name
    "名称,类型,主机\na,主机,ssh://a\n": False,
    "名称,主机,部门,系统\na,ssh://a,x,y\n": True,
    "name,host,groups\na,ssh://a,x\n": True,
    "名称,主机,部门,备注\na,10.0.0.1,x,机房东\n": True,
    "主机名,IP地址,所属部门\na,10.0.0.1,x\n": True,
    "主机名;IP;备注\na;ssh://10.0.0.1;x\n": True,
}


@pytest.mark.parametrize(
    ("text", "fleet"),
    [*((it, False) for it in OLD), *((it, True) for it in FLEET), *TABLES.items()],
)
def test_which_file_is_read_how(text: str, fleet: bool, tmp_path: Path) -> None:
    path = tmp_path / ("hosts.csv" if text in TABLES else "hosts.yaml")
    path.write_text(text)
    assert audited.is_fleet(read(str(path)), str(path)) is fleet
    of_the_estate = text.startswith(("subjects", "系统"))
    assert audited.names_hosts(text.encode(), str(path)) is not of_the_estate


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_a_spreadsheet_is_right_with_a_column_for_people(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "hosts.csv"
    path.write_text("主机名,IP地址,所属部门,备注\na,10.0.0.1,财政局,机房东\n", encoding=encoding)
    result = CliRunner().invoke(main, ["check-config", str(path)], catch_exceptions=False)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "财政局 1" in result.stdout


@pytest.mark.parametrize("name", ["hosts.xlsx", "hosts.yaml", "hosts.csv"])
def test_a_workbook_is_no_document(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04\x14\x00\x06\x00 and so on")
    for command in (["check-config"], ["fleet", "sd", "--inventory"]):
        result = CliRunner().invoke(main, [*command, str(tmp_path / name)], catch_exceptions=False)
        assert result.exit_code == 2
        assert f"{name}: is an Excel workbook; save it as 'CSV UTF-8'" in result.stderr


def test_a_plain_file_means_the_same_in_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    ssh = SshSettings(user="x", jump="j", sudo=True)
    rows = "hosts: [{name: a, host: 'ssh://b@c:1', department: d, owner: e}]"
    path.write_text(rows)
    before = audited.hosts(str(path), ssh)
    path.write_text(f"defaults: {{}}\n{rows}")
    assert audited.hosts(str(path), ssh) == before


def test_what_the_inventory_says_counts_before_the_configuration(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yaml"
    path.write_text(
        "groups: {g: {jump: none, sudo: false}}\nhosts: [{name: a, host: b, groups: g}]"
    )
    (one,) = audited.hosts(str(path), SshSettings(user="x", jump="j", sudo=True))
    assert one.ssh == SshSettings(user="x", jump="none", sudo=False)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    lab = SshLab(tmp_path_factory.mktemp("ssh"))
    yield lab
    lab.close()


@needs_sshd
def test_each_host_by_its_own_key_and_jump_host(lab: SshLab, tmp_path: Path) -> None:
    jump, behind, other = lab.server(), lab.server(address="127.0.0.2"), lab.server()
    keygen(tmp_path / "other")
    authorized = lab.folder / "sshd-2/authorized_keys"
    authorized.write_bytes((tmp_path / "other.pub").read_bytes())
    inventory = tmp_path / "hosts.yaml"
    inventory.write_text(
        f"defaults: {{known_hosts: {lab.known_hosts}, config_file: '', use_agent: false, "
        f"key_file: {lab.key}, department: 财政局}}\n"
        f"groups: {{far: {{jump: ['{USER}@127.0.0.1:{jump.port}'], owner: 陈工}}}}\n"
        "hosts:\n"
        f"- {{name: behind, host: '{behind.target}', groups: far}}\n"
        f"- {{name: other, host: '{other.target}', key_file: other, agent: none}}\n"
        f"- {{name: wrong, host: 'ssh://{USER}@localhost:{other.port}', agent: none}}\n"
    )
    pack = city(tmp_path)
    argv = ("audit", "--inventory", str(inventory), "--pack", pack, "--format", "json")
    done = run(*argv)
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == 1  # of the one that lets nobody in
    assert {name: bool(row["result"]) for name, row in rows.items()} == {
        "behind": True,
        "other": True,
        "wrong": False,
    }
    assert (rows["behind"]["department"], rows["behind"]["owner"]) == ("财政局", "陈工")
    assert "127.0.0.2" in behind.log.read_text()
    assert jump.sessions() == 0  # it was gone through, and nothing else
    some = run(*argv, "--limit", "far")
    assert (some.exit_code, len(some.stdout.splitlines())) == (0, 1)


def test_limits_are_of_inventories(tmp_path: Path) -> None:
    alone = run("audit", "--limit", "a")
    assert (alone.exit_code, "--limit is of --inventory" in alone.stderr) == (2, True)
    path = tmp_path / "hosts.yaml"
    path.write_text(f"hosts: [{{name: a, host: 'recorded: {DEFAULT}'}}]")
    old = run("audit", "--inventory", str(path), "--limit", "a")
    assert (old.exit_code, "is a file of the estate" in old.stderr) == (2, True)
