"""Options and fixtures of the whole suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.openstackcity import City

# A busy machine is no error: no test asserts how long an example takes.
settings.register_profile("jianwei", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("jianwei")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "golden: compares with a file that `make golden` rewrites")
    config.addinivalue_line("markers", "openstack: needs a real OpenStack: `make test-openstack`")


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What agents keep is kept apart from what this machine's own agent does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIRECTORY", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def city() -> Iterator[City]:
    """A real OpenStack with a small city in it, started for the first test that needs it."""
    from tests import openstackcity, openstacklab

    if why := openstacklab.unavailable():
        pytest.skip(why)
    with openstacklab.OpenStackLab() as lab:
        yield openstackcity.build(lab)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a golden file, or rewrite the file under --update-golden."""
    update = request.config.getoption("--update-golden")

    def compare(path: Path, text: str) -> None:
        if update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        else:
            assert path.exists(), f"{path.name} is missing; run make golden"
            assert text == path.read_text(encoding="utf-8"), "if this is meant, run make golden"

    return compare
