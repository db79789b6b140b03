"""Why an OpenStack service gave no answer, in words for people: never a token, a password, or a body as it came."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from collectors.cloud.openstackjson import decode
from collectors.model import ParseError

T = TypeVar("T")
_STRANGE = (KeyError, TypeError, ValueError, AttributeError, IndexError)


class Refused(Exception):
    """No answer that could be used; `status` is HTTP's, 0 without one. Its text is for people."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


class Absent(Refused):
    """The catalog has no such service."""


class Unversioned(Refused):
    """There is no telling which versions of its API a service has."""


class Passing(Refused):
    """What another attempt may get over."""


def guarded(service: str, region: str, ask: Callable[[], T]) -> T:
    """What `ask` gives; raises Refused for all that keystoneauth and requests raise."""
    from keystoneauth1 import exceptions
    from requests import exceptions as http
    from urllib3 import exceptions as wire

    who = called(service)
    try:
        return ask()
    except Refused:
        raise
    except exceptions.EndpointNotFound as error:
        raise Absent(f"the catalog has no {who} in region {region!r}") from error
    except (exceptions.Unauthorized, exceptions.AuthorizationFailure) as error:
        raise Refused("Keystone refused the credentials (HTTP 401)", 401) from error
    except (exceptions.ConnectTimeout, http.Timeout, wire.TimeoutError) as error:
        raise Refused(f"the {who} did not answer in time") from error
    except exceptions.HttpError as error:
        status = int(error.http_status or 0)
        raise Refused(f"the {who} answered HTTP {status}", status) from error
    except (exceptions.SSLError, http.SSLError, ssl.SSLError) as error:
        raise Refused(f"TLS with the {who} failed: {_certificate(error)}") from error
    except (
        exceptions.ConnectFailure,
        exceptions.RetriableConnectionFailure,
        http.ConnectionError,
        http.ChunkedEncodingError,
        wire.HTTPError,
        OSError,
    ) as error:
        raise Passing(f"the connection to the {who} failed") from error
    except exceptions.InvalidResponse as error:
        raise Refused(f"the {who} gave an answer that is not in its format") from error
    except exceptions.DiscoveryFailure as error:
        raise Unversioned(f"the {who} did not say which versions it has") from error
    except exceptions.ClientException as error:
        name = type(error).__name__
        raise Refused(f"the {who} cannot be used: {name}") from error
    except _STRANGE as error:
        # keystoneauth takes tokens and discovery documents as they come
        raise Refused(f"the {who} gave an answer that is not in its format") from error
    except Exception as error:  # it raises bare ones too, for a password that is missing
        raise Refused(f"the {who} cannot be used: {error}") from error


def called(service: str) -> str:
    """A service in words."""
    return f"{service.replace('-', ' ')} service"


def said(content: bytes) -> str:
    """The message of an error, as each service words it; only its start."""
    try:
        answer = decode(content, dict[str, Any])
    except ParseError:
        return ""
    errors = answer.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else next(iter(answer.values()), None)
    said = first.get("message") or first.get("detail") if isinstance(first, dict) else first
    return said[:300] if isinstance(said, str) else ""


def _certificate(error: BaseException | None) -> str:
    """OpenSSL's word for what is wrong, which is inside of what requests says."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        inner = error.args[0] if error.args else None
        reason = getattr(inner, "reason", None)
        error = next(
            (
                it
                for it in (error.__cause__, error.__context__, reason)
                if isinstance(it, Exception)
            ),
            None,
        )
    return "see the server's certificate"
