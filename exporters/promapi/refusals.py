"""What a server that did not answer a query means by it, and what to do: by status, `errorType`, and its own words.

Prometheus: 400, 422, 503 (https://prometheus.io/docs/prometheus/latest/querying/api/). VictoriaMetrics says 422 for
all of it and names the flag; Mimir names the limit (`err-mimir-…`); Thanos and Cortex say which limit was exceeded.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Final

from exporters.promapi.answers import Envelope, Wrong, envelope, told
from exporters.promapi.errors import Again, NotServed, TooMuch
from exporters.promapi.exchange import Answer
from exporters.usage.source import SourceError

AGAIN: Final = (429, 502, 503, 504)
TOO_LONG: Final = (413, 414)
# In small letters. The remedy for whoever runs the server, beside asking for less.
_LIMITS: Final[Mapping[str, str]] = {
    "too many samples": "raise --query.max-samples",
    "maxsamplesperquery": "raise -search.maxSamplesPerQuery",
    "maxsamplesperseries": "raise -search.maxSamplesPerSeries",
    "maxuniquetimeseries": "raise -search.maxUniqueTimeseries",
    "maxseries": "raise -search.maxSeries",
    "maxmemoryperquery": "raise -search.maxMemoryPerQuery",
    "maxpointsperseries": "raise -search.maxPointsPerTimeseries",
    "maxpointspertimeseries": "raise -search.maxPointsPerTimeseries",
    "not enough memory": "raise -memory.allowedPercent",
    "maximum resolution": "lower max_points",
    "err-mimir-max-series-per-query": "raise max_fetched_series_per_query",
    "err-mimir-max-chunks-bytes": "raise max_fetched_chunk_bytes_per_query",
    "err-mimir-max-chunks": "raise max_fetched_chunks_per_query",
    "err-mimir-max-estimated-chunks": "raise max_estimated_fetched_chunks_per_query_multiplier",
    "err-mimir-max-estimated-memory": "raise max_estimated_memory_consumption_per_query",
    "exceeded the maximum number of": "raise its limits for a query",
    "exceeded samples limit": "raise the store's limits",
    "exceeded series limit": "raise the store's limits",
    "exceeded chunks limit": "raise the store's limits",
    "exceeded bytes limit": "raise the store's limits",
    "the query hit the max number": "raise its limits for a query",
    "the query hit the aggregated": "raise its limits for a query",
    "resourceexhausted": "raise the limits of its stores",
}
_TOO_SLOW: Final = (
    "query timed out",
    "timeout exceeded",
    "deadline exceeded",
    "maxqueryduration",
)
_REMEDY: Final[Mapping[int, str]] = {
    401: "it wants a login; give user and password, or bearer_token",
    403: "it does not let us read; ask for a right to query, or for the tenant's header",
    404: "there is no Prometheus API; the address may need a path, such as "
    "/prometheus or /select/0/prometheus",
    405: "it takes no POST; does something stand before the server?",
}


def checked(answer: Answer) -> Envelope:
    """The envelope of an answer that is one; raises Again, or SourceError as it fits."""
    status = answer.status
    if 300 <= status < 400:
        where = told(answer.headers.get("location", "").partition("?")[0]) or "elsewhere"
        raise SourceError(
            f"it sends us to {where} ({status}); give that address, or a login that needs no page"
        )
    try:
        said = envelope(answer.body)
    except Wrong as error:
        raise _unlike(answer, error) from error
    if 200 <= status < 300 and said.status == "success":
        return said
    raise _refusal(answer, said)


def _refusal(answer: Answer, said: Envelope) -> Exception:
    status = answer.status
    kind_known = said.error_type and not said.error_type.isdecimal()  # VictoriaMetrics: the status
    words = told(f"{said.error_type}: {said.error}" if kind_known else said.error)
    problem = f"it refused ({status}): {words}" if words else f"it answered {status}"
    low = said.error.lower()
    for mark, remedy in _LIMITS.items():
        if mark in low:
            return TooMuch(f"{problem}; ask for fewer resources at once, or {remedy}")
    if said.error_type in ("timeout", "canceled") or any(mark in low for mark in _TOO_SLOW):
        return TooMuch(f"{problem}; ask for fewer resources at once, or raise its query time-out")
    if status in TOO_LONG:
        return TooMuch(f"{problem}; ask for fewer resources at once")
    if status in AGAIN:
        return Again(problem, retry_after(answer.headers))
    if remedy := _REMEDY.get(status, ""):
        kind = NotServed if status in (404, 405) else SourceError
        return kind(f"{problem}; {remedy}")
    if status in (400, 422):
        return SourceError(f"{problem}; the query does not suit this server or its data")
    return SourceError(f"{problem}; its own log says more")


def _unlike(answer: Answer, error: Wrong) -> Exception:
    """An answer that is none of the API, by its status first: proxies answer in HTML."""
    status = answer.status
    if status in AGAIN:
        return Again(f"it answered {status}", retry_after(answer.headers))
    if status in TOO_LONG:
        return TooMuch(f"it answered {status}: too long; ask for fewer resources at once")
    if remedy := _REMEDY.get(status, ""):
        kind = NotServed if status in (404, 405) else SourceError
        return kind(f"it answered {status}; {remedy}")
    if status == 400 and b"unsupported path" in answer.body[:4000]:  # VictoriaMetrics' 404
        return NotServed(f"it answered {status}; {_REMEDY[404]}")
    if not 200 <= status < 300:
        text = told(answer.body[:400].decode("utf-8", "replace"))
        said = "" if _is_page(answer) or not text else f": {text}"
        return SourceError(f"it answered {status}{said}; its own log says more")
    if _is_page(answer):
        return SourceError(
            "it answers with a web page and no JSON; is there a login page or another "
            "program at this address?"
        )
    if error.cut_off:
        return Again(str(error))
    return SourceError(f"{error}; is it a Prometheus API?")


def _is_page(answer: Answer) -> bool:
    kind = answer.headers.get("content-type", "").lower()
    return "html" in kind or answer.body[:200].lstrip().startswith(b"<")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After: a number, or a date."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return None
