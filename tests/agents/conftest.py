"""What several files here share."""

from __future__ import annotations

import pytest

from tests import chrootlab, hardening
from tests.hardening import Hardening


@pytest.fixture(scope="session")
def hardened(tmp_path_factory: pytest.TempPathFactory) -> Hardening:
    """A Debian host before and after it was hardened; a minute and more."""
    if reason := chrootlab.unavailable():
        pytest.skip(reason)
    with chrootlab.debian(tmp_path_factory.mktemp("chroot")) as host:
        return hardening.harden(host)
