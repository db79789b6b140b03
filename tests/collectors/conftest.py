"""Fixtures of the SSH tests: a real sshd with its client side, and shells without SSH."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.shellhost import SHELLS
from tests.sshlab import Sshd, SshLab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshLab]:
    lab = SshLab(tmp_path_factory.mktemp("ssh"))
    yield lab
    lab.close()


@pytest.fixture(scope="module")
def server(lab: SshLab) -> Sshd:
    return lab.server()


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """The argv of each shell that reads a script from its standard input."""
    return SHELLS[request.param]
