"""Who we are to a host: keys from files, keys of an agent, a password; SSH user authentication."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.target import Hop, LoginError

if TYPE_CHECKING:
    import paramiko

_DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")

# What we tried, in words, and the trying, which answers what else the host wants.
Attempt = tuple[str, Callable[[], list[str]]]


def authenticate(hop: Hop, transport: paramiko.Transport, settings: SshSettings) -> None:
    """Try keys from files, the agent's and the password in this order; raises LoginError."""
    import paramiko

    tried: list[str] = []
    try:
        for words, attempt in _attempts(hop, transport, settings, tried):
            tried.append(words)
            try:
                if not attempt() and transport.is_authenticated():
                    return
            except paramiko.BadAuthenticationType as error:
                tried[-1] += f" (the host takes {', '.join(error.allowed_types)} only)"
            except paramiko.AuthenticationException:
                continue
    except (OSError, paramiko.SSHException, EOFError) as error:
        tried.append(f"then {plainly(error)}")
    raise LoginError(f"{hop}: not let in; tried {', '.join(tried) or 'nothing: there is no key'}")


def _attempts(
    hop: Hop, transport: paramiko.Transport, settings: SshSettings, tried: list[str]
) -> Iterator[Attempt]:
    import paramiko

    wanted = settings.key_file
    for path in [wanted] if wanted else [*hop.key_files, *_DEFAULT_KEYS]:
        try:
            key = _key(path, settings)
        except FileNotFoundError:
            if wanted:
                raise LoginError(f"{path}: there is no such key file") from None
            continue
        except LoginError as error:
            if wanted:
                raise
            tried.append(str(error))
            continue
        yield f"key {path}", partial(transport.auth_publickey, hop.user, key)
    if settings.use_agent:
        agent = paramiko.Agent()
        try:
            for number, known in enumerate(agent.get_keys(), 1):
                show = partial(transport.auth_publickey, hop.user, known)
                yield f"key {number} of the agent", show
        finally:
            agent.close()
    if (password := settings.password) is not None:
        yield "password", partial(transport.auth_password, hop.user, password.reveal())


def _key(path: str, settings: SshSettings) -> paramiko.PKey:
    """Raises FileNotFoundError, LoginError."""
    import paramiko
    from paramiko.pkey import UnknownKeyType

    path = os.path.expanduser(path)
    secret = settings.key_passphrase
    try:
        return paramiko.PKey.from_path(path)
    except TypeError as error:  # it is encrypted
        if secret is None:
            raise LoginError(f"key {path} is encrypted: set key_passphrase") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise LoginError(f"key {path}: {plainly(error)}") from error
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise LoginError(f"{path} is no private key") from error
    try:
        # the published types are those of an older release
        return paramiko.PKey.from_path(path, secret.reveal().encode())  # type: ignore[arg-type]
    except (ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise LoginError(f"key {path}: the passphrase is wrong") from error


def plainly(error: BaseException) -> str:
    """An error of the network in a few words."""
    if isinstance(error, EOFError):
        return "the host closed the connection"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
