"""One agent asked for its audit, and for its lines: GET /findings with the entity tag of what is known, then /metrics.

Each answer by a deadline and in so many bytes in all, whatever the server does; TLS verified; no redirect, no proxy.
Connections are not kept from one pull to the next: an agent closes one that is idle for half of the usual interval.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import httpx

from exporters.console.pull.settings import PullSettings
from exporters.findings.delivery import context
from exporters.findings.product import NAME, version
from exporters.findings.told import line
from exporters.promapi.errors import Again
from exporters.promapi.exchange import Answer, exchange
from exporters.usage.source import SourceError

VERSION: Final = "x-jianwei-version"  # the agent's own, on /findings
MAX_VERSION: Final = 40  # characters
MAX_SAID: Final = 200
LINES: Final = (b"jianwei_line_", b"jianwei_ipv6_", b"jianwei_probe_")
_TYPES: Final = (b"# TYPE ", b"# HELP ")


class AskError(Exception):
    """Why there is no audit. `alive`: the agent answered, and has none yet."""

    def __init__(self, problem: str, alive: bool = False) -> None:
        super().__init__(problem)
        self.alive = alive


class Got(NamedTuple):
    """`content` is empty where the agent has nothing new."""

    content: bytes
    etag: str
    version: str


class Client:
    """Safe for several threads."""

    def __init__(self, settings: PullSettings) -> None:
        """Raises ValueError for certificates that cannot be read."""
        self._settings = settings
        basic = settings.basic_auth
        self._client = httpx.Client(
            headers={"user-agent": f"{NAME}/{version()}", "accept-encoding": "gzip"},
            auth=httpx.BasicAuth(basic.username, basic.password.reveal()) if basic else None,
            verify=context(settings.tls),
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def close(self) -> None:
        self._client.close()

    def findings(self, url: str, etag: str) -> Got:
        """Raises AskError."""
        headers = {"accept": "application/json"} | ({"if-none-match": etag} if etag else {})
        answer = self._asked(f"{url}/findings", headers)
        told = line(answer.headers.get(VERSION, ""))[:MAX_VERSION]
        if answer.status == 304 and etag:
            return Got(b"", etag, told)
        if answer.status == 503:
            raise AskError(f"it has no audit yet: {_said(answer)}", alive=True)
        if answer.status != 200:
            raise AskError(f"it answered {answer.status}: {_said(answer)}")
        if not answer.body:
            raise AskError("it answered 200 without a body")
        tag = answer.headers.get("etag", "")
        return Got(answer.body, tag if len(tag) <= MAX_SAID and tag.isascii() else "", told)

    def lines(self, url: str) -> str:
        """What its /metrics says of lines and of IPv6, alone. Raises AskError."""
        answer = self._asked(f"{url}/metrics", {"accept": "text/plain"})
        if answer.status != 200:
            raise AskError(f"/metrics answered {answer.status}: {_said(answer)}")
        kept = [one for one in answer.body.split(b"\n") if _of_lines(one)]
        return b"\n".join((*kept, b"")).decode("utf-8", "replace") if kept else ""

    def _asked(self, url: str, headers: dict[str, str]) -> Answer:
        settings = self._settings
        name = settings.tls.server_name
        try:
            request = self._client.build_request(
                "GET", url, headers=headers, extensions={"sni_hostname": name} if name else {}
            )
            return exchange(self._client, request, float(settings.timeout), settings.max_bytes)
        except (SourceError, Again) as error:
            raise AskError(line(str(error))[:MAX_SAID]) from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise AskError(f"its address cannot be asked: {error}") from error


def _of_lines(text: bytes) -> bool:
    if text.startswith(_TYPES):
        text = text[len(_TYPES[0]) :]
    return text.startswith(LINES)


def _said(answer: Answer) -> str:
    """The first words of a body that is no audit."""
    text = " ".join(answer.body[:1000].decode("utf-8", "replace").split())
    return line(text)[:MAX_SAID] or "nothing more"
