"""One mistake a file in tests/config, one expected message in its first line."""

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
    for section in ("web", "log", "collectors", "probes", "audit", "ssh"):
        assert written[section].keys() == keys[section].keys()


def test_collectors_on_by_default_and_chosen(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("collectors: {enable: [processes], disable: [loadavg]}")
    names = {c.name for c in configuration.load(str(path)).scraped()}
    on = {n for n, e in catalogue.COLLECTORS.items() if e.on and e.metrics}
    assert names == (on | {"processes"}) - {"loadavg"}


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
