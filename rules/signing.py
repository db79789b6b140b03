"""Signed packs: `X.yaml.sig` beside `X.yaml` is the Ed25519 signature (RFC 8032) of the file's name, a newline
and its bytes, in base64. The name keeps a signed file from standing in for another one.

Keys are PEM: `openssl genpkey -algorithm ed25519` makes a private one, `openssl pkey -pubout` the public
one of it. Packs that come with the agent are part of it and need no signature.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from collectors import strictyaml
from collectors.strictyaml import DocumentError
from rules.packfile import Read
from rules.settings import PACKS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

SUFFIX = ".sig"


class KeyProblem(ValueError):
    """A file that is no such key."""


class PassphraseNeeded(KeyProblem):
    """A private key that is encrypted."""


def private_key(path: str, passphrase: str | None = None) -> Ed25519PrivateKey:
    """The private key in a PEM file; raises KeyProblem and OSError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    with open(path, "rb") as file:
        content = file.read()
    try:
        secret = passphrase.encode() if passphrase is not None else None
        key = serialization.load_pem_private_key(content, secret)
    except TypeError as error:
        raise PassphraseNeeded(f"{path}: {error}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblem(f"{path}: no private key in PEM, or a wrong passphrase") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"{path}: is no Ed25519 key")
    return key


def public_key(path: str) -> Ed25519PublicKey:
    """The public key in a PEM file; raises KeyProblem and OSError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    with open(path, "rb") as file:
        content = file.read()
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyProblem(f"{path}: no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyProblem(f"{path}: is no Ed25519 key")
    return key


def signed(path: str, content: bytes) -> bytes:
    """What a signature is of."""
    return os.path.basename(path).encode("utf-8", "surrogateescape") + b"\n" + content


def sign(path: str, content: bytes, key: Ed25519PrivateKey) -> bytes:
    """What goes into the signature's file."""
    return base64.b64encode(key.sign(signed(path, content))) + b"\n"


def verify(path: str, content: bytes, keys: Sequence[Ed25519PublicKey]) -> None:
    """Raises DocumentError unless one of the keys signed the document of that path."""
    from cryptography.exceptions import InvalidSignature

    try:
        with open(path + SUFFIX, "rb") as file:
            written = file.read(4096)
    except FileNotFoundError as error:
        raise DocumentError(
            path, None, f"is not signed: there is no {path}{SUFFIX}; jianwei rules sign"
        ) from error
    except OSError as error:
        raise DocumentError(path + SUFFIX, None, f"cannot be read: {error.strerror}") from error
    try:
        signature = base64.b64decode(written.strip(), validate=True)
    except binascii.Error as error:
        raise DocumentError(path + SUFFIX, None, "is no signature in base64") from error
    for key in keys:
        try:
            key.verify(signature, signed(path, content))
        except InvalidSignature:
            continue
        return
    raise DocumentError(
        path, None, "the signature is not of this name and content by a trusted key"
    )


def reader(trusted: Sequence[str]) -> Read:
    """How packs are read: with trusted keys, only those of the agent and signed ones. Raises
    DocumentError for a key that cannot be read."""
    if not trusted:
        return strictyaml.read
    keys = []
    for name in trusted:
        try:
            keys.append(public_key(os.path.expanduser(name)))
        except OSError as error:
            raise DocumentError(name, None, f"cannot be read: {error.strerror}") from error
        except KeyProblem as error:
            raise DocumentError(name, None, str(error).removeprefix(f"{name}: ")) from error

    def read(path: str) -> bytes:
        content = strictyaml.read(path)
        if not _ours(path):
            verify(path, content, keys)
        return content

    return read


def _ours(path: str) -> bool:
    """Whether a path is one of the agent's own packs: by its letters alone, since what a link leads to
    may be another thing at the next look."""
    return path == os.path.normpath(path) and path.startswith(PACKS + os.sep)
