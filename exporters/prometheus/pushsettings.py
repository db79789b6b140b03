"""Where metrics are pushed to, for agents that no Prometheus can reach: the `push` section of the configuration."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from collectors.strictyaml import Duration, Regex, Secret
from exporters.findings.settings import ClientTls

RESERVED = (
    "content-",
    "user-agent",
    "host",
    "connection",
    "transfer-",
    "x-prometheus-remote-write",
)
MIN_QUEUE = 1 << 16  # bytes
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class BasicAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    username: str
    password: Secret


class HttpReceiver(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A receiver by HTTP. Without TLS, secrets are sent to this machine only."""

    url: str
    headers: dict[str, Secret] = msgspec.field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    bearer_token_file: str = ""
    interval: Duration = Duration(15)
    timeout: Duration = Duration(30)

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        split = urlsplit(self.url)
        if split.scheme not in ("http", "https") or not split.hostname:
            raise ValueError(f"{self.url!r} is not http://HOST/… or https://HOST/…")
        if split.username is not None:
            raise ValueError("a user and a password go into basic_auth, not into the url")
        try:
            _ = split.port
        except ValueError as error:
            raise ValueError(f"{self.url!r}: {error}") from error
        if not (self.url.isascii() and self.url.isprintable()) or " " in self.url:
            raise ValueError(f"{self.url!r} has characters that a URL writes as %XX")
        if self.interval < 1:
            raise ValueError(f"the interval of {self.interval:g} s must be 1s or more")
        self._check_secrets(split.scheme == "https" or _is_here(split.hostname))

    def _check_secrets(self, safe: bool) -> None:
        if self.basic_auth and self.bearer_token_file:
            raise ValueError("basic_auth and bearer_token_file: one of them")
        if (self.headers or self.basic_auth or self.bearer_token_file) and not safe:
            raise ValueError("secrets would go over the network in clear: the url must be https://")
        if self.basic_auth and ":" in self.basic_auth.username:
            raise ValueError("basic_auth: no colon can be in a username")
        for name, value in self.headers.items():
            text = value.reveal()
            if not name.replace("-", "").isalnum() or not name.isascii():
                raise ValueError(f"{name!r} is not the name of a header")
            if name.lower().startswith(RESERVED):
                raise ValueError(f"the header {name} is the protocol's own")
            if not (text.isascii() and text.isprintable()):
                raise ValueError(f"the header {name} has characters that no header may have")


class RemoteWriteSettings(HttpReceiver, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`version` auto tries 2.0 and falls back to 1.0. `keep` and `drop` are RE2, of a series' whole name. The queue
    on disk holds up to `max_bytes` and `max_age`; a request up to `max_samples`. `replay`: what a receiver took in this
    time before it fell silent is sent again, for those that say yes before they have written. `name` is the receiver's in metrics and
    of its queue; the address's own without."""

    name: str = ""
    version: Literal["auto", 1, 2] = "auto"
    external_labels: dict[str, str] = msgspec.field(default_factory=dict)
    keep: Regex | None = None
    drop: Regex | None = None
    max_bytes: Annotated[int, msgspec.Meta(ge=MIN_QUEUE)] = 256 << 20
    max_age: Duration = Duration(86400)
    max_samples: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 10_000
    replay: Duration | None = None

    def __post_init__(self) -> None:
        HttpReceiver.__post_init__(self)
        if self.name and not _NAME.fullmatch(self.name):
            raise ValueError(f"the name {self.name!r} is not of letters, digits, dot, dash and _")
        if self.max_age < 60:
            raise ValueError("max_age must be 1m or more")
        _check_labels(self.external_labels)

    @property
    def known_as(self) -> str:
        if self.name:
            return self.name
        split = urlsplit(self.url)
        return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{split.netloc}{split.path}").strip("-.")[:64]


class PushgatewaySettings(HttpReceiver, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`grouping` labels beside the job tell one host's group from another's; the host's name as `instance` without."""

    job: str = "jianwei"
    grouping: dict[str, str] = msgspec.field(default_factory=dict)
    interval: Duration = Duration(60)
    keep: Regex | None = None
    drop: Regex | None = None

    def __post_init__(self) -> None:
        HttpReceiver.__post_init__(self)
        if not self.job:
            raise ValueError("the job must not be empty")
        _check_labels(self.grouping)
        if "job" in self.grouping:
            raise ValueError("grouping: the job is a key of its own")


class TextfileSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file for the textfile collector of a node_exporter beside us, which has `node_*` itself: `keep` says what of
    the page is written."""

    path: str
    interval: Duration = Duration(60)
    keep: Regex | None = Regex("jianwei_.*")
    drop: Regex | None = None

    def __post_init__(self) -> None:
        if not self.path.endswith(".prom"):
            raise ValueError(f"{self.path!r} must end in .prom, or node_exporter does not read it")
        if self.interval < 1:
            raise ValueError(f"the interval of {self.interval:g} s must be 1s or more")


class PushSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing is pushed where all are empty."""

    remote_write: tuple[RemoteWriteSettings, ...] = ()
    pushgateway: tuple[PushgatewaySettings, ...] = ()
    textfile: TextfileSettings | None = None

    def __post_init__(self) -> None:
        names = [one.known_as for one in self.remote_write]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"remote_write: two receivers are called {name}; give them names")

    def __bool__(self) -> bool:
        return bool(self.remote_write or self.pushgateway or self.textfile)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_labels(labels: dict[str, str]) -> None:
    for name, value in labels.items():
        if not _LABEL.fullmatch(name) or name.startswith("__"):
            raise ValueError(f"{name!r} is not the name of a label")
        if not value:
            raise ValueError(f"the label {name} has no value")
