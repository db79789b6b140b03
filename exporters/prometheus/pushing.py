"""What pushes share: a request with its credentials, which names are sent, how long to wait after a failure."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from collectors.strictyaml import Regex
from exporters.findings.delivery import context
from exporters.findings.posting import Poster, PostError, Said
from exporters.findings.text import cut, neutral
from exporters.prometheus.pushsettings import HttpReceiver

LONGEST_WAIT: Final = 3600.0  # seconds that a receiver may ask us to wait
MAX_TOKEN: Final = 1 << 16


class Outbox:
    """Requests to one receiver. `close` ends what is under way, from another thread."""

    def __init__(self, settings: HttpReceiver) -> None:
        self._settings = settings
        # certificates are read anew with each request: they are renewed while we run
        self._poster = Poster(settings.url, float(settings.timeout), lambda: context(settings))
        self.close = self._poster.close

    def ask(
        self, headers: dict[str, str], content: bytes, path: str = "", method: str = "POST"
    ) -> Said:
        """Raises PostError."""
        return self._poster.ask(self._credentials() | headers, content, path, method)

    def _credentials(self) -> dict[str, str]:
        it = self._settings
        sent = {name: value.reveal() for name, value in it.headers.items()}
        if it.basic_auth:
            pair = f"{it.basic_auth.username}:{it.basic_auth.password.reveal()}".encode()
            sent["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        elif it.bearer_token_file:
            sent["Authorization"] = f"Bearer {token(it.bearer_token_file)}"
        return sent


def token(path: str) -> str:
    """Read with each request, since it is renewed while we run. Raises PostError."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_TOKEN).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not a token"
        raise PostError(f"bearer_token_file {path}: {why}") from error
    if not text.isprintable() or not text:
        raise PostError(f"bearer_token_file {path}: is not a token")
    return text


def answered(said: Said) -> str:
    """An answer in few words; what it says is a stranger's text."""
    body = cut(neutral(said.body[:400].decode("utf-8", "replace").strip()), 200)
    return f"it answered {said.status} {cut(neutral(said.reason), 60)}".rstrip() + (
        f": {body}" if body else ""
    )


def wanted(keep: Regex | None, drop: Regex | None) -> Callable[[str], bool] | None:
    """Whether a name is sent; None where all are. RE2 is loaded only where there is something to match."""
    if keep is None and drop is None:
        return None
    import re2

    kept = re2.compile(keep) if keep is not None else None
    dropped = re2.compile(drop) if drop is not None else None

    def decide(name: str) -> bool:
        if kept is not None and not kept.fullmatch(name):
            return False
        return dropped is None or not dropped.fullmatch(name)

    return decide


def retry_after(said: Said) -> float:
    """Seconds that the receiver asks us to wait (RFC 9110, 10.2.3); 0 where it does not."""
    text = said.retry_after.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text[:9]), LONGEST_WAIT)
    try:
        seconds = parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT)


class Backoff:
    """Seconds to wait after each failure in a row: doubled, up to `most`, with jitter."""

    def __init__(self, first: float = 1.0, most: float = 60.0) -> None:
        self._first, self._most = first, most
        self._next = first

    def failed(self) -> float:
        # a receiver that comes back must not be met by all agents at once
        wait = self._next * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
        self._next = min(2 * self._next, self._most)
        return wait

    def went_well(self) -> None:
        self._next = self._first
