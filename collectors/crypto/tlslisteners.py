"""What this machine's listeners showed to a TLS client: protocols, ciphers, certificates (RFC 5280).

Slow, and seen by the servers: an inventory that is scanned apart from audits. STARTTLS and NTLS are not spoken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar

from collectors.crypto import x509
from collectors.model import Answers, Collector, Fact, Handshakes, Inventory, ParseError, malformed
from collectors.rows import Clock, TlsListener

CLOCK = Inventory("clock")
DAY = 86400
_NONE = x509.Certificate("", "", [], 0.0, 0.0, "", 0, "", False, False, "")


class TlsListenersCollector(Collector, frozen=True):
    """`tls_listeners`: age (of this inventory) and rows, those that speak TLS and those that could not be looked at:

    key (`tcp/[::]:443`), address, port, loopback, protocols, cipher, weak_cipher (one that it agreed to), certificate
    (one was shown and understood), subject, issuer, not_after, days_left (as of the scan), started, key_type, key_bits, signature, self_signed, ca, error.
    Days and kinds are of the certificate that was shown; without one its values are empty.
    `exclude_ports` are left alone, `timeout` is for one handshake.
    """

    name: ClassVar[str] = "tlslisteners"
    facts: ClassVar[tuple[str, ...]] = ("tls_listeners",)

    exclude_ports: tuple[int, ...] = ()
    timeout: float = 1.0

    def readings(self) -> tuple[Handshakes | Inventory, ...]:
        return (CLOCK, self._handshakes())

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with malformed("clock"):
            (clock,) = answers.rows(CLOCK, Clock)
            if not 0 <= clock.seconds < 1e12:
                raise ParseError("clock: no time")
        found = answers.rows(self._handshakes(), TlsListener)
        rows = [_row(one, clock.seconds) for one in found if one.tls or one.error]
        yield Fact("tls_listeners", {"age": 0, "rows": rows}, {"": "handshakes with own listeners"})

    def _handshakes(self) -> Handshakes:
        return Handshakes(timeout=self.timeout, exclude_ports=self.exclude_ports)


def _row(one: TlsListener, now: float) -> dict[str, Any]:
    found, error = _NONE, one.error
    if one.certificate:
        try:
            found = x509.read(bytes.fromhex(one.certificate))
        except (ParseError, ValueError) as problem:
            error = str(problem)
    known = bool(one.certificate) and not error
    shown = f"[{one.address}]" if ":" in one.address else one.address
    end = datetime.fromtimestamp(found.not_after, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "key": f"tcp/{shown}:{one.port}",
        "address": one.address,
        "port": one.port,
        "loopback": one.address == "::1" or one.address.startswith("127."),
        "protocols": list(one.protocols),
        "cipher": one.cipher,
        "weak_cipher": one.weak_cipher,
        "certificate": known,
        "subject": found.subject,
        "issuer": found.issuer,
        "not_after": end if known else "",
        "days_left": math.floor((found.not_after - now) / DAY) if known else 0,
        "started": known and found.not_before <= now,
        "key_type": found.key_type,
        "key_bits": found.key_bits,
        "signature": found.signature,
        "self_signed": found.self_signed,
        "ca": found.ca,
        "error": error,
        "source": f"handshakes with port {one.port}",
    }
