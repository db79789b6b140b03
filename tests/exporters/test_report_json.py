"""The report as JSON: its schema is what docs/report.schema.json says, and real output is valid by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from exporters.report.document import Document
from exporters.report.excerpt import excerpt
from exporters.report.jsonform import encode, schema
from exporters.usage import judgements
from tests import reportdocs
from tests.reportsample import sample

DOCS = Path(__file__).parents[2] / "docs"
Golden = Callable[[Path, str], None]


def bare(document: Document) -> Document:
    """Without any part that need not be there."""
    empty = {"showback": None, "follow_ups": None, "lines": None, "ipv6": None, "baseline": None}
    return msgspec.structs.replace(document, **empty)


@pytest.fixture(scope="module")
def validator() -> Any:
    jsonschema.Draft202012Validator.check_schema(schema())
    return jsonschema.Draft202012Validator(
        schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


@pytest.mark.golden
def test_the_schema_is_the_documented_one(golden: Golden) -> None:
    golden(DOCS / "report.schema.json", json.dumps(schema(), ensure_ascii=False, indent=1) + "\n")


@pytest.mark.golden
def test_keys_and_columns_are_documented(golden: Golden) -> None:
    golden(DOCS / "report-schema.md", reportdocs.document(schema()))


@pytest.mark.parametrize(
    "document",
    [
        sample(3, 60),
        sample(23, 200, hostile=True),
        sample(2, 30, under_way=True),
        bare(sample(2, 30)),
        excerpt(sample(3, 60), "市公安局"),
    ],
    ids=["plain", "hostile", "under way", "bare", "excerpt"],
)
def test_output_is_valid(document: Document, validator: Any) -> None:
    told = json.loads(encode(document))
    assert [str(it)[:300] for it in validator.iter_errors(told)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("scope", "since"), None),
        (("schema_version",), 2),
        (("surprise",), 1),
        (("estate", "load", "average"), "0"),
        (("departments", 0, "resources", 0, "measured"), None),
    ],
)
def test_what_is_wrong_is_not_valid(path: tuple[Any, ...], value: Any, validator: Any) -> None:
    told = json.loads(encode(sample(2, 30)))
    inner = told
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert not validator.is_valid(told)


def test_a_key_that_is_missing_is_not_valid(validator: Any) -> None:
    told = json.loads(encode(sample(2, 30)))
    del told["departments"][0]["load"]["peak_at"]
    assert not validator.is_valid(told)


def test_the_same_document_gives_the_same_bytes_in_whatever_order_mappings_are() -> None:
    document = sample(3, 40)
    turned = dict(reversed(list(document.estate.states.items())))
    estate = msgspec.structs.replace(document.estate, states=turned)
    assert encode(msgspec.structs.replace(document, estate=estate)) == encode(document)
    assert encode(sample(3, 40)) == encode(document)


def test_what_it_says_is_what_the_document_says() -> None:
    document = sample(3, 40)
    told = json.loads(encode(document))
    assert datetime.fromisoformat(told["scope"]["since"]) == document.scope.since
    assert told["scope"]["since"].endswith("+08:00")
    load = document.departments[0].load
    assert told["departments"][0]["load"]["average"] == load.average
    resources = told["departments"][0]["resources"]
    expected = judgements.documents(document.departments[0].resources)
    assert resources == json.loads(msgspec.json.encode(expected))
    empty = [n for n, it in enumerate(document.estate.trend) if it.cpu is None]
    assert len(empty) == 2
    assert all(told["estate"]["trend"][n]["cpu"] is None for n in empty)


def test_a_value_that_is_no_number_is_null() -> None:
    document = sample(2, 30)
    load = msgspec.structs.replace(document.estate.load, average=float("nan"))
    estate = msgspec.structs.replace(document.estate, load=load)
    told = json.loads(encode(msgspec.structs.replace(document, estate=estate)))
    assert told["estate"]["load"]["average"] is None
