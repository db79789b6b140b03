"""The console's `web_config`: exporter-toolkit's file, as of the agent (exporters/prometheus/webconfig.py).

Of it the console has TLS, and the users for /metrics; what it would not obey it refuses. Each handshake has the
certificate, the key and the client authority as they are in their files then; all else is as it was at the start.
"""

from __future__ import annotations

import ssl
from typing import Any, Final

from collectors import strictyaml
from collectors.strictyaml import Document
from exporters.prometheus.liveconfig import LiveWebConfig

_REFUSED: Final = (
    (("tls_server_config", "client_allowed_sans"), "the console does not look at names"),
    (("http_server_config", "headers"), "the console has headers of its own"),
    (("rate_limit",), "the console has limits of its own: people.tries, pull.push_rate"),
)


def context(path: str) -> ssl.SSLContext | None:
    """None where the file has no TLS. Raises DocumentError."""
    document = Document(strictyaml.read(path), path)
    for keys, why in _REFUSED:
        if _at(document.data, keys) is not None:
            raise document.error(keys, f"{why}; take it out")
    live = LiveWebConfig(path)
    made = live.config.context

    def renewed(handshake: ssl.SSLObject, _name: str | None, _made: ssl.SSLContext) -> None:
        live.refresh()
        if live.config.context:  # what takes TLS away is not in force
            handshake.context = live.config.context

    if made:
        made.sni_callback = renewed  # called without a name, too
    return made


def _at(data: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
