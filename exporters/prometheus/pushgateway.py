"""A page put to a Pushgateway: PUT of the text format replaces this host's group of series.
https://github.com/prometheus/pushgateway#api"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from exporters.findings.posting import PostError
from exporters.prometheus.pushing import Outbox, answered
from exporters.prometheus.pushsettings import PushgatewaySettings

TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class PushError(Exception):
    """It was not taken. `str()` says why."""


class Gateway:
    """One Pushgateway and this host's group in it."""

    def __init__(self, settings: PushgatewaySettings, instance: str) -> None:
        self._outbox = Outbox(settings)
        grouping = settings.grouping or {"instance": instance}
        self._path = group_path(settings.job, grouping)
        self.close = self._outbox.close

    def put(self, page: bytes) -> None:
        """Raises PushError."""
        try:
            said = self._outbox.ask({"Content-Type": TYPE}, page, self._path, "PUT")
        except PostError as error:
            raise PushError(str(error)) from error
        if said.status // 100 != 2:
            raise PushError(answered(said))


def group_path(job: str, grouping: Mapping[str, str]) -> str:
    """Where a group is: values that a path cannot hold are in base64."""
    pairs = "".join(_part(name, value) for name, value in {"job": job, **grouping}.items())
    return f"/metrics{pairs}"


def _part(name: str, value: str) -> str:
    if "/" in value or not value:
        coded = base64.urlsafe_b64encode(value.encode()).decode().rstrip("=") or "="
        return f"/{name}@base64/{coded}"
    return f"/{name}/{quote(value, safe='')}"
