"""One region of an OpenStack cloud, asked through openstacksdk: GET, pages, microversions, retries.

openstacksdk gives the configuration, and keystoneauth the token, the catalog and the microversions. Its
objects are not used: to make them takes longer than Nova takes to answer. Answers stay bytes, for the parsers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from collectors.cloud.openstackfile import hidden, secrets_of
from collectors.cloud.openstackjson import Page
from collectors.cloud.openstackrefused import (
    Absent,
    Passing,
    Refused,
    Unversioned,
    called,
    guarded,
    said,
)

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


class Account(NamedTuple):
    """Who asks: the project of the token or "", whether it is of a domain, and has the role admin."""

    project: str
    domain: bool
    admin: bool


class Asker:
    """`left` is how many seconds there are until the deadline. Its methods may be called on any thread."""

    def __init__(
        self, region: CloudRegion, timeout: float, threads: int, left: Callable[[], float]
    ) -> None:
        self.region: str = region.get_region_name() or ""
        self.requests, self.seconds = 0, 0.0
        self._region, self._timeout, self._left = region, timeout, left
        self._session = _session(region, timeout, threads, self._count)
        self._secrets = secrets_of(region.config)
        self._lock = threading.Lock()
        self._adapters: dict[str, Adapter] = {}
        self._compute = ""

    def log_in(self) -> None:
        """Get a token; raises Refused."""
        try:
            self._guarded("identity", lambda: self._access().auth_token)
        except Unversioned:
            # keystoneauth logs why and goes on; its address tells it again
            address = str((self._region.config.get("auth") or {}).get("auth_url", ""))
            self._guarded(
                "identity",
                lambda: self._session.get(
                    address, authenticated=False, raise_exc=True, redirect=False, log=False
                ),
            )
            raise

    def account(self) -> Account:
        def tell() -> Account:
            access = self._access()
            admin = "admin" in access.role_names
            return Account(access.project_id or "", bool(access.domain_scoped), admin)

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
            except Passing as error:
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
        return hidden(reason, (*self._secrets, *([token] if token else [])))[:500]

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
                # not before the deadline, which is then what is told
                timeout=min(self._timeout, max(0.0, self._left()) + 0.5),
                connect_retries=0,
            )
            with response:
                return response.status_code, self._body(response)

        status, content = self._guarded(service, ask)
        if status == 200:
            return content
        told = f"the {called(service)} answered HTTP {status}: {said(content)}"
        reason = self.clean(told.rstrip(": "))
        raise Passing(reason, status) if status in AGAIN else Refused(reason, status)

    def _guarded(self, service: str, ask: Callable[[], T]) -> T:
        return guarded(service, self.region, ask)

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
