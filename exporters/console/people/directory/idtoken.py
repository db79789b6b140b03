"""ID tokens: JWS (RFC 7515) of the provider's own keys, and the claims of OpenID Connect Core 1.0, 3.1.3.7.

Which algorithm is allowed is said here and not by the token: none of those with a shared secret, and not `none`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from authlib.oidc.core import CodeIDToken
from joserfc import jwk, jwt
from joserfc.errors import JoseError

from exporters.console.people.directory.identity import Untrusted

_KINDS: Final = {"RS": "RSA", "PS": "RSA", "ES": "EC"}
ALGORITHMS: Final = tuple(f"{kind}{bits}" for kind in _KINDS for bits in (256, 384, 512))
LEEWAY: Final = 60  # seconds that clocks may differ
_LONGEST: Final = 64 << 10


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str = ""


def verified(
    token: str,
    keys: Iterable[Mapping[str, Any]],
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
    now: datetime,
) -> dict[str, Any]:
    """Its claims. Raises Untrusted."""
    header = _header(token)
    if header.alg not in ALGORITHMS:
        raise Untrusted(f"an ID token is not signed with {header.alg!r}")
    decoded = _signed(token, header, keys)
    claims = CodeIDToken(
        decoded.claims,
        decoded.header,
        options={
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client_id},
            "nonce": {"essential": True, "value": nonce},
        },
        params={"nonce": nonce, "client_id": client_id, "access_token": access_token},
    )
    try:
        claims.validate(now=int(now.timestamp()), leeway=LEEWAY)
    except (JoseError, TypeError, ValueError) as error:
        raise Untrusted(f"the ID token's claims: {error}") from error
    # an audience beside us is believed only where the token was made for us
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if several and claims.get("azp") != client_id:
        raise Untrusted("the ID token is for several, and was not made for this client")
    if not claims["sub"]:
        raise Untrusted("the ID token has no subject")
    return dict(claims)


def _header(token: str) -> _Header:
    part = token.partition(".")[0]
    if len(token) > _LONGEST or token.count(".") != 2:
        raise Untrusted("the ID token is no JWS")
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        return msgspec.json.decode(content, type=_Header)
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise Untrusted("the ID token's header is not understood") from error


def _signed(token: str, header: _Header, keys: Iterable[Mapping[str, Any]]) -> jwt.Token:
    for key in keys:
        if not _may_be(key, header):
            continue
        try:
            return jwt.decode(token, jwk.import_key(dict(key)), algorithms=[header.alg])
        except (JoseError, ValueError, TypeError, KeyError):
            continue  # another key of the same kind may be the one
    raise Untrusted("none of the provider's keys has signed the ID token")


def _may_be(key: Mapping[str, Any], header: _Header) -> bool:
    return (
        key.get("kty") == _KINDS[header.alg[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", header.alg) == header.alg
        and (not header.kid or key.get("kid", header.kid) == header.kid)
    )
