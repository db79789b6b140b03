"""The API against its own description: schemathesis sends what the document allows, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from exporters.console.routes import OPERATIONS
from exporters.console.web.asker import Role
from exporters.console.web.openapi import document
from tests.consolelab import Console
from tests.consolesample import fill

ROLES: tuple[Role, ...] = ("approver", "administrator", "auditor")
EXAMPLES = 4  # of each operation, role and mode
AGENTS = ("/findings", "/enrol", "/alive", "/authority")  # agents' own: test_pull_push.py
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    folder: Path = tmp_path_factory.mktemp("api")
    made = Console(f"sqlite:///{folder}/console.db")
    fill(made, 4)
    yield made
    made.close()


def test_it_describes_every_operation() -> None:
    paths = document(OPERATIONS)["paths"]
    described = [one["operationId"] for path in paths.values() for one in path.values()]
    assert sorted(described) == sorted(one.name for one in OPERATIONS)


def test_it_keeps_to_its_description(served: Console) -> None:
    """Whoever asks; of each operation what it takes and what it does not."""
    tokens = [
        served.client(role).post("/api/v1/tokens", json={"name": "api"}).json()["token"]
        for role in ROLES
    ]
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", served.app)
    tried = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if not operation.path.removeprefix("/api/v1").startswith(AGENTS):
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                tried += _tried(operation, mode, tokens)
    assert tried > 2 * len(OPERATIONS)


def _tried(operation: Any, mode: GenerationMode, tokens: list[str]) -> int:
    calls = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(mode))
    def call(case: Any) -> None:
        nonlocal calls
        for token in tokens:
            calls += 1
            answer = case.call(headers={"Authorization": f"Bearer {token}"})
            case.validate_response(answer, checks=CHECKS)

    call()
    return calls
