"""A small real mail server (RFC 5321, 3207, 4954) in threads, that tests can steer."""

from __future__ import annotations

import base64
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import NamedTuple


class Mail(NamedTuple):
    sender: str
    to: tuple[str, ...]
    message: EmailMessage
    encrypted: bool
    user: str


class SmtpServer(socketserver.ThreadingTCPServer):
    """`refuse` are addresses it does not take; `size` what it says it takes; `answers` to DATA, one a message."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, tls: ssl.SSLContext | None, implicit: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.tls, self.implicit = tls, implicit
        self.mails: list[Mail] = []
        self.refuse: set[str] = set()
        self.size = 0
        self.users: dict[str, str] = {}
        self.answers: list[bytes] = []
        self.hang_up = 0  # connections that are ended after DATA
        self.connections = 0
        self.commands: list[str] = []

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us goes in the middle of a handshake."""


class _Session(socketserver.StreamRequestHandler):
    server: SmtpServer

    def handle(self) -> None:
        self.server.connections += 1
        self.encrypted = False
        if self.server.implicit:
            self._encrypt()
        self.user = ""
        self._say("220 mail.example ESMTP")
        sender = ""
        to: list[str] = []
        while line := self.rfile.readline().decode("latin-1").rstrip("\r\n"):
            verb, _, rest = line.partition(" ")
            self.server.commands.append(line)
            verb = verb.upper()
            if verb == "EHLO":
                self._hello()
            elif verb == "STARTTLS":
                self._say("220 go on")
                self._encrypt()
            elif verb == "AUTH":
                self._log_in(rest)
            elif verb == "MAIL":
                sender, to = rest[rest.index("<") + 1 : rest.index(">")], []
                self._say("250 ok")
            elif verb == "RCPT":
                address = rest[rest.index("<") + 1 : rest.index(">")]
                if address in self.server.refuse:
                    self._say("550 5.1.1 no such user")
                else:
                    to.append(address)
                    self._say("250 ok")
            elif verb == "DATA":
                self._say("354 go on")
                if not self._take(sender, tuple(to)):
                    return
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _hello(self) -> None:
        told = ["mail.example"]
        if self.server.tls and not self.encrypted:
            told.append("STARTTLS")
        if self.server.size:
            told.append(f"SIZE {self.server.size}")
        if self.server.users:
            told.append("AUTH PLAIN")
        for line in told[:-1]:
            self._say(f"250-{line}")
        self._say(f"250 {told[-1]}")

    def _log_in(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        if self.server.users.get(user) == password:
            self.user = user
            self._say("235 ok")
        else:
            self._say("535 5.7.8 no")

    def _take(self, sender: str, to: tuple[str, ...]) -> bool:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if self.server.hang_up:
            self.server.hang_up -= 1
            return False
        answer = self.server.answers.pop(0) if self.server.answers else b"250 taken"
        if answer.startswith(b"250"):
            message = BytesParser(EmailMessage, policy=default).parsebytes(b"".join(lines))
            self.server.mails.append(Mail(sender, to, message, self.encrypted, self.user))
        self._say(answer.decode())
        return True

    def _encrypt(self) -> None:
        assert self.server.tls
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.encrypted = True
        self.setup()

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


@contextmanager
def serving(tls: ssl.SSLContext | None, implicit: bool = False) -> Iterator[SmtpServer]:
    with SmtpServer(tls, implicit) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
