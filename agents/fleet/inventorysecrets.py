"""Secrets of an inventory, each looked up once: in the environment, in a file, or asked for on the terminal."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from typing import Final

from agents.errors import UserError
from collectors.strictyaml import Secret, SecretReference

Ask = Callable[[str], str]  # what is asked for, in words; what was typed

_WORDS: Final = {
    "password": "SSH password",
    "key_passphrase": "Passphrase of the SSH key",
    "sudo_password": "sudo password",
}


class Secrets:
    """`asking` is how somebody is asked; None: on the terminal, if there is one."""

    def __init__(self, asking: Ask | None) -> None:
        self._asking = asking or on_terminal
        self._known: dict[tuple[str, str, str], Secret] = {}

    def reveal(self, where: SecretReference, key: str) -> Secret:
        """The secret that is written for a key. Raises ValueError where it is not there, UserError where
        nobody answers."""
        identity = where.key
        if where.tag == "!prompt":
            words = where.name or _WORDS[key]
            identity = (where.tag, words, "")
            if identity not in self._known:
                if not (answer := self._asking(words)):
                    raise UserError(f"{words}: nothing was typed")
                self._known[identity] = Secret(answer)
        elif identity not in self._known:
            self._known[identity] = where.secret()
        return self._known[identity]


def on_terminal(words: str) -> str:
    """Asks on the terminal, whatever the standard streams are; raises UserError where there is none."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError as error:
        raise UserError(
            f"{words}: there is no terminal to ask on; write !env NAME or !file PATH instead of !prompt"
        ) from error
    try:
        return getpass.getpass(f"{words}: ")
    except EOFError as error:
        raise UserError(f"{words}: nothing was typed") from error
