"""Certificates on disk: of real ones, made with openssl; what of a file may leave a host."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.crypto import x509
from collectors.crypto.certificates import CertificatesCollector
from collectors.model import Answer, Answers, Fact, Glob, ParseError, Reading, Stat
from collectors.observe import observe
from collectors.pemblocks import AWK, certificates_only
from collectors.rows import FileStat
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from collectors.sources.recorder import record
from tests.shellhost import SHELLS, ask

BASELINE = Path(__file__).parent.parent / "baseline/crypto"
ROOT = BASELINE / "openeuler-hardened/root/etc/nginx/ssl"
SECRET = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0IQ==\n-----END PRIVATE KEY-----\n"
CERTIFICATE = (ROOT / "sm-sign.crt").read_text()
# As people put them together: a key before, after, glued on, and a certificate that does not end.
FILES = {
    "a.pem": SECRET + CERTIFICATE,
    "b.pem": CERTIFICATE + SECRET,
    "c.pem": CERTIFICATE.rstrip("\n") + SECRET,
    "d.pem": CERTIFICATE.replace("-----END CERTIFICATE-----\n", "") + SECRET,
    "e.pem": SECRET.rstrip("\n") + CERTIFICATE,
    "f.pem": "Bag Attributes\n    friendlyName: x\n" + CERTIFICATE.replace("\n", "\r\n"),
    "g.pem": SECRET,
    "h.pem": "",
    "i.pem": "-----BEGIN CERTIFICATE-----\nsecret words are no base64\n",
}


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


# --- what leaves a host -------------------------------------------------------------------------


def test_a_key_never_passes() -> None:
    for name, text in FILES.items():
        kept = certificates_only(text.encode())
        assert b"c2VjcmV0" not in kept, name
        assert b"PRIVATE" not in kept, name
        assert b"secret" not in kept, name
    counts = {
        name[0]: len(x509.blocks(certificates_only(text.encode()))) for name, text in FILES.items()
    }
    assert counts == dict.fromkeys("abcef", 1) | dict.fromkeys("dghi", 0)


@pytest.mark.parametrize("shell", SHELLS)
def test_all_sources_tell_the_same(shell: str, tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    (folder / "long.pem").write_text(CERTIFICATE * 200)
    (folder / "sub.pem").mkdir()
    (folder / "gone.pem").symlink_to("nowhere")
    readings: tuple[Reading, ...] = (
        Glob(f"{folder}/*.pem", limit=20_000, certificates=True),
        Glob(f"{tmp_path}/*", names=("a.pem", "none.pem"), certificates=True),
    )
    local = LocalSource().answer(readings)
    assert ask(SHELLS[shell], *readings) == local
    assert [path.rpartition("/")[2] for path, _ in local[readings[0]].children] == [
        *FILES,
        "long.pem",
        "sub.pem",
    ]
    record(LocalSource(), readings, tmp_path / "recorded")
    assert RecordedSource(tmp_path / "recorded").answer(readings) == local
    written = b"".join(p.read_bytes() for p in (tmp_path / "recorded").rglob("*") if p.is_file())
    assert b"c2VjcmV0" not in written


LINES = st.lists(
    st.sampled_from(
        [
            "-----BEGIN CERTIFICATE-----",
            "-----END CERTIFICATE-----",
            "-----BEGIN RSA PRIVATE KEY-----",
            "-----END RSA PRIVATE KEY-----",
            "-----END CERTIFICATE----------BEGIN PRIVATE KEY-----",
            " -----BEGIN CERTIFICATE-----\r",
            "MIIB",
            "MIIB==\r",
            "",
            "a b",
            "x:y",
        ]
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(LINES)
def test_awk_and_we_agree(lines: list[str]) -> None:
    content = "\n".join(lines).encode()
    told = subprocess.run(["awk", AWK], input=content, capture_output=True, check=True).stdout
    assert told == certificates_only(content)


# --- certificates -------------------------------------------------------------------------------


def read(path: Path) -> x509.Certificate:
    (der, *_) = x509.blocks(certificates_only(path.read_bytes()))
    return x509.read(der)


def test_sm2_certificates() -> None:
    sign, encrypt = read(ROOT / "sm-sign.crt"), read(ROOT / "sm-enc.crt")
    assert (sign.key_type, sign.key_bits, sign.signature) == ("sm2", 256, "sm3")
    assert (sign.usage, encrypt.usage) == ("sign", "encrypt")
    assert not sign.self_signed
    assert not sign.ca
    assert sign.names == ["portal.example.gov.cn"]


@pytest.mark.parametrize(
    ("key", "digest", "expected"),
    [
        (("rsa", "-pkeyopt", "rsa_keygen_bits:1024"), "sha1", ("rsa", 1024, "sha1")),
        (("rsa", "-pkeyopt", "rsa_keygen_bits:2041"), "sha384", ("rsa", 2041, "sha384")),
        (("ec", "-pkeyopt", "ec_paramgen_curve:P-384"), "sha256", ("ec", 384, "sha256")),
        (("ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"), "sha256", ("ec", 0, "sha256")),
        (("ed25519",), "", ("ed25519", 0, "none")),
    ],
)
def test_keys_and_signatures(
    key: tuple[str, ...], digest: str, expected: tuple[str, int, str], tmp_path: Path
) -> None:
    openssl("genpkey", "-algorithm", *key, "-out", tmp_path / "k")
    made: list[str | Path] = [
        "req",
        "-x509",
        "-utf8",
        "-key",
        tmp_path / "k",
        "-subj",
        "/CN=测试",
        "-days",
        "3650",
    ]
    openssl(*made, "-out", tmp_path / "c", *([f"-{digest}"] if digest else []))
    found = read(tmp_path / "c")
    assert (found.key_type, found.key_bits, found.signature) == expected
    assert found.subject == "CN=测试"
    assert found.self_signed
    assert found.ca


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_damage_is_a_parse_error(data: st.DataObject) -> None:
    (der,) = x509.blocks(CERTIFICATE.encode())
    place = data.draw(st.integers(0, len(der)))
    cut = data.draw(st.integers(0, 40))
    damaged = der[:place] + data.draw(st.binary(max_size=8)) + der[place + cut :]
    for what in (damaged, data.draw(st.binary(max_size=60))):
        with contextlib.suppress(ParseError):
            x509.read(what)


def collect(root: Path, **settings: Any) -> dict[str, Fact]:
    (observation,) = observe(LocalSource(str(root)), [CertificatesCollector(**settings)])
    assert observation.failure == "", observation.reason
    return {fact.name: fact for fact in observation.facts}


def test_which_files_there_are(tmp_path: Path) -> None:
    def put(path: str, text: str = CERTIFICATE, mode: int = 0o644) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
        (tmp_path / path).chmod(mode)

    put("etc/ssl/certs/ca-certificates.crt", CERTIFICATE * 140)
    put("etc/ssl/certs/site.crt", CERTIFICATE + SECRET)
    put("usr/share/ca-certificates/root.crt")
    (tmp_path / "etc/ssl/certs/root.pem").symlink_to(
        tmp_path / "usr/share/ca-certificates/root.crt"
    )
    put("etc/ssl/private/site.key", SECRET, 0o640)
    put("etc/letsencrypt/archive/a/privkey1.pem", SECRET, 0o600)
    for name in ("cert", "chain", "fullchain"):
        put(f"etc/letsencrypt/archive/a/{name}1.pem")
        (tmp_path / "etc/letsencrypt/live/a").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"etc/letsencrypt/live/a/{name}.pem").symlink_to(f"../../archive/a/{name}1.pem")
    put("etc/nginx/ssl/bad.crt", CERTIFICATE.replace("MII", "MIJ"))
    put(
        "etc/nginx/dhparam.pem",
        "-----BEGIN DH PARAMETERS-----\nMIIB\n-----END DH PARAMETERS-----\n",
    )
    put("srv/own/app.crt")
    put("srv/app.key", SECRET, 0o644)
    put(
        "etc/nginx/nginx.conf",
        "http { server { listen 443 ssl; server_name a; ssl_certificate /srv/own/app.crt; }\n"
        "server { listen 444 ssl; ssl_certificate gone.crt; ssl_certificate $name.crt; } }",
    )
    facts = collect(tmp_path, files=("/srv/*",))
    rows = {row["key"]: row for row in facts["certificates"].value}
    assert sorted(rows) == [
        "/etc/letsencrypt/live/a/fullchain.pem",
        "/etc/nginx/gone.crt",
        "/etc/nginx/ssl/bad.crt",
        "/etc/ssl/certs/site.crt",
        "/srv/own/app.crt",
    ]
    assert rows["/srv/own/app.crt"]["used_by"] == ["nginx a 443"]
    assert rows["/etc/nginx/gone.crt"]["error"] == "absent: no such file"
    assert "not a certificate" in rows["/etc/nginx/ssl/bad.crt"]["error"]
    site = rows["/etc/ssl/certs/site.crt"]
    assert (site["not_after"], site["error"], site["started"]) == ("2040-01-01T00:00:00Z", "", True)
    assert site["days_left"] == int((2208988800 - time.time()) // 86400)
    keys = {row["key"]: row["mode_octal"] for row in facts["key_files"].value}
    assert keys == {
        "/etc/ssl/private/site.key": "0640",
        "/etc/letsencrypt/archive/a/privkey1.pem": "0600",
        "/srv/app.key": "0644",
    }


def test_a_folder_that_is_denied_is_a_row_that_says_so() -> None:
    collector = CertificatesCollector()
    answers: dict[Reading, Answer] = dict.fromkeys(collector.readings(), Answer("absent"))
    clock = {"seconds": 1.8e9, "zone": "", "offset": 0}
    answers[collector.readings()[0]] = Answer("content", msgspec.json.encode([clock]))
    answers[Stat("/etc/ssl/[!c]*/*.[ckp][er][mrty]")] = Answer("denied", reason="permission denied")
    row = FileStat("/etc/ssl/a[1].crt", "file", 0o644, 0, 0)
    answers[Stat("/etc/ssl/*.[ckp][er][mrty]")] = Answer("content", msgspec.json.encode([row]))
    literal = Glob("/etc/ssl/a[[]1].crt", limit=256 * 1024, certificates=True)
    answers[literal] = Answer(
        "content", children=((row.path, Answer("denied", reason="permission denied")),)
    )
    made = {
        fact.name: fact.value
        for fact in collector.parse(Answers(answers))
        if isinstance(fact, Fact)
    }
    errors = {row["key"]: row["error"] for row in made["certificates"]}
    assert errors == dict.fromkeys(
        [row.path, "/etc/ssl/[!c]*/*.[ckp][er][mrty]"], "denied: permission denied"
    )
    assert [row["error"] for row in made["key_files"]] == ["denied: permission denied"]
