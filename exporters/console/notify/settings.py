"""Who is told of what, and the ticket system: keys `notify` and `itsm` of the console's configuration.

Addresses are here alone: nothing in a page or the API can make the console send anywhere else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import time
from typing import Annotated, Any, Final, Literal, TypeVar, get_args
from urllib.parse import urlsplit

import msgspec

from collectors.strictyaml import Duration, Secret
from exporters.findings.settings import ClientTls
from exporters.report.delivery.settings import Mailbox, SmtpServer, check_headers, check_url
from rules.model import Severity

Format = Literal["generic", "wecom", "dingtalk", "feishu", "mail"]
Kind = Literal["new", "regressed", "waiver_expiring", "agent_silent", "agent_back", "ticket_failed"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
ITSM: Final = "itsm"  # the receiver of tickets in the table of messages
PLACEHOLDERS: Final = frozenset({
    "key", "number", "title", "severity", "state", "rule", "rule_title", "host", "hosts", "department", "instance",
    "actual", "expected", "source", "first_seen", "url", "count", "by", "text",
})  # fmt: skip
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_]+)\}")
_Tls = TypeVar("_Tls", bound=ClientTls)


class Receiver(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A group's robot, a program, or people by mail. `secret` signs: of dingtalk and feishu as these say, of
    generic in X-Jianwei-Signature. `url` is a secret since that of a robot has its key."""

    format: Format
    url: Secret | None = None
    secret: Secret | None = None
    headers: Mapping[str, Secret] = {}
    to: tuple[Mailbox, ...] = ()
    language: Literal["zh", "en"] = "zh"
    timeout: Duration = Duration(10)

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        if self.format == "mail":
            if not self.to or self.url or self.secret or self.headers:
                raise ValueError("format: mail has addresses in to, and no url, secret or headers")
            return
        if self.url is None or self.to:
            raise ValueError(f"format: {self.format} has a url, and nobody in to")
        check_url(self.url.reveal(), "url")
        check_headers(self.headers)
        if self.format == "wecom" and self.secret:
            raise ValueError("format: wecom has no secret: its key is in the url")

    @property
    def shown(self) -> str:
        """Where to, without what is secret: of a URL the host alone, since a robot's path may be its key."""
        if self.url is None:
            return ", ".join(box.address for box in self.to)
        split = urlsplit(self.url.reveal())
        return f"{split.scheme}://{split.netloc}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be in any text about it."""
        url = self.url.reveal() if self.url else ""
        split = urlsplit(url)
        values = [part.partition("=")[2] for part in split.query.split("&")]
        parts = [url, split.query, *values, *(p for p in split.path.split("/") if len(p) > 15)]
        parts += [one.reveal() for one in (self.secret, *self.headers.values()) if one]
        return tuple(sorted({part for part in parts if len(part) > 3}, key=len, reverse=True))


class NotifyRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events go to which receivers. `severity`: of new and regressed hits at least this; left out, new ones must
    be critical and regressed ones may be any. `departments`: none named is all of them."""

    receivers: tuple[str, ...]
    events: tuple[Kind, ...] = KINDS
    severity: Severity | None = None
    departments: tuple[str, ...] = ()


class Clock(str):
    """A time of day, `22:00`, by the site's clock."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Clock:
        if isinstance(text, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
            return cls(text)
        raise ValueError(f'{text!r:.40} is not a time of day; write "22:00", in quotes')

    @property
    def time(self) -> time:
        return time.fromisoformat(self)


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From `begins` to `ends`, over midnight too, messages wait until `ends`; with `urgent` those of critical hits
    do not."""

    begins: Clock
    ends: Clock
    urgent: bool = True

    def __post_init__(self) -> None:
        if self.begins == self.ends:
            raise ValueError("begins and ends are the same: there would be no quiet hours")


class NotifySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`digest`: hits that come within it are told in one message. `waiver_days`: told so many days before the end."""

    smtp: SmtpServer | None = None
    receivers: Mapping[str, Receiver] = {}
    rules: tuple[NotifyRule, ...] = ()
    quiet: QuietHours | None = None
    digest: Duration = Duration(120)
    waiver_days: tuple[Annotated[int, msgspec.Meta(ge=0, le=366)], ...] = (30, 7, 1)

    def __post_init__(self) -> None:
        for name, receiver in self.receivers.items():
            if not re.fullmatch(r"[\w.-]{1,60}", name) or name == ITSM:
                raise ValueError(f"{name!r:.80} cannot be a receiver's name: letters and digits")
            if receiver.format == "mail" and self.smtp is None:
                raise ValueError(f"the receiver {name} is mail, but there is no smtp")
        for rule in self.rules:
            if unknown := [name for name in rule.receivers if name not in self.receivers]:
                raise ValueError(f"there is no receiver {unknown[0]!r:.80}")
        if self.digest < 10:
            raise ValueError("digest must be 10s or more")


class CloseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked of the ticket system when all hits of a ticket are fixed. `{number}` in the path of `url` is the
    ticket's."""

    url: str
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    body: Mapping[str, Any] = {}


class ItsmSettings(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`body` is the JSON of a new ticket with {placeholders} in its texts; `number` is where in the answer the ticket's
    number is, `result.number`. `automatic`: new hits this severe get a ticket by themselves, one for each rule."""

    url: str
    headers: Mapping[str, Secret] = {}
    body: Mapping[str, Any]
    number: str
    close: CloseSettings | None = None
    automatic: Severity | None = None
    language: Literal["zh", "en"] = "zh"
    timeout: Duration = Duration(15)

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        check_url(self.url, "url")
        check_headers(self.headers)
        if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", self.number):
            raise ValueError(f"number: {self.number!r:.80} is not a path; write result.number")
        bodies: list[Any] = [self.body]
        if self.close:
            check_url(self.close.url.replace("{number}", "1"), "close.url")
            bodies.append(self.close.body)
        for text in _texts(bodies):
            for name in _PLACEHOLDER.findall(text):
                if name not in PLACEHOLDERS:
                    known = ", ".join(sorted(PLACEHOLDERS))
                    raise ValueError(f"body: there is no {{{name:.40}}}; there are: {known}")

    @property
    def shown(self) -> str:
        split = urlsplit(self.url)
        return f"{split.scheme}://{split.netloc}"

    @property
    def secrets(self) -> tuple[str, ...]:
        parts = [one.reveal() for one in self.headers.values()]
        parts += [part.partition("=")[2] for part in urlsplit(self.url).query.split("&")]
        return tuple(sorted({part for part in parts if len(part) > 3}, key=len, reverse=True))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)


def located(settings: NotifySettings, at: Callable[[str], str]) -> NotifySettings:
    """With its relative paths made whole by `at`."""
    smtp = settings.smtp and tls_located(settings.smtp, at)
    receivers = {name: tls_located(one, at) for name, one in settings.receivers.items()}
    return msgspec.structs.replace(settings, smtp=smtp, receivers=receivers)


def tls_located(tls: _Tls, at: Callable[[str], str]) -> _Tls:
    names = ("ca_file", "cert_file", "key_file")
    return msgspec.structs.replace(tls, **{n: at(v) for n in names if (v := getattr(tls, n))})


def joined(folder: str) -> Callable[[str], str]:
    return lambda path: os.path.join(folder, os.path.expanduser(path))
