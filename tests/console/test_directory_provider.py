"""TLS of an identity provider: whom it is believed from."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from collectors.strictyaml import Secret
from exporters.console.people.directory import provider
from exporters.console.people.directory.identity import DirectoryDown
from exporters.console.people.directory.oidcsettings import OidcGrant, OidcSettings
from tests.exporters.certificates import Authority
from tests.oidclab import Liar


def test_tls_is_verified(tmp_path: Path) -> None:
    authority, other = Authority(), Authority("Other CA")
    ours, theirs = tmp_path / "ours.pem", tmp_path / "theirs.pem"
    ours.write_bytes(authority.pem)
    theirs.write_bytes(other.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("provider").write(tmp_path, "provider"))
    grants = (OidcGrant("analysts", "analyst"),)
    with Liar(context) as liar:
        made = OidcSettings(liar.issuer, "console", Secret("x"), grants, ca_file=str(ours))
        assert provider.discover(made).issuer == liar.issuer
        for ca_file in (str(theirs), ""):
            with pytest.raises(DirectoryDown, match="CERTIFICATE_VERIFY_FAILED"):
                provider.discover(
                    OidcSettings(liar.issuer, "console", Secret("x"), grants, ca_file=ca_file)
                )
        named = OidcSettings(
            liar.issuer.replace("127.0.0.1", "localhost"),
            "console",
            Secret("x"),
            grants,
            ca_file=str(ours),
        )
        with pytest.raises(DirectoryDown, match=r"(?i)hostname mismatch"):
            provider.discover(named)
