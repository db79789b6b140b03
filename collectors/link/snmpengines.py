"""Who we are to SNMP agents: engines of pysnmp, and communities and users (RFC 3414, RFC 7860).

AES with 192 and 256 bits is no RFC; it is done as net-snmp and most routers do it (Blumenthal).
"""

from __future__ import annotations

from typing import Any

from collectors.link.devices import SnmpAccess


class Engines:
    """SNMP engines of one event loop: one, and one more for each secret that a user has elsewhere."""

    def __init__(self) -> None:
        self._engines: dict[int, Any] = {}
        self._secrets: dict[str, list[tuple[str, ...]]] = {}

    def engine_of(self, access: SnmpAccess) -> Any:
        from pysnmp.entity.engine import SnmpEngine

        number = 0
        if access.version == "v3":
            known = self._secrets.setdefault(access.user, [])
            mine = _credentials(access)
            if mine not in known:
                known.append(mine)
            number = known.index(mine)
        if number not in self._engines:
            self._engines[number] = SnmpEngine()
        return self._engines[number]

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close_dispatcher()


def _credentials(access: SnmpAccess) -> tuple[str, ...]:
    return (
        access.auth,
        access.auth_secret.reveal() if access.auth_secret else "",
        access.priv,
        access.priv_secret.reveal() if access.priv_secret else "",
    )


def auth_of(access: SnmpAccess) -> Any:
    """What pysnmp has for the community or the user."""
    from pysnmp.entity import config
    from pysnmp.hlapi.v3arch.asyncio import CommunityData, UsmUserData

    if access.community is not None:
        return CommunityData(access.community.reveal(), mpModel=1)  # noqa: S508 - what the device has
    _, auth_secret, _, priv_secret = _credentials(access)
    return UsmUserData(
        access.user,
        auth_secret or None,
        priv_secret or None,
        authProtocol={
            "none": config.USM_AUTH_NONE,
            "MD5": config.USM_AUTH_HMAC96_MD5,
            "SHA": config.USM_AUTH_HMAC96_SHA,
            "SHA-224": config.USM_AUTH_HMAC128_SHA224,
            "SHA-256": config.USM_AUTH_HMAC192_SHA256,
            "SHA-384": config.USM_AUTH_HMAC256_SHA384,
            "SHA-512": config.USM_AUTH_HMAC384_SHA512,
        }[access.auth],
        privProtocol={
            "none": config.USM_PRIV_NONE,
            "DES": config.USM_PRIV_CBC56_DES,
            "AES": config.USM_PRIV_CFB128_AES,
            "AES-192": config.USM_PRIV_CFB192_AES,
            "AES-256": config.USM_PRIV_CFB256_AES,
        }[access.priv],
    )
