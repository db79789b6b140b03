"""Modules of `/probe`: how a target is probed, by name, in blackbox_exporter's YAML.

Format: blackbox_exporter's CONFIGURATION.md (`modules: {NAME: {prober, timeout, PROBER: …}}`). The
built-in modules are there unless a file has others by their names. What blackbox_exporter can and we
cannot is refused with the reason, never ignored: see UNSUPPORTED.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from collectors import strictyaml
from collectors.link import dns, http, httpanswer, stamp, tcp, tls, tlsconfig, udp
from collectors.link.connect import Failure
from collectors.link.dns import DnsModule
from collectors.link.httpsettings import HttpModule
from collectors.link.stamp import StampModule
from collectors.link.tcp import TcpModule
from collectors.link.tls import TlsModule
from collectors.link.tlsconfig import Protocol, TlsConfig
from collectors.link.udp import UdpModule
from collectors.model import Family, ProbeResult, gauge, sample
from collectors.strictyaml import Document, DocumentError, Duration

DEFAULT = "http_2xx"
_Payload = Annotated[int, msgspec.Meta(ge=0, le=1400)]
_Ttl = Annotated[int, msgspec.Meta(ge=1, le=255)]


class IcmpModule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the prober `icmp`; a `payload_size` of 0 is the prober's own."""

    preferred_ip_protocol: Protocol = "ip6"
    ip_protocol_fallback: bool = True
    source_ip_address: str = ""
    payload_size: _Payload = 0
    dont_fragment: bool = False
    ttl: _Ttl = 64

    def __post_init__(self) -> None:
        if 0 < self.payload_size < 12:
            raise ValueError("payload_size: 12 bytes at least, by which an answer is known again")


class Kind(NamedTuple):
    """A prober: its settings, its function (None where `/probe` has one of its own), and what is
    told of a target that found no address."""

    settings: type[Any]
    probe: Callable[..., ProbeResult] | None
    unseen: tuple[Family, ...] = ()


_NO_REGEX = gauge("probe_failed_due_to_regex", "Whether a line was missing.", sample(0.0))

PROBERS: Final[dict[str, Kind]] = {
    "icmp": Kind(IcmpModule, None),
    "http": Kind(HttpModule, http.probe, httpanswer.families()),
    "tcp": Kind(TcpModule, tcp.probe, (_NO_REGEX,)),
    "tls": Kind(TlsModule, tls.probe),
    "dns": Kind(DnsModule, dns.probe, dns.unseen()),
    "udp": Kind(UdpModule, udp.probe),
    "stamp": Kind(StampModule, stamp.probe),
}


class Module(NamedTuple):
    """A way to probe. `timeout` in seconds, None where the module leaves it to the scrape."""

    name: str
    prober: str
    timeout: float | None
    settings: Any

    @property
    def preferred(self) -> Protocol:
        protocol: Protocol = getattr(self.settings, "preferred_ip_protocol", "ip6")
        return protocol

    @property
    def port(self) -> int | None:
        """The port of a target that names none, where the module says one."""
        return getattr(self.settings, "port", None)

    @property
    def falls_back(self) -> bool:
        return bool(getattr(self.settings, "ip_protocol_fallback", True))


Modules = Mapping[str, Module]

# What blackbox_exporter knows and this is not: by prober, or by prober and key.
_PROXY = "a probe goes straight to its target; measure a proxy as a target of its own"
_TOKENS = "tokens are not fetched; use bearer_token with !file"
_CEL = "answers are judged by regular expressions; use fail_if_body_matches_regexp"
UNSUPPORTED: Final[dict[str, str]] = {
    "grpc": "there is no gRPC prober, which needs HTTP/2; use tcp with tls",
    "unix": "there is no prober of Unix sockets: this probes lines to other machines",
    "websocket": "there is no WebSocket prober; use http with valid_status_codes",
    "http.oauth2": _TOKENS,
    "http.proxy_url": _PROXY,
    "http.no_proxy": _PROXY,
    "http.proxy_from_environment": _PROXY,
    "http.proxy_connect_header": _PROXY,
    "http.skip_resolve_phase_with_proxy": _PROXY,
    "http.use_http3": "HTTP/1.1 is spoken only",
    "http.body_file": "write the body into the module as body",
    "http.http_headers": "write them as headers",
    "http.fail_if_body_json_matches_cel": _CEL,
    "http.fail_if_body_json_not_matches_cel": _CEL,
    "http.enable_regexps_from_params": "a module says what is asked, not the query",
    "tcp.query_response.labels": "a line that matches makes no series of its own",
    "tcp.query_response.expect_bytes": "what came is matched line by line; use expect",
}

_Written: Any = msgspec.defstruct(
    "_Written",
    [
        ("prober", str),
        ("timeout", Duration | None, None),
        *((name, kind.settings | None, None) for name, kind in PROBERS.items()),
    ],
    frozen=True,
    forbid_unknown_fields=True,
)
_File: Any = msgspec.defstruct(
    "_File", [("modules", dict[str, _Written])], frozen=True, forbid_unknown_fields=True
)


def built_in() -> dict[str, Module]:
    """The modules that need no file."""
    settings = {
        "icmp": IcmpModule(),
        "icmp4": IcmpModule(preferred_ip_protocol="ip4", ip_protocol_fallback=False),
        "icmp6": IcmpModule(preferred_ip_protocol="ip6", ip_protocol_fallback=False),
        "http_2xx": HttpModule(),
        "tcp_connect": TcpModule(),
        "tls_connect": TlsModule(),
        "stamp": StampModule(),
    }
    kinds = {kind.settings: name for name, kind in PROBERS.items()}
    return {name: Module(name, kinds[type(one)], None, one) for name, one in settings.items()}


def load(path: str | None) -> Modules:
    """The built-in modules and those of a file; raises DocumentError."""
    modules = built_in()
    if path is not None:
        path = os.path.expanduser(path)
        modules.update(loads(strictyaml.read(path), path))
    return modules


def loads(content: bytes | str, path: str = "<text>") -> dict[str, Module]:
    """The modules of a document; `path` is for messages and what its files are relative to."""
    document = Document(content, path)
    _refuse_unsupported(document)
    written: dict[str, Any] = document.convert(_File).modules
    folder = os.path.dirname(os.path.abspath(path))
    return {name: _module(document, name, one, folder) for name, one in written.items()}


def _module(document: Document, name: str, written: Any, folder: str) -> Module:
    where = ("modules", name)
    prober = written.prober
    if prober not in PROBERS:
        import difflib  # for mistakes alone

        near = difflib.get_close_matches(prober, PROBERS, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(PROBERS)}"
        raise document.error((*where, "prober"), f"no prober {prober!r}; {hint}")
    for other in PROBERS:
        if other != prober and getattr(written, other) is not None:
            problem = f"the prober is {prober}, so this has no effect; remove it"
            raise document.error((*where, other), problem)
    settings = getattr(written, prober)
    if settings is None:
        try:
            settings = PROBERS[prober].settings()
        except TypeError:
            problem = f"the section {prober!r} is missing, which has keys that are needed"
            raise document.error(where, problem) from None
    settings = _located(document, (*where, prober), settings, folder)
    return Module(name, prober, written.timeout, settings)


def _refuse_unsupported(document: Document) -> None:
    """Say of what is known elsewhere why it is not here, rather than that it is unknown."""
    modules = document.data.get("modules") if isinstance(document.data, dict) else None
    for name, module in modules.items() if isinstance(modules, dict) else ():
        if not isinstance(module, dict):
            continue
        prober = module.get("prober")
        if isinstance(prober, str) and prober in UNSUPPORTED:
            problem = f"{prober} is not supported: {UNSUPPORTED[prober]}"
            raise document.error(("modules", name, "prober"), problem)
        for path in _keys(module, ()):
            plain = ".".join(part for part in path if isinstance(part, str))
            if plain in UNSUPPORTED:
                problem = f"not supported: {UNSUPPORTED[plain]}"
                raise document.error(("modules", name, *path), problem)


def _keys(part: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """The paths of every key in a module, down to the steps of a dialogue."""
    items = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list) and len(path) < 3:
            yield from _keys(value, (*path, key))


def _located(document: Document, where: tuple[str | int, ...], settings: Any, folder: str) -> Any:
    """The settings with their files relative to the document's folder; each must be readable."""
    replace = msgspec.structs.replace

    def located(path: str) -> str:
        return os.path.join(folder, path) if path else path

    config = getattr(settings, "tls_config", None)
    if isinstance(config, TlsConfig):
        paths = {key: located(path) for key, path in config.files()}
        settings = replace(settings, tls_config=replace(config, **paths))
        _check_tls(document, (*where, "tls_config"), settings.tls_config)
    if isinstance(settings, HttpModule):
        basic, own = settings.basic_auth, settings.authorization
        settings = replace(
            settings,
            bearer_token_file=located(settings.bearer_token_file),
            basic_auth=basic and replace(basic, password_file=located(basic.password_file)),
            authorization=own and replace(own, credentials_file=located(own.credentials_file)),
        )
        for key, path in settings.files():
            try:
                strictyaml.read(path)
            except DocumentError as error:
                raise document.error((*where, *key.split(".")), str(error)) from error
    return settings


def _check_tls(document: Document, where: tuple[str | int, ...], config: TlsConfig) -> None:
    if config.files():
        try:
            tlsconfig.context(config, verify=True)
        except Failure as error:
            raise document.error(where, error.detail) from error
