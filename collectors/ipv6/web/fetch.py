"""Pages of one site, each over the family wanted: redirects, cookies on the way, every bound.

What goes wrong is in the answer; only the end of the whole check's time or bytes is an exception.
HTTP/1.1 (RFC 9112), cookies of RFC 6265 as far as a chain of redirects needs them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from collectors.ipv6.web.clock import Clocked, round_trip
from collectors.ipv6.web.domains import registrable
from collectors.ipv6.web.session import SILENCES, Spent, Web, may_be_asked
from collectors.link import weburl
from collectors.link.connect import CHUNK, Deadline, Failure, Stream
from collectors.link.httpanswer import leads_to
from collectors.link.httpexchange import Limits, Request, Response, exchange
from collectors.link.tls import Untrusted, secure
from collectors.link.tlsconfig import TlsConfig
from collectors.link.weburl import Url
from collectors.model import AddressFamily, Reason

MAX_COOKIES = 50
MAX_TRIED = 3  # addresses of one name that are tried one after the other
TRIES = 3
# beside 5xx, what may go well the next time; silence has had its time
_PASSING: Final[frozenset[Reason]] = frozenset({"connect_reset", "http_protocol"})
# what leads a client to try the name's next address
_ANOTHER: Final[frozenset[Reason]] = frozenset(
    {
        *("timeout", "connect_refused", "connect_reset", "no_route", "unreachable_network"),
        *("unreachable_host", "unreachable_port", "unreachable_admin"),
    }
)


class Fetched(msgspec.Struct):
    """What came. `hops` are the redirects on the way, `url` where they ended; `cut`: the page is
    longer than what was read of it. Times in seconds, of the first hop."""

    family: AddressFamily
    url: Url
    address: str = ""
    status: int = 0
    hops: tuple[str, ...] = ()
    content_type: str = ""
    body: bytes = b""
    size: int = 0
    wire: int = 0  # bytes of the body before decompression
    cut: bool = False
    fingerprint: str = ""  # SHA-256 of the last hop's certificate
    connect: float | None = None
    first_byte: float | None = None
    reason: Reason = ""
    detail: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


def fetch(
    web: Web,
    url: Url,
    family: AddressFamily,
    address: str = "",
    keep: bool = True,
    patient: bool = True,
    within: str = "",
) -> Fetched:
    """A page, from `address` where that is given. With `within`, a registrable domain, a redirect
    that leaves it is an answer and is not followed. Raises Spent."""
    return _Chain(web, family, keep, patient, within).run(url, address)


def fetch_patiently(ask: Callable[[], Fetched]) -> Fetched:
    """What `ask` fetches, once more where a failure may pass: one 500 of many is for those to
    count who ask many times. The answer says that it took several."""
    failed: list[str] = []
    while True:
        got = ask()
        if got.ok and failed:
            got.detail = f"came at attempt {len(failed) + 1}; before: {', '.join(failed)}"
        if got.ok or len(failed) + 1 == TRIES or not (got.reason in _PASSING or got.status >= 500):
            return got
        failed.append(f"{got.reason} {got.detail}"[:100])


class _Counted(Clocked):
    """A stream whose bytes are those of the whole check."""

    def __init__(self, stream: Stream, web: Web, deadline: Deadline) -> None:
        super().__init__(stream.socket, deadline)
        self._web = web

    def receive(self, limit: int = CHUNK) -> bytes:
        if self._web.full():
            raise Failure("body_too_large", "the bytes of the whole check are used up")
        data = super().receive(limit)
        self._web.take(len(data))
        return data


class _Chain:
    """One page: a request, and those that redirects lead to."""

    def __init__(
        self, web: Web, family: AddressFamily, keep: bool, patient: bool, within: str
    ) -> None:
        self._web, self._family, self._keep = web, family, keep
        self._patient, self._within = patient, within
        self._cookies: dict[str, dict[str, str]] = {}

    def run(self, url: Url, address: str) -> Fetched:
        web = self._web
        web.left()
        if web.full():
            raise Spent(f"{web.settings.site_bytes} bytes of the site have been read")
        got = Fetched(self._family, url, address)
        try:
            self._follow(got, address)
        except Untrusted as error:
            if error.seen and error.seen.presented:
                got.fingerprint = error.seen.presented[0].fingerprint
            got.reason, got.detail = error.reason, error.detail
        except Failure as error:
            got.reason, got.detail = error.reason, error.detail
        if got.reason and got.hops:
            got.detail = f"{got.url}: {got.detail}"
        if got.reason == "timeout":
            web.left()  # cut off by the end of the check it says nothing of the server
        if got.reason == "body_too_large":
            raise Spent(f"{web.settings.site_bytes} bytes of the site have been read")
        return got

    def _follow(self, got: Fetched, address: str) -> None:
        first = got.url.host
        while True:
            fixed = address if got.url.host == first else ""
            response = self._hop(got, fixed)
            got.status = response.status
            location = leads_to(response)
            if not location:
                break
            try:
                url = weburl.join(got.url, location)
            except ValueError as error:
                raise Failure("http_redirect", f"leads nowhere: {error}") from error
            got.hops += (f"{response.status} {url}",)
            if self._within and registrable(url.host) != self._within:
                return
            if len(got.hops) > self._web.settings.max_redirects:
                limit = self._web.settings.max_redirects
                raise Failure("http_redirect", f"more than {limit} redirects")
            got.url = url
        got.content_type = ", ".join(response.values("content-type"))[:200]
        most = self._web.settings.page_limit
        got.body, got.size = response.body, min(response.size, most)
        got.wire = min(response.arrived, most)
        if response.failure and response.failure.reason == "body_too_large":
            if self._web.full():
                raise response.failure
            got.cut = True
        elif response.failure:
            raise response.failure
        if response.status >= 400 or response.status < 200:
            raise Failure("http_status", f"status {response.status}")

    def _hop(self, got: Fetched, fixed: str) -> Response:
        """One request, to the first of the name's addresses that takes it."""
        web, url = self._web, got.url
        if fixed and not may_be_asked(fixed):
            raise Failure("not_allowed", f"{fixed} is nobody's site: not asked")
        addresses = (fixed,) if fixed else web.addresses(url.host, self._family)[:MAX_TRIED]
        got.fingerprint, got.status = "", 0
        for last, address in enumerate(addresses, 1):
            try:
                return self._at(got, address)
            except Failure as failure:
                if last == len(addresses) or failure.reason not in _ANOTHER:
                    raise
        raise Failure("no_address", f"{url.host} has no {self._family} address")

    def _at(self, got: Fetched, address: str) -> Response:
        web, port = self._web, got.url.connects_to
        if not self._patient and web.given_up(address, port):
            raise Failure("timeout", f"{address} did not answer {SILENCES} times before")
        got.address = got.address or address
        deadline = Deadline(min(web.settings.timeout, web.left()))
        try:
            response = self._ask(got, got.url, address, deadline)
        except Failure as failure:
            web.note(address, port, failure.reason)
            raise
        web.note(address, port, response.failure.reason if response.failure else "")
        return response

    def _ask(self, got: Fetched, url: Url, address: str, deadline: Deadline) -> Response:
        web = self._web

        def dial() -> _Counted:
            made = web.open(url.host, address, self._family, url.connects_to, deadline)
            return _Counted(made, web, deadline)

        start = time.perf_counter()
        counted = dial()
        stream: Stream = counted
        if got.connect is None:
            waited = time.perf_counter() - start
            got.connect = min(waited, round_trip(counted.socket) or waited)
        if url.tls:
            config = TlsConfig(ca_file=web.settings.ca_file)
            stream, seen = secure(stream, dial, config, url.host, deadline, ("http/1.1",))
            if seen.presented:
                got.fingerprint = seen.presented[0].fingerprint
        with stream:
            limits = Limits(web.settings.page_limit, self._keep, as_told=True)
            request = Request("GET", url.path, self._headers(url))
            response = exchange(stream, request, limits, self._reads, lambda times: None)
        if got.first_byte is None:
            got.first_byte = counted.first_byte
        self._keep_cookies(url, response)
        return response

    def _reads(self, response: Response) -> bool:
        """Nobody looks at the body of a redirect."""
        return not leads_to(response)

    def _headers(self, url: Url) -> tuple[tuple[str, str], ...]:
        headers = [
            ("Host", url.authority),
            ("User-Agent", self._web.settings.user_agent),
            ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            ("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.5"),
            ("Accept-Encoding", "gzip, deflate"),
        ]
        if cookies := self._cookies.get(url.host):
            headers.append(("Cookie", "; ".join(f"{k}={v}" for k, v in cookies.items())))
        return tuple(headers)

    def _keep_cookies(self, url: Url, response: Response) -> None:
        """Some sites give a cookie and lead back to the same page."""
        kept = self._cookies.setdefault(url.host, {})
        for value in response.values("set-cookie")[:MAX_COOKIES]:
            name, equals, text = value.partition(";")[0].strip().partition("=")
            if equals and name.isascii() and name.isprintable() and len(kept) < MAX_COOKIES:
                kept[name] = text if text.isascii() and text.isprintable() else ""
