"""One region of an OpenStack cloud, asked through openstacksdk: GET, pages, microversions, retries.

openstacksdk gives the configuration, and keystoneauth the token, the catalog and the microversions. Its
objects are not used: to make them takes longer than Nova takes to answer. Answers stay bytes, for the parsers.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from collectors.cloud.openstackfile import secrets_of
from collectors.cloud.openstackjson import Page, decode
from collectors.model import ParseError

if TYPE_CHECKING:
    from keystoneauth1.adapter import Adapter
    from keystoneauth1.session import Session
    from openstack.config.cloud_region import CloudRegion
    from requests import Response

T = TypeVar("T")
LONGEST = 64 << 20  # bytes of one answer: 1,000 servers are 3 MB
CHUNK = 1 << 16
AGAIN = (429, 502, 503, 504)
ATTEMPTS, PAUSE = 2, 0.5
COMPUTE = ((2, 48), (2, 93))  # what openstackcompute.py knows
PAGES = 10_000
_STRANGE = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class Refused(Exception):
    """No answer that could be used; `status` is HTTP's, 0 without one. Its text is for people."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Absent(Refused):
    """The catalog has no such service."""


class Asker:
    """`left` is how many seconds there are until the deadline. Its methods may be called on any thread."""

    def __init__(
        self, region: CloudRegion, timeout: float, threads: int, left: Callable[[], float]
    ) -> None:
        self.region: str = region.get_region_name() or ""
        self.requests, self.seconds = 0, 0.0
        self._region, self._timeout, self._left = region, timeout, left
        self._session = _session(region, timeout, threads, self._count)
        self._secrets = secrets_of(region)
        self._lock = threading.Lock()
        self._adapters: dict[str, Adapter] = {}
        self._compute = ""

    def log_in(self) -> None:
        """Get a token; raises Refused."""
        self._guarded("identity", lambda: self._access().auth_token)

    def account(self) -> tuple[str, bool]:
        """The project of the token ("" for others), and whether it has the role admin."""

        def tell() -> tuple[str, bool]:
            access = self._access()
            return access.project_id or "", "admin" in access.role_names

        return self._guarded("identity", tell)

    def compute_version(self) -> str:
        """The newest microversion that Nova and we know; raises Refused."""
        with self._lock:
            if self._compute:
                return self._compute
        adapter = self._adapter("compute")
        data = self._guarded("compute", adapter.get_endpoint_data)
        least, most = COMPUTE
        theirs = (data.min_microversion, data.max_microversion) if data else (None, None)
        if not theirs[1]:  # an old Nova, or one that did not answer, which its address then tells
            self._get("compute", "/", None, {})
        if not theirs[1] or theirs[1] < least or (theirs[0] or least) > most:
            told = ".".join(map(str, theirs[1])) if theirs[1] else "no microversions"
            raise Refused(f"Nova has {told}; microversion 2.48 (Pike) or later is needed")
        version = ".".join(map(str, min(most, theirs[1])))
        with self._lock:
            self._compute = version
        return version

    def has(self, service: str) -> bool:
        """Whether the catalog has it; raises Refused."""
        try:
            adapter = self._adapter(service)
            return bool(self._guarded(service, adapter.get_endpoint))
        except Absent:
            return False

    def get(self, service: str, path: str, **params: str) -> bytes:
        """The body of an answer of 200; raises Refused."""
        version = self.compute_version() if service == "compute" else None
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._get(service, path, version, params)
            except _Passing as error:
                if attempt == ATTEMPTS or self._left() < PAUSE * 2:
                    raise Refused(str(error), error.status) from error
                time.sleep(PAUSE)
        raise AssertionError("unreachable")

    def pages(
        self, service: str, path: str, parse: Callable[[bytes], Page[T]], **params: str
    ) -> Iterator[list[T]]:
        """The rows of one page after another; raises Refused or ParseError."""
        seen: set[str] = set()
        while len(seen) < PAGES:
            page = parse(self.get(service, path, **params))
            yield page.rows
            if page.marker is None:
                return
            if page.marker in seen:
                raise Refused("the pages of the answer go round in a circle")
            seen.add(page.marker)
            params = {**params, "marker": page.marker}
        raise Refused(f"the answer has more than {PAGES} pages")

    def clean(self, reason: str) -> str:
        """Without what must not be told, in one line."""
        auth: Any = self._session.auth
        token = auth.auth_ref.auth_token if getattr(auth, "auth_ref", None) else ""
        for secret in (*self._secrets, *([token] if token else [])):
            reason = reason.replace(secret, "***")
        return " ".join(reason.split())[:500]

    # ----------------------------------------------------------------------------------------

    def _count(self, response: Response, *_: object, **__: object) -> None:
        with self._lock:
            self.requests += 1
            self.seconds += response.elapsed.total_seconds()

    def _access(self) -> Any:
        auth: Any = self._session.auth
        return auth.get_access(self._session)

    def _adapter(self, service: str) -> Adapter:
        from keystoneauth1.adapter import Adapter

        with self._lock:
            if service not in self._adapters:
                region = self._region
                self._adapters[service] = Adapter(
                    session=self._session,
                    service_type=region.get_service_type(service),
                    service_name=region.get_service_name(service),
                    interface=region.get_interface(service),
                    region_name=region.get_region_name(service),
                    endpoint_override=region.get_endpoint(service),
                    min_version="3" if service == "identity" else None,
                    max_version="3.latest" if service == "identity" else None,
                )
            return self._adapters[service]

    def _get(
        self, service: str, path: str, version: str | None, params: Mapping[str, str]
    ) -> bytes:
        adapter = self._adapter(service)

        def ask() -> tuple[int, bytes]:
            response = adapter.request(
                path,
                "GET",
                params=dict(params),
                headers={"Accept": "application/json"},
                microversion=version,
                raise_exc=False,
                redirect=False,  # a token goes nowhere else
                log=False,
                stream=True,
                timeout=max(0.1, min(self._timeout, self._left())),
                connect_retries=0,
            )
            with response:
                return response.status_code, self._body(response)

        status, content = self._guarded(service, ask)
        if status == 200:
            return content
        reason = self.clean(f"HTTP {status}: {_said(content)}".rstrip(": "))
        raise _Passing(reason, status) if status in AGAIN else Refused(reason, status)

    def _body(self, response: Response) -> bytes:
        """All of it, within the time-out as a whole and LONGEST."""
        began, body = time.monotonic(), bytearray()
        end = began + min(self._timeout, self._left())
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            body += chunk
            if len(body) > LONGEST:
                raise Refused(f"the answer is longer than {LONGEST >> 20} MiB")
            if time.monotonic() > end:
                raise Refused(f"the answer was not whole after {self._timeout:g} s")
        with self._lock:
            self.seconds += time.monotonic() - began
        return bytes(body)

    def _guarded(self, service: str, ask: Callable[[], T]) -> T:
        """What `ask` gives; raises Refused for all that keystoneauth and requests raise."""
        from keystoneauth1 import exceptions
        from requests import exceptions as http
        from urllib3 import exceptions as wire

        who = service.replace("-", " ")
        try:
            return ask()
        except Refused:
            raise
        except exceptions.EndpointNotFound as error:
            raise Absent(f"the catalog has no {who} service in region {self.region!r}") from error
        except (exceptions.Unauthorized, exceptions.AuthorizationFailure) as error:
            raise Refused("Keystone refused the credentials (HTTP 401)", 401) from error
        except (exceptions.ConnectTimeout, http.Timeout, wire.TimeoutError) as error:
            raise Refused(f"the {who} service did not answer in time") from error
        except exceptions.HttpError as error:
            status = int(error.http_status or 0)
            raise Refused(f"the {who} service answered HTTP {status}", status) from error
        except (exceptions.SSLError, http.SSLError, ssl.SSLError) as error:
            raise Refused(f"TLS with the {who} service failed: {_certificate(error)}") from error
        except (
            exceptions.ConnectFailure,
            exceptions.RetriableConnectionFailure,
            http.ConnectionError,
            http.ChunkedEncodingError,
            wire.HTTPError,
            OSError,
        ) as error:
            raise _Passing(f"the connection to the {who} service failed") from error
        except exceptions.InvalidResponse as error:
            raise Refused(f"the {who} service gave an answer that is not in its format") from error
        except exceptions.DiscoveryFailure as error:
            raise Refused(f"the {who} service did not say which versions it has") from error
        except exceptions.ClientException as error:
            name = type(error).__name__
            raise Refused(f"the {who} service cannot be used: {name}") from error
        except _STRANGE as error:
            # keystoneauth takes tokens and discovery documents as they come
            raise Refused(f"the {who} service gave an answer that is not in its format") from error


class _Passing(Refused):
    """What another attempt may get over."""


def _session(
    region: CloudRegion, timeout: float, threads: int, count: Callable[..., None]
) -> Session:
    from keystoneauth1.session import TCPKeepAliveAdapter

    session = region.get_session()
    session.timeout = timeout
    for scheme in ("http://", "https://"):
        pool = TCPKeepAliveAdapter(pool_connections=threads, pool_maxsize=threads)
        session.session.mount(scheme, pool)
    session.session.hooks["response"].append(count)
    return session


def _said(content: bytes) -> str:
    """The message of an error, as each service words it; only its start."""
    try:
        answer = decode(content, dict[str, Any])
    except ParseError:
        return ""
    errors = answer.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else next(iter(answer.values()), None)
    said = first.get("message") or first.get("detail") if isinstance(first, dict) else first
    return said[:300] if isinstance(said, str) else ""


def _certificate(error: BaseException | None) -> str:
    """OpenSSL's word for what is wrong, which is inside of what requests says."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        inner = error.args[0] if error.args else None
        reason = getattr(inner, "reason", None)
        error = next(
            (
                it
                for it in (error.__cause__, error.__context__, reason)
                if isinstance(it, Exception)
            ),
            None,
        )
    return "see the server's certificate"
