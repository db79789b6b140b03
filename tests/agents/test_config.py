"""One mistake a file in tests/config, one expected message in its first line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from agents import config as configuration
from collectors import catalogue
from collectors.strictyaml import DocumentError, Duration, Regex, Secret

INVALID = sorted((Path(__file__).parents[1] / "config").glob("invalid-*.yaml"))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem.removeprefix("invalid-"))
def test_invalid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JIANWEI_NO_SUCH_SECRET", raising=False)
    expected = path.read_text().splitlines()[0].removeprefix("# error: ")
    with pytest.raises(DocumentError) as error:
        configuration.load(str(path))
    assert str(error.value).startswith(str(path))
    assert expected in str(error.value)
    assert "hunter2" not in str(error.value)


def test_the_default_file_has_every_key_with_its_default_value() -> None:
    assert configuration.load(None) == configuration.Config()
    written = yaml.safe_load(Path(configuration.DEFAULT_PATH).read_text())
    keys = configuration.plain(configuration.Config())
    assert written.keys() == keys.keys()
    for section in ("web", "log", "collectors", "probes", "ipv6_watch", "audit", "findings", "ssh"):
        assert written[section].keys() == keys[section].keys()


def test_collectors_on_by_default_and_chosen(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("collectors: {enable: [processes], disable: [loadavg]}")
    names = {c.name for c in configuration.load(str(path)).scraped()}
    on = {n for n, e in catalogue.COLLECTORS.items() if e.on and e.metrics}
    assert names == (on | {"processes"}) - {"loadavg"}


def test_a_modules_file_is_checked_with_it(tmp_path: Path) -> None:
    (tmp_path / "modules.yml").write_text("modules:\n  a: {prober: htp}\n")
    path = tmp_path / "c.yaml"
    path.write_text("probes: {modules_file: modules.yml}")
    with pytest.raises(DocumentError) as error:
        configuration.load(str(path))
    assert str(error.value) == (
        f"{tmp_path}/modules.yml:2: modules.a.prober: no prober 'htp'; did you mean 'http'?"
    )
    (tmp_path / "modules.yml").write_text("modules:\n  a: {prober: http}\n")
    assert configuration.load(str(path)).probes.modules_file == f"{tmp_path}/modules.yml"


def test_secrets_are_never_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIANWEI_TEST_SECRET", "s3cret")
    path = tmp_path / "c.yaml"
    path.write_text("ssh: {password: !env JIANWEI_TEST_SECRET}")
    ran = subprocess.run(
        [sys.executable, "-m", "agents", "check-config", "--json", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"password":"***"' in ran.stdout
    assert "s3cret" not in ran.stdout + ran.stderr


def test_a_wrong_configuration_starts_nothing_and_exits_2(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("web:\n  lisen: []\n")
    ran = subprocess.run(
        [sys.executable, "-m", "agents", "run", "--config", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert ran.returncode == 2
    assert ran.stderr == f"jianwei: {path}:2: web.lisen: unknown key; did you mean 'listen'?\n"


def test_what_is_printed_hides_only_secrets() -> None:
    filesystem = catalogue.COLLECTORS["filesystem"].cls()
    shown = configuration.plain(
        {"every": Duration(0.5), "pattern": Regex("^/a"), "secret": Secret("s3cret")}
    )
    assert shown == {"every": 0.5, "pattern": "^/a", "secret": "***"}
    assert "***" not in str(configuration.plain(filesystem))


def test_relative_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    path = tmp_path / "c.yaml"
    path.write_text(
        "ssh: {key_file: key, known_hosts: [known, ~/k, /k], config_file: conf,"
        " password: !file password}\n"
        "collectors: {settings: {textfile: {directory: texts}}}\n"
    )
    config = configuration.load(str(path))
    assert (config.ssh.key_file, config.ssh.config_file) == (f"{tmp_path}/key", f"{tmp_path}/conf")
    assert config.ssh.known_hosts == (f"{tmp_path}/known", "~/k", "/k")
    assert config.ssh.password is not None
    assert config.ssh.password.reveal() == "s3cret"
    assert config.collectors.settings.textfile.directory == f"{tmp_path}/texts"


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.yaml")
    with pytest.raises(DocumentError, match=r"c\.yaml: is not a file"):
        configuration.load(str(tmp_path / "c.yaml"))


LINES = Path(__file__).parents[1] / "lines"


def check_config(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agents", "check-config", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("name", ["many.yaml", "many.csv"])
def test_all_mistakes_of_a_file_of_lines_are_told(name: str, tmp_path: Path) -> None:
    path = LINES / name
    expected = path.with_suffix(path.suffix + ".error").read_text().splitlines()
    told = "\n".join(f"{path}:{line}" for line in expected)
    ran = check_config(str(path))
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", f"jianwei: {told}\n")
    config = tmp_path / "jianwei.yaml"
    config.write_text(f"probes: {{lines_file: {path}}}\n")
    ran = check_config(str(config))
    # the agent knows more modules than a file of lines alone
    without_modules = [line for line in told.splitlines() if "there is no module" not in line]
    assert (ran.returncode, ran.stdout) == (2, "")
    shown = ran.stderr.removeprefix("jianwei: ").splitlines()
    assert [line for line in shown if "there is no module" not in line] == without_modules
    assert len(shown) == len(expected)


def test_a_file_of_lines_that_is_right_is_summed_up(tmp_path: Path) -> None:
    table = (
        "线路,站点,级别,角色,对端线路,带宽,目标\r\n"
        "甲-主,甲,县,主,甲-备,1G,192.0.2.1; gw.example\r\n"
        "甲-备,甲,县,备,甲-主,100M,2001:db8::1\r\n"
        "乙,乙,乡镇,主,,100M,192.0.2.1\r\n"
    )
    (tmp_path / "lines.csv").write_bytes(table.encode("gbk"))
    ran = check_config(str(tmp_path / "lines.csv"))
    assert ran.returncode == 0
    assert ran.stdout.splitlines() == [
        f"{tmp_path}/lines.csv is right.",
        "  lines       3 (2 main, 1 backup)",
        "  county      2 (1 main, 1 backup); 1 of 1 sites",
        "  town        1 (1 main, 0 backup); 1 of 1 sites",
        "  sites       2",
        "  targets     4 (1 by name, 2 ipv4, 1 ipv6)",
    ]
    assert ran.stderr == (
        f"warning: {tmp_path}/lines.csv:4: 目标: 192.0.2.1 is a target of the line '甲-主' (line 2)"
        " too\n"
    )
    (tmp_path / "c.yaml").write_text("probes: {lines_file: lines.csv}\n")  # beside the file
    ran = check_config(str(tmp_path / "c.yaml"))
    assert ran.returncode == 0
    assert ran.stdout.endswith("  targets     4 (1 by name, 2 ipv4, 1 ipv6)\n")
    ran = check_config("--json", str(tmp_path / "lines.csv"))
    assert '"bandwidth":1000000000.0' in ran.stdout
