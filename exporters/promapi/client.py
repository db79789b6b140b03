"""Client of the Prometheus HTTP API: Prometheus, VictoriaMetrics, Thanos, Mimir.

https://prometheus.io/docs/prometheus/latest/querying/api/. What only some of them know is sent to all, who ignore
what they do not: Thanos is asked for whole answers from raw data, VictoriaMetrics for whole answers, and for none
that it remembers or has moved to other times.
"""

from __future__ import annotations

import base64
import math
import random
import time
from collections.abc import Callable, Mapping
from typing import Final, Self, TypeVar

import httpx
import numpy as np

from exporters.findings.delivery import context
from exporters.findings.product import NAME, version
from exporters.promapi import answers
from exporters.promapi.answers import Envelope, Sample, Series, Wrong
from exporters.promapi.errors import Again, NotServed, TooMuch
from exporters.promapi.exchange import Answer, exchange
from exporters.promapi.refusals import checked
from exporters.promapi.settings import PromSettings
from exporters.usage.source import SourceError

__all__ = ["NotServed", "PromClient", "PromSettings", "Sample", "Series", "TooMuch"]

T = TypeVar("T")
MAX_REMARKS: Final = 50
MIN_SECRET: Final = 5  # characters
TENANT: Final = "x-scope-orgid"  # Mimir's; who is asked for is worth telling
MAX_PAUSE: Final = 30.0  # seconds between tries, unless the server asks for more
_WHOLE: Final = {
    "dedup": "true",
    "partial_response": "false",
    "max_source_resolution": "0s",
    "deny_partial_response": "1",
    "nocache": "1",
}
_PARTIAL: Final = {"partial_response": "true", "deny_partial_response": "0"}


class PromClient:
    """Safe for several threads. Everything raises SourceError, of one line, without secrets; TooMuch where the same of
    less may do. `remarks` are what the server said beside its answers."""

    def __init__(self, settings: PromSettings) -> None:
        self.name = settings.name
        self._settings = settings
        self._secrets = _secrets(settings)
        self.remarks: dict[str, None] = {}
        try:
            self._client = httpx.Client(
                base_url=settings.url.rstrip("/") + "/",
                headers=_headers(settings),
                auth=_basic(settings),
                verify=context(settings),
                trust_env=False,
                follow_redirects=False,
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        except (ValueError, httpx.InvalidURL) as error:
            raise self._error(answers.told(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def instant(self, query: str, at: float) -> list[Sample]:
        """The values of a query at a moment."""
        return self._query("query", {"query": query, "time": _number(at)}, answers.vector)

    def raw(self, selector: str, at: float) -> list[Series]:
        """Samples as they are stored, of a selector with a range: `up[1h]`."""
        return self._query("query", {"query": selector, "time": _number(at)}, answers.matrix)

    def over(self, query: str, since: float, until: float, step: float) -> list[Series]:
        """The values of a query at since, since + step … until; in parts where they are more than max_points."""
        if not (step > 0 and until >= since):
            raise ValueError("a step above 0, and until not before since")
        count = math.floor((until - since) / step + 1e-9) + 1
        joined: dict[frozenset[tuple[str, str]], list[Series]] = {}
        for first in range(0, count, self._settings.max_points):
            last = min(first + self._settings.max_points, count) - 1
            form = {
                "query": query,
                "start": _number(since + first * step),
                "end": _number(since + last * step),
                "step": _number(step),
            }
            for one in self._query("query_range", form, answers.matrix):
                joined.setdefault(frozenset(one.labels.items()), []).append(one)
        return [_joined(parts) for parts in joined.values()]

    def get(self, path: str, as_type: type[T]) -> T:
        """`data` of another part of the API, for example `status/flags`. Raises NotServed where there is none."""
        said = self._tried(lambda: checked(self._asked("GET", f"api/v1/{path}", {})))
        try:
            return answers.decoded(said.data, as_type)
        except Wrong as error:
            raise self._error(str(error)) from error

    def page(self, path: str) -> str:
        """A page of the server's own, as text. Raises NotServed where there is none."""

        def asked() -> str:
            answer = self._asked("GET", path, {})
            if not 200 <= answer.status < 300:
                checked(answer)  # which raises
            return answer.body.decode("utf-8", "replace")

        return self._tried(asked)

    def _query(self, path: str, form: dict[str, str], decode: Callable[[bytes], T]) -> T:
        more = _WHOLE | (_PARTIAL if self._settings.partial else {})
        milliseconds = max(int(1000 * self._settings.timeout), 1)
        form = {**form, "timeout": f"{milliseconds}ms", **more}

        def asked() -> T:
            said = checked(self._asked("POST", f"api/v1/{path}", form))
            self._heard(said)
            try:
                return decode(bytes(said.data))
            except Wrong as error:
                raise SourceError(f"{error}; is it a Prometheus API?") from error

        return self._tried(asked)

    def _heard(self, said: Envelope) -> None:
        """Keeps what it says beside its answer; raises where a part of the data is missing."""
        if said.missing and not self._settings.partial:
            raise Again(
                f"it answered from a part of its data: {said.missing}",
                remedy="see to its stores, or take figures of a part with partial: true",
            )
        for remark in said.remarks:
            if len(self.remarks) < MAX_REMARKS:
                self.remarks.setdefault(self._unsaid(remark))

    def _asked(self, method: str, path: str, form: Mapping[str, str]) -> Answer:
        request = self._client.build_request(method, path, data=form or None)
        settings = self._settings
        return exchange(self._client, request, float(settings.timeout), settings.max_bytes)

    def _tried(self, ask: Callable[[], T]) -> T:
        """As often as the settings say, in no more time than all tries may take."""
        settings = self._settings
        ends = time.monotonic() + settings.timeout * (settings.retries + 1)
        tries = 0
        while True:
            tries += 1
            try:
                return ask()
            except Again as error:
                pause = _pause(settings, tries, error.after)
                if tries > settings.retries:
                    raise self._given_up(error, tries, "") from error
                if time.monotonic() + pause >= ends:
                    why = f"; it asks to wait {pause:.0f} s"
                    raise self._given_up(error, tries, why if error.after else "") from error
                time.sleep(pause)
            except SourceError as error:
                raise type(error)(self._unsaid(f"{self.name}: {error}")) from error

    def _given_up(self, error: Again, tries: int, why: str) -> SourceError:
        often = "" if tries == 1 else f" ({tries} tries)"
        return self._error(f"{error}{often}{why}; {error.remedy}")

    def _error(self, problem: str) -> SourceError:
        return SourceError(self._unsaid(f"{self.name}: {problem}"))

    def _unsaid(self, text: str) -> str:
        """A proxy may say in its error what it was sent."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


def _pause(settings: PromSettings, tries: int, after: float | None) -> float:
    if after is not None:
        return after
    longest = min(settings.backoff * 2 ** (tries - 1), MAX_PAUSE)
    return random.uniform(longest / 2, longest)  # noqa: S311 - so that many do not come at once


def _joined(parts: list[Series]) -> Series:
    if len(parts) == 1:
        return parts[0]
    times = np.concatenate([part.times for part in parts])
    return Series(parts[0].labels, times, np.concatenate([part.values for part in parts]))


def _headers(settings: PromSettings) -> dict[str, str]:
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": f"{NAME}/{version()}",
        **{name: value.reveal() for name, value in settings.headers.items()},
    }
    if settings.bearer_token:
        headers["Authorization"] = f"Bearer {settings.bearer_token.reveal()}"
    return headers


def _basic(settings: PromSettings) -> httpx.BasicAuth | None:
    if settings.password is None:
        return None
    return httpx.BasicAuth(settings.user, settings.password.reveal())


def _secrets(settings: PromSettings) -> tuple[str, ...]:
    """What is never told, longest first; what is very short hides nothing and would garble every message."""
    found = {value.reveal() for name, value in settings.headers.items() if name.lower() != TENANT}
    if settings.bearer_token:
        found.add(settings.bearer_token.reveal())
    if settings.password:
        found.add(settings.password.reveal())
        pair = f"{settings.user}:{settings.password.reveal()}".encode()
        found.add(base64.b64encode(pair).decode())
    return tuple(sorted((one for one in found if len(one) >= MIN_SECRET), key=len, reverse=True))


def _number(value: float) -> str:
    """Milliseconds are all that the servers keep."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
