"""Certificates that are none, and what does not fit a label. Names: test_blackbox_parity.py."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from collectors.link.certificates import MAX_LABEL, earliest_expiry, read
from tests.exporters.certificates import Authority, Pair, self_signed


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.certificate.decode())


GOOD = der(Authority().issue("good", ends=5))


def test_the_first_to_expire_counts() -> None:
    chain = read([der(Authority().issue("later", ends=50)), GOOD])
    assert [one.subject for one in chain] == ["CN=later", "CN=good"]
    assert earliest_expiry(chain) == chain[1].not_after


def test_many_names_are_shortened() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "many")])
    names = [x509.DNSName(f"{number}.example") for number in range(5000)]
    (one,) = read([der(self_signed(subject, *names))])
    assert len(one.names) == MAX_LABEL + 1
    assert one.names.startswith("0.example,1.example,")


@given(st.binary(max_size=80))
def test_what_is_no_certificate_is_left_out(data: bytes) -> None:
    assert [one.subject for one in read([data, GOOD])] == ["CN=good"]


@pytest.mark.filterwarnings("ignore:Attribute's length")
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_certificates_with_one_byte_changed(where: int, byte: int) -> None:
    changed = GOOD[:where] + bytes((byte,)) + GOOD[where + 1 :]
    for one in read([changed]):
        assert one.fingerprint
        assert len(one.subject) <= MAX_LABEL + 1
