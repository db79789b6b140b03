"""Mail: one message a receiver (RFC 5322, 2045, 2231), handed to one server (RFC 5321, 3207, 8314).

The server's certificate and name are always verified, and a password goes over TLS only.
"""

from __future__ import annotations

import mimetypes
import re
import smtplib
import socket
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from types import TracebackType
from typing import Final

from exporters.findings.delivery import context, told
from exporters.findings.product import NAME, version
from exporters.findings.text import cut, neutral
from exporters.report.delivery.outcome import DeliveryError
from exporters.report.delivery.plan import Parcel
from exporters.report.delivery.settings import Mailbox, SmtpServer, SmtpSettings
from exporters.report.delivery.words import say
from rules.model import Text

MIB: Final = 1 << 20
_TYPES: Final = {
    "html": "text/html",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
    "json": "application/json",
}
_LONGEST: Final = 200  # columns of a subject


def letter(parcel: Parcel, settings: SmtpSettings, now: datetime) -> EmailMessage:
    """The message for one receiver; the same figures have the same Message-ID, so that a mailbox shows them once."""
    scope = parcel.edition.document.scope
    box = next(
        one
        for one in (*settings.to, *(b for boxes in settings.departments.values() for b in boxes))
        if one.address == parcel.to
    )
    subject = _line(settings.subject) or _subject(parcel)
    it = written(settings, box, subject, _body(parcel), parcel.id, now)
    for file in parcel.files:
        kind = _TYPES.get(file.format) or mimetypes.guess_type(file.name)[0] or ""
        main, _, sub = (kind or "application/octet-stream").partition("/")
        name = neutral(file.name)
        it.add_attachment(file.content, maintype=main, subtype=sub, filename=name)
    it["X-Jianwei-Data-Hash"] = _line(scope.data_hash)
    return it


def written(
    server: SmtpServer, box: Mailbox, subject: str, body: str, id: str, now: datetime
) -> EmailMessage:
    """A message for one receiver. `id`, of hexadecimal digits, is the same where it is sent again."""
    it = EmailMessage(policy=SMTP)
    it["From"] = server.sender.header()
    it["To"] = box.header()
    it["Subject"] = _line(subject)
    it["Date"] = format_datetime(now)
    it["Message-ID"] = f"<{id[:40]}@{server.sender.address.rpartition('@')[2]}>"
    it["Auto-Submitted"] = "auto-generated"
    it["X-Mailer"] = f"{NAME}/{version()}"
    it.set_content(body, cte="base64")
    return it


def _subject(parcel: Parcel) -> str:
    scope = parcel.edition.document.scope
    key = "subject_of" if parcel.department else "subject"
    words = say(key, scope.city, in_chinese(scope.month), scope.month, parcel.department)
    return _line(f"{words.zh} / {words.en}")


def _line(text: str) -> str:
    return cut(neutral(text[: _LONGEST + 1]), _LONGEST)


def in_chinese(month: str) -> str:
    """`2026-10` as 2026年10月."""
    year, _, number = month.partition("-")
    return f"{year}年{int(number)}月"


def _body(parcel: Parcel) -> str:
    """Chinese first. The words of an excerpt are those of its own document."""
    document, of = parcel.edition.document, "_of" if parcel.department else ""
    scope = document.scope
    values = (scope.city, in_chinese(scope.month), scope.month)
    blocks = []
    for language in ("zh", "en"):
        dear = say(f"dear{of}", parcel.department).of(language)
        sent = say(f"sent{of}", *values).of(language)
        lines = [dear, sent, "", *(f"· {text.of(language)}" for text in document.summary), ""]
        lines += [say("files").of(language), *(f"  {it.name}  {it.sha256}" for it in parcel.files)]
        lines += [say("data", scope.data_hash).of(language), "", scope.issuer or scope.city]
        lines += [say("automatic").of(language)]
        blocks.append("\n".join(neutral(line) for line in lines))
    return "\n\n————————————\n\n".join(blocks) + "\n"


class Mailer:
    """A connection to the server, made with the first letter, and again after one that broke it. What cannot be
    reached once is not tried again. `send` raises DeliveryError."""

    def __init__(self, settings: SmtpServer) -> None:
        self._settings = settings
        self._server: smtplib.SMTP | None = None
        self._unreachable: DeliveryError | None = None

    def __enter__(self) -> Mailer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        server, self._server = self._server, None
        if server:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()  # all it took, it has said so of

    def send(self, to: str, message: EmailMessage) -> None:
        content = message.as_bytes()
        limit = self._settings.max_bytes
        if len(content) > limit:
            raise DeliveryError(say("too_large", len(content) / MIB, limit / MIB))
        server = self._connected()
        takes = server.esmtp_features.get("size", "")
        if takes.isdecimal() and 0 < int(takes) < len(content):
            raise DeliveryError(say("server_limit", len(content) / MIB, int(takes) / MIB))
        try:
            server.sendmail(self._settings.sender.address, [to], content)
        except (OSError, smtplib.SMTPException) as error:
            if not isinstance(error, (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError)):
                server.close()
                self._server = None
            raise DeliveryError(_why(error, self._where)) from error

    @property
    def _where(self) -> str:
        host, port = self._settings.endpoint
        return f"smtp {host}:{port}"

    def _connected(self) -> smtplib.SMTP:
        if self._unreachable:
            raise self._unreachable
        if self._server is None:
            try:
                self._server = self._connect()
            except (OSError, smtplib.SMTPException, ValueError) as error:
                self._unreachable = DeliveryError(_why(error, self._where))
                raise self._unreachable from error
        return self._server

    def _connect(self) -> smtplib.SMTP:
        it = self._settings
        (host, port), seconds = it.endpoint, float(it.timeout)
        name = socket.gethostname()
        name = name if re.fullmatch(r"[A-Za-z0-9.-]{1,200}", name) else "localhost"
        server: smtplib.SMTP
        if it.tls == "tls":
            server = smtplib.SMTP_SSL(
                host, port, local_hostname=name, timeout=seconds, context=context(it)
            )
        else:
            server = smtplib.SMTP(host, port, local_hostname=name, timeout=seconds)
        try:
            if it.tls == "starttls":
                server.starttls(context=context(it))
            server.ehlo_or_helo_if_needed()
            if it.user and it.password:
                server.login(it.user, it.password.reveal())
        except BaseException:
            server.close()
            raise
        return server


def _why(error: Exception, where: str) -> Text:
    """Never with what was sent, which may be a password."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        answers = [_answer(code, text) for code, text in error.recipients.values()]
        why = f"the address was refused: {', '.join(answers)}"
    elif isinstance(error, smtplib.SMTPAuthenticationError):
        why = f"the password was refused: {error.smtp_code}"
    elif isinstance(error, smtplib.SMTPResponseException):
        why = f"it answered {_answer(error.smtp_code, error.smtp_error)}"
    elif isinstance(error, smtplib.SMTPServerDisconnected):
        why = "it ended the connection"
    elif isinstance(error, smtplib.SMTPException):
        why = str(error)  # it has no STARTTLS, or no way to log in that we have
    elif isinstance(error, OSError):
        why = told(error)
    else:
        why = str(error)
    line = f"{where}: {cut(neutral(why), 300)}"
    return Text(line, line)


def _answer(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return cut(neutral(f"{code} {words}".replace("\n", " ")), 200)
