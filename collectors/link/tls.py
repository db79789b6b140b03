"""TLS of a probe: the handshake, what the server showed, and why it is not to be trusted.

A handshake that verifies comes first. Where the certificate is the problem, a second connection
that verifies nothing brings it to light, so that its dates are told also after they have passed.
Keys as blackbox_exporter's `tls_config` has them; verification is OpenSSL's (X509_verify_cert(3)).
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Final, NamedTuple

import msgspec

from collectors.link import certificates
from collectors.link.certificates import Certificate
from collectors.link.connect import Deadline, Failure, Stream, connect, failed, result
from collectors.link.resolve import ascii_name
from collectors.link.tlsconfig import Protocol, TlsConfig, context
from collectors.model import Family, ProbeResult, Reason, Target, gauge, sample

_SPOKEN: Final = {
    "TLSv1": "TLS 1.0",
    "TLSv1.1": "TLS 1.1",
    "TLSv1.2": "TLS 1.2",
    "TLSv1.3": "TLS 1.3",
}
# x509_vfy.h; whatever else is wrong with a chain makes it untrusted
_REASONS: Final[dict[int, Reason]] = {
    9: "tls_not_yet_valid",
    10: "tls_expired",
    62: "tls_name_mismatch",
    64: "tls_name_mismatch",
}
_DER = 2  # _ssl.ENCODING_DER
_DAY = 86400
MAX_CHAIN = 10  # certificates told of


class TlsModule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the prober `tls`: a handshake and nothing else."""

    preferred_ip_protocol: Protocol = "ip6"
    ip_protocol_fallback: bool = True
    source_ip_address: str = ""
    tls_config: TlsConfig = TlsConfig()
    alpn: Annotated[tuple[str, ...], msgspec.Meta(max_length=20)] = ()


class Seen(NamedTuple):
    """What a server showed in its handshake. `verified` is the chain up to a trusted root."""

    version: str
    cipher: str
    presented: tuple[Certificate, ...]
    verified: tuple[Certificate, ...] = ()

    def families(self, now: float) -> tuple[Family, ...]:
        """blackbox_exporter's series, and ours."""
        told = [
            gauge(
                "probe_tls_version_info",
                "TLS version of the connection.",
                sample(1.0, version=self.version),
            ),
            gauge(
                "jianwei_probe_tls_cipher_info",
                "Cipher suite of the connection, as OpenSSL names it.",
                sample(1.0, cipher=self.cipher),
            ),
        ]
        if self.presented:
            told += _certificate_families(self.presented, self.verified or self.presented, now)
        return tuple(told)


class Untrusted(Failure):
    """The certificate is the problem; `seen` is what the server showed, if it did so again."""

    def __init__(self, reason: Reason, detail: str, seen: Seen | None = None) -> None:
        super().__init__(reason, detail)
        self.seen = seen


def probe(target: Target, settings: TlsModule, timeout: float) -> ProbeResult:
    """One TLS handshake with the target, which is the round trip."""
    start, deadline = time.perf_counter(), Deadline(timeout)
    phases: dict[str, float] = {}
    seen: Seen | None = None
    failure: Failure | None = None

    def dial() -> Stream:
        return connect(target, target.port, settings.source_ip_address, deadline)

    try:
        stream = dial()
        phases["connect"] = time.perf_counter() - start
        name = settings.tls_config.server_name or target.host or target.address
        stream, seen = secure(stream, dial, settings.tls_config, name, deadline, settings.alpn)
        phases["tls"] = time.perf_counter() - start - phases["connect"]
        stream.close()
    except Untrusted as error:
        failure, seen = error, error.seen
    except Failure as error:
        failure = error
    families = seen.families(time.time()) if seen else ()
    return result("tls", target, start, phases, failure, families, answered=seen is not None)


def secure(
    stream: Stream,
    again: Callable[[], Stream],
    config: TlsConfig,
    name: str,
    deadline: Deadline,
    alpn: Sequence[str] = (),
) -> tuple[Stream, Seen]:
    """The stream with TLS over it. `again` makes another one, to look at what is not trusted."""
    try:
        return _handshake(stream, config, name, deadline, alpn, not config.insecure_skip_verify)
    except Untrusted as untrusted:
        try:
            looked, seen = _handshake(again(), config, name, deadline, alpn, verify=False)
            looked.close()
        except Failure as error:
            detail = f"{untrusted.detail}; no second look at it: {error.detail}"
            raise Untrusted(untrusted.reason, detail) from error
        raise Untrusted(untrusted.reason, _told(untrusted, seen), seen) from untrusted


def _handshake(
    stream: Stream,
    config: TlsConfig,
    name: str,
    deadline: Deadline,
    alpn: Sequence[str],
    verify: bool,
) -> tuple[Stream, Seen]:
    """TLS over a stream, which is closed if that fails."""
    try:
        made = context(config, verify, tuple(alpn))
        over = made.wrap_socket(
            stream.socket,
            server_hostname=ascii_name(name.partition("%")[0]).rstrip("."),
            do_handshake_on_connect=False,
        )
        stream.socket = over
        over.settimeout(deadline.left())
        over.do_handshake()
        version = _SPOKEN.get(over.version() or "", "unknown")
        cipher = (over.cipher() or ("unknown",))[0]
        verified = certificates.read(_chain(over, "get_verified_chain")) if verify else ()
        presented = certificates.read(_chain(over, "get_unverified_chain"))
        return stream, Seen(version, cipher, presented, verified)
    except ssl.SSLCertVerificationError as error:
        stream.close()
        reason = _REASONS.get(error.verify_code, "tls_untrusted")
        raise Untrusted(reason, error.verify_message.rstrip(".")) from error
    except OSError as error:
        stream.close()
        raise failed(error, deadline) from error
    except ValueError as error:  # UnicodeError among them
        stream.close()
        raise Failure("error", f"{name!r} cannot be a server's name") from error
    except Failure:
        stream.close()
        raise


def _chain(over: ssl.SSLSocket, call: str) -> list[bytes]:
    """Certificates in DER; Python has the calls in public since 3.13 only."""
    public = getattr(over, call, None)
    if public:
        return list(public())
    inner = over._sslobj  # type: ignore[attr-defined]
    return [one.public_bytes(_DER) for one in getattr(inner, call)() or ()]


def _told(untrusted: Untrusted, seen: Seen) -> str:
    """OpenSSL's first complaint, and the dates, about which it may not have come to complain."""
    if not seen.presented:
        return untrusted.detail
    leaf, now = seen.presented[0], time.time()
    end = certificates.earliest_expiry(seen.presented)
    facts = [f"subject {leaf.subject}" if leaf.subject else f"names {leaf.names}"]
    if end < now:
        facts.append(f"expired {(now - end) / _DAY:.1f} days ago")
    if leaf.not_before > now:
        facts.append(f"valid only in {(leaf.not_before - now) / _DAY:.1f} days")
    if untrusted.reason == "tls_name_mismatch":
        facts.append(f"for {leaf.names or 'no DNS name'}")
    return f"{untrusted.detail} ({'; '.join(facts)})"


def _certificate_families(
    presented: Sequence[Certificate], chain: Sequence[Certificate], now: float
) -> list[Family]:
    leaf, earliest = presented[0], certificates.earliest_expiry(presented)
    return [
        gauge(
            "probe_ssl_earliest_cert_expiry",
            "Unix time at which the first of the presented certificates expires.",
            sample(earliest),
        ),
        gauge(
            "probe_ssl_last_chain_expiry_timestamp_seconds",
            "Unix time at which the verified chain expires, or the presented one if none is.",
            sample(certificates.earliest_expiry(chain)),
        ),
        gauge(
            "probe_ssl_last_chain_info",
            "The server's own certificate.",
            sample(
                1.0,
                fingerprint_sha256=leaf.fingerprint,
                subject=leaf.subject,
                issuer=leaf.issuer,
                subjectalternative=leaf.names,
            ),
        ),
        gauge(
            "jianwei_probe_tls_expiry_seconds",
            "Time until the first of the presented certificates expires; below 0 once it has.",
            sample(earliest - now),
        ),
        gauge(
            "jianwei_probe_tls_certificate_expiry_timestamp_seconds",
            "Unix time at which each presented certificate expires; position 0 is the server's.",
            *(
                sample(one.not_after, position=str(position), subject=one.subject)
                for position, one in enumerate(presented[:MAX_CHAIN])
            ),
        ),
    ]
