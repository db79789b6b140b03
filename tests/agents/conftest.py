"""What several files here share."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests import chrootlab
from tests.hardening import Ahead, Hardening


def _looks_at_it(item: pytest.Item) -> bool:
    return "hardened" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The host is hardened while the other tests run, so what looks at it comes last."""
    items.sort(key=_looks_at_it)


@pytest.fixture(scope="session", autouse=True)
def ahead(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ahead | None]:
    """Begun with the first test here if any test wants it; it takes two minutes."""
    if not any(map(_looks_at_it, request.session.items)) or chrootlab.unavailable():
        yield None
        return
    with Ahead(tmp_path_factory.mktemp("chroot")) as ahead:
        yield ahead


@pytest.fixture(scope="session")
def hardened(ahead: Ahead | None) -> Hardening:
    """A Debian host before and after it was hardened."""
    if not ahead:
        pytest.skip(chrootlab.unavailable())
    told = ahead.told()
    if not told.hardening:
        pytest.skip(told.skipped)
    return told.hardening


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
