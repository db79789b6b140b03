"""Settings of the HTTP server: the `web` section of the configuration."""

from __future__ import annotations

from typing import Annotated

import msgspec

from collectors.strictyaml import Duration
from exporters.prometheus.listen import parse


class WebSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where to serve, and how much one client may ask for.

    `listen`: `host:port`; `:9808` is every address of both families, `[::1]:9808` IPv6 alone.
    `config_file`: exporter-toolkit's web.config, as `--web.config.file`.
    `head_timeout`: from the first byte of a request, or of a connection, to its end, and the TLS
    handshake. `idle_timeout`: between two requests. `send_timeout`: a client that does not read.
    """

    listen: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("127.0.0.1:9808",)
    config_file: str | None = None
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 128
    max_header_bytes: Annotated[int, msgspec.Meta(ge=1024, le=1 << 20)] = 16 << 10
    max_body_bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 16 << 10
    head_timeout: Duration = Duration(10)
    idle_timeout: Duration = Duration(150)
    send_timeout: Duration = Duration(30)
    backlog: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 128

    def __post_init__(self) -> None:
        for address in self.listen:
            parse(address)
