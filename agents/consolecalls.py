"""What an agent says to the review console: that it is alive, its audit, and once that it wants a token."""

from __future__ import annotations

import gzip
import hashlib
import ssl
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from agents import consolelink
from agents.consolelink import ConsoleSettings, Link, LinkError
from exporters.findings.posting import Poster, PostError, Said
from exporters.findings.product import version
from exporters.findings.told import line
from rules.model import Host

MAX_WAIT: Final = 3600.0  # seconds, whatever the console asks for
_JSON: Final = {"Content-Type": "application/json"}


T = TypeVar("T")


class CallError(Exception):
    """What the console did not take, and why; `wait` seconds until it may be tried again."""

    def __init__(self, problem: str, wait: float = 0.0) -> None:
        super().__init__(problem)
        self.wait = wait


class _Problem(msgspec.Struct, frozen=True):
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Problem = _Problem()


class _Wanted(msgspec.Struct, frozen=True):
    wanted: bool


class _Enrolled(msgspec.Struct, frozen=True):
    token: str


class _Authority(msgspec.Struct, frozen=True):
    pem: str


class Calls:
    """To one console, with one token."""

    def __init__(self, link: Link, trust: ssl.SSLContext, seconds: float) -> None:
        self._headers = {"Authorization": f"Bearer {link.token}"}
        self.poster = Poster(link.url, seconds, lambda: trust)

    @classmethod
    def to(cls, settings: ConsoleSettings, folder: Path) -> Calls:
        """To the console of now. Raises CallError."""
        try:
            found = consolelink.find(settings, folder)
        except LinkError as error:
            raise CallError(str(error)) from error
        if found is None:
            raise CallError("this agent is enrolled no longer")
        return cls(*found, float(settings.timeout))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.poster.close()

    def alive(self, newest: bytes | None) -> bool:
        """Whether the console lacks this audit."""
        digest = hashlib.sha256(newest).hexdigest() if newest is not None else ""
        body = msgspec.json.encode({"digest": digest, "version": version()})
        return _decoded(self._asked(consolelink.ALIVE, body, _JSON), _Wanted).wanted

    def push(self, content: bytes) -> None:
        packed = gzip.compress(content, 6, mtime=0)
        headers = {**_JSON, "Content-Encoding": "gzip"}
        self._asked(f"{consolelink.FINDINGS}?version={_plain_version()}", packed, headers)

    def enrol(self, host: Host) -> str:
        """The agent's own token."""
        whole = {"host": {"id": host.id, "name": host.name}, "version": version()}
        said = self._asked(consolelink.ENROL, msgspec.json.encode(whole), _JSON)
        return _decoded(said, _Enrolled).token

    def authority(self) -> str:
        """PEM of who signed the console's certificate: to be believed only with its fingerprint."""
        said = self._asked(consolelink.AUTHORITY, b"", {}, "GET")
        return _decoded(said, _Authority).pem

    def _asked(self, path: str, body: bytes, more: dict[str, str], method: str = "POST") -> Said:
        headers = {**more, **(self._headers if method == "POST" else {})}
        try:
            said = self.poster.ask(headers, body, path, method)
        except PostError as error:
            raise CallError(f"{error}") from error
        if said.status != 200:
            raise CallError(f"it answered {said.status}: {_why(said)}", _wait(said))
        return said


def _decoded(said: Said, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(said.body, type=kind)
    except msgspec.MsgspecError as error:
        raise CallError(f"what it answered is not a console's: {error}") from error


def _why(said: Said) -> str:
    try:
        told = msgspec.json.decode(said.body, type=_Refusal).error.message
    except msgspec.MsgspecError:
        told = ""
    return line(told or said.reason)[:200]


def _wait(said: Said) -> float:
    text = said.retry_after
    return min(float(text), MAX_WAIT) if text.isascii() and text.isdecimal() else 0.0


def _plain_version() -> str:
    return "".join(it for it in version() if it.isascii() and (it.isalnum() or it in ".-_"))
