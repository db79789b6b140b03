"""HTTP and HTTPS: one request, its redirects, and whether the answer is as it should be.

HTTP/1.1 only. Every redirect to another host asks the caller, who looks the host up and says whether
it may be asked at all; without such a caller a probe stays with its host. Names and meaning of the
series: blackbox_exporter's http prober.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import msgspec

from collectors.link import weburl
from collectors.link.connect import Deadline, Failure, Stream, connect, result
from collectors.link.httpanswer import check_body, check_headers, families, leads_to
from collectors.link.httpexchange import Limits, Request, Response, Times, exchange
from collectors.link.httpsettings import HttpModule
from collectors.link.tls import Seen, Untrusted, secure
from collectors.link.tlsconfig import TlsConfig
from collectors.link.weburl import Url
from collectors.model import Family, ProbeResult, Target

LookUp = Callable[[str, int], str]

MAX_REDIRECTS = 10
MAX_COOKIES = 50
AGENT = "Jianwei"
PHASES: Final = ("resolve", "connect", "tls", "processing", "transfer")
_GET_AFTER: Final = (301, 302, 303)
_FOR_ONE_HOST: Final = ("authorization", "cookie", "proxy-authorization")


def probe(
    target: Target, settings: HttpModule, timeout: float, look_up: LookUp | None = None
) -> ProbeResult:
    """One request to the URL `target.text`, whose host has the target's address.

    `look_up(host, port)` gives the literal address, of the target's family, of a host that a
    redirect leads to, or raises Failure. The round trip is from the request to the first byte.
    """
    start = time.perf_counter()
    course = _Course(target, settings, Deadline(timeout), look_up or _stays)
    failure: Failure | None = None
    try:
        course.run()
    except Untrusted as error:
        failure, course.seen = error, error.seen
    except Failure as error:
        failure = error
    answered = bool(course.answers)
    phases = {name: course.phases[name] for name in PHASES}
    return result("http", target, start, phases, failure, course.families(), "processing", answered)


class _Course:
    """One probe as it goes from hop to hop."""

    def __init__(
        self, target: Target, settings: HttpModule, deadline: Deadline, look_up: LookUp
    ) -> None:
        self._target, self._settings, self._deadline = target, settings, deadline
        self._look_up = look_up
        self._cookies: dict[str, dict[str, tuple[str, bool]]] = {}  # and whether it came over TLS
        self.phases = dict.fromkeys(PHASES, 0.0)
        self.answers = self.redirects = 0
        self.response: Response | None = None  # of the last hop; None where it gave none
        self.seen: Seen | None = None
        self._secured = self._mismatch = False

    def run(self) -> None:
        settings = self._settings
        url = first = _url(self._target)
        method, body, host = settings.method, settings.body.encode(), settings.host_header
        while True:
            try:
                response = self._hop(url, first, method, body, host)
            except Failure as failure:
                if self.redirects:
                    failure.detail = f"{url}: {failure.detail}"
                raise
            if not leads_to(response):
                break
            self.redirects += 1
            if not settings.follows:
                break
            if self.redirects > MAX_REDIRECTS:
                raise Failure("http_redirect", f"more than {MAX_REDIRECTS}; the last to {url}")
            location = leads_to(response)
            try:
                url = weburl.join(url, location)
            except ValueError as error:
                self.response = None
                raise Failure("http_redirect", f"leads nowhere: {error}") from error
            if weburl.names_a_host(location):
                host = ""
            if response.status in _GET_AFTER:
                method, body = ("HEAD" if method == "HEAD" else "GET"), b""
        self._judge(response)

    def _hop(self, url: Url, first: Url, method: str, body: bytes, host: str) -> Response:
        self.response, self.seen, self._secured = None, None, False
        if url.host == first.host:
            target = self._target
        else:
            start = time.perf_counter()
            address = self._look_up(url.host, url.connects_to)
            self.phases["resolve"] += time.perf_counter() - start
            target = msgspec.structs.replace(self._target, address=address)
        with self._open(target, url, host if url.host == first.host else "") as stream:
            request = Request(method, url.path, self._headers(url, first, host), body)
            keep = bool(
                self._settings.fail_if_body_matches_regexp
                or self._settings.fail_if_body_not_matches_regexp
            )
            limits = Limits(self._settings.limit, keep, self._settings.compression)
            response = exchange(stream, request, limits, self._reads, self._note)
        self.response = response
        self.answers += 1
        self._keep_cookies(url, response)
        return response

    def _reads(self, response: Response) -> bool:
        """Nobody looks at the body of a redirect that is followed."""
        return not (self._settings.follows and leads_to(response))

    def _open(self, target: Target, url: Url, host: str) -> Stream:
        """A connection to a hop; a Host header of the module's is the server's name as well."""
        source = self._settings.source_ip_address

        def dial() -> Stream:
            return connect(target, url.connects_to, source, self._deadline)

        start = time.perf_counter()
        stream = dial()
        self.phases["connect"] += time.perf_counter() - start
        if not url.tls:
            return stream
        config = self._settings.tls_config
        name = url.host
        if target is self._target:
            name = config.server_name or weburl.without_port(host) or url.host
        else:  # what is ours to show is not for other hosts
            config = TlsConfig(
                ca_file=config.ca_file,
                insecure_skip_verify=config.insecure_skip_verify,
                min_version=config.min_version,
                max_version=config.max_version,
            )
        start = time.perf_counter()
        stream, self.seen = secure(stream, dial, config, name, self._deadline, ("http/1.1",))
        self.phases["tls"] += time.perf_counter() - start
        self._secured = True
        return stream

    def _headers(self, url: Url, first: Url, host: str) -> tuple[tuple[str, str], ...]:
        """The module's headers. What is secret goes to the host that was asked for, not elsewhere,
        nor from TLS to plain text."""
        upgraded = url.host == first.host and url.tls and not first.tls
        ours = upgraded or url[:3] == first[:3]
        headers = {
            name: value
            for name, value in self._settings.headers.items()
            if name.lower() != "host" and (ours or name.lower() not in _FOR_ONE_HOST)
        }
        known = {name.lower() for name in headers}
        if "user-agent" not in known:
            headers["User-Agent"] = AGENT
        if ours and (credentials := self._settings.credentials()):
            headers["Authorization"] = credentials
        cookies = [
            f"{name}={value}"
            for name, (value, secret) in self._cookies.get(url.host, {}).items()
            if url.tls or not secret
        ]
        if cookies and "cookie" not in known:
            headers["Cookie"] = "; ".join(cookies)
        return (("Host", host or url.authority), *headers.items())

    def _keep_cookies(self, url: Url, response: Response) -> None:
        """A session may be what a redirect waits for; cookies stay with their host."""
        kept = self._cookies.setdefault(url.host, {})
        for text in response.values("set-cookie"):
            name, _, value = text.partition(";")[0].partition("=")
            if len(kept) < MAX_COOKIES and len(text) < 4096:
                kept[name.strip()] = value.strip(), url.tls

    def _note(self, times: Times) -> None:
        self.phases["processing"] += times.processing
        self.phases["transfer"] += times.transfer

    def _judge(self, response: Response) -> None:
        """Whether the last answer is as it should be; raises Failure with the first that is not."""
        settings = self._settings
        expected = settings.valid_status_codes or range(200, 300)
        if response.status not in expected:
            raise Failure("http_status", f"status {response.status}")
        try:
            check_headers(response, settings)
            if response.failure:
                raise response.failure
            check_body(response.body, settings)
        except Failure as failure:
            self._mismatch = failure.reason in ("header_mismatch", "body_mismatch")
            raise
        version = f"HTTP/{response.version}"
        if settings.valid_http_versions and version not in settings.valid_http_versions:
            raise Failure("http_version", version)
        if settings.fail_if_ssl and self._secured:
            raise Failure("tls_unwanted", "the answer came over TLS")
        if settings.fail_if_not_ssl and not self._secured:
            raise Failure("tls_missing", "the answer came without TLS")

    def families(self) -> tuple[Family, ...]:
        return families(
            self.response, self.phases, self.redirects, self._secured, self._mismatch, self.seen
        )


def _url(target: Target) -> Url:
    """The URL of a target, whose text its maker has checked."""
    try:
        return weburl.parse(target.text)
    except ValueError as error:
        raise Failure("error", str(error)) from error


def _stays(host: str, port: int) -> str:
    raise Failure("not_allowed", f"a redirect to another host, {host}, is not followed here")
