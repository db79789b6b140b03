"""Queries of a client to a server that misbehaves (rudeserver.py), and what comes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collectors.strictyaml import Duration
from exporters.promapi.client import PromClient, PromSettings, Sample
from exporters.usage.source import SourceError
from tests.exporters.rudeserver import Reply, http, rude

AT = 1_790_000_000.0
ONE = [{"metric": {"resource": "a"}, "value": [AT, "12.5"]}]


def said(result: Any = ONE, kind: str = "vector", **more: Any) -> str:
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data, **more})


def refused(kind: str, words: str) -> str:
    return json.dumps({"status": "error", "errorType": kind, "error": words})


GOOD = http(200, said())
BUSY = http(503, "<html>busy</html>", kind="text/html")


def settings(url: str, **more: Any) -> PromSettings:
    given = {"retries": 2, "timeout": Duration(5), "backoff": Duration(0.01), **more}
    return PromSettings(url=url, **given)


def asked(*replies: Reply, **more: Any) -> tuple[list[Sample], int]:
    """The answer to one query, and how often it was asked for."""
    with rude(*replies) as server, PromClient(settings(server.url, **more)) as client:
        return client.instant("up", AT), len(server.requests)


def problem(*replies: Reply, kind: type[SourceError] = SourceError, **more: Any) -> tuple[str, int]:
    """What is told of it, and how often it was asked for."""
    with rude(*replies) as server, PromClient(settings(server.url, **more)) as client:
        with pytest.raises(SourceError) as caught:
            client.instant("up", AT)
        assert type(caught.value) is kind
        text = str(caught.value)
        assert text.startswith(f"{server.url}: ")
        assert text.isprintable()
        assert len(text) < 700
        return text, len(server.requests)


def told(url: str, **more: Any) -> str:
    """What a client of an address says of the first query."""
    with PromClient(settings(url, **more)) as client, pytest.raises(SourceError) as caught:
        client.instant("up", AT)
    return str(caught.value)
