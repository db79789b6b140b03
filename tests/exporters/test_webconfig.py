"""web.config files: what each key does to the TLS context, and what is refused with which words."""

import shutil
import ssl
from pathlib import Path

import bcrypt
import pytest

from collectors.strictyaml import DocumentError
from exporters.prometheus.tls import CIPHERS, CURVES
from exporters.prometheus.webconfig import WebConfig, load
from tests.exporters.certificates import Authority, encrypted_key

INVALID = sorted((Path(__file__).parent / "webconfig").glob("invalid-*.yaml"))
AUTHORITY = Authority()
SERVER = AUTHORITY.issue("server")
TLS = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"


@pytest.fixture(name="directory")
def _directory(tmp_path: Path) -> Path:
    SERVER.write(tmp_path, "server")
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.pem)
    return tmp_path


def written(directory: Path, text: str) -> WebConfig:
    path = directory / "web.yaml"
    path.write_text(text)
    return load(str(path))


def context(config: WebConfig) -> ssl.SSLContext:
    assert config.context
    return config.context


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid(path: Path, directory: Path) -> None:
    first = path.read_text().splitlines()[0]
    copy = directory / path.name
    shutil.copy(path, copy)
    with pytest.raises(DocumentError) as error:
        load(str(copy))
    assert first.startswith("# error: ")
    assert first.removeprefix("# error: ") in str(error.value)
    assert str(error.value).startswith(str(copy))


def test_there_is_an_invalid_corpus() -> None:
    assert len(INVALID) > 30


@pytest.mark.parametrize(
    "text", ["", "tls_server_config:\n", "tls_server_config: {}\nbasic_auth_users:\nrate_limit: {}"]
)
def test_empty_sections_are_none(directory: Path, text: str) -> None:
    config = written(directory, text)
    assert config.context is None
    assert not config.users
    assert config.interval == 0
    assert not config.authenticates


def test_defaults_of_tls(directory: Path) -> None:
    config = written(directory, TLS)
    assert context(config).minimum_version == ssl.TLSVersion.TLSv1_2
    assert context(config).maximum_version == ssl.TLSVersion.TLSv1_3
    assert context(config).verify_mode == ssl.CERT_NONE
    assert context(config).options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert not config.warnings
    assert not config.authenticates


def test_paths_are_relative_to_the_file(
    directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    config = written(directory, TLS)
    assert str(directory / "server.crt") in config.files


def test_inline_certificates(directory: Path) -> None:
    def block(pem: bytes) -> str:
        return "|\n" + "".join(f"    {line}\n" for line in pem.decode().splitlines())

    config = written(
        directory,
        f"tls_server_config:\n  cert: {block(SERVER.certificate)}  key: {block(SERVER.key)}"
        f"  client_ca: {block(AUTHORITY.pem)}  client_auth_type: RequireAndVerifyClientCert\n",
    )
    assert context(config).verify_mode == ssl.CERT_REQUIRED
    assert config.files == (str(directory / "web.yaml"),)
    assert config.authenticates


@pytest.mark.parametrize(
    ("kind", "mode", "warned"),
    [
        ("RequestClientCert", ssl.CERT_NONE, True),
        ("RequireAnyClientCert", ssl.CERT_REQUIRED, True),
        ("RequireClientCert", ssl.CERT_REQUIRED, True),
        ("VerifyClientCertIfGiven", ssl.CERT_OPTIONAL, False),
        ("RequireAndVerifyClientCert", ssl.CERT_REQUIRED, False),
    ],
)
def test_client_auth_types(directory: Path, kind: str, mode: ssl.VerifyMode, warned: bool) -> None:
    config = written(directory, f"{TLS}  client_ca_file: ca.crt\n  client_auth_type: {kind}\n")
    assert context(config).verify_mode == mode
    assert config.authenticates == (mode == ssl.CERT_REQUIRED)
    assert bool(config.warnings) == warned


def test_no_client_certificate(directory: Path) -> None:
    config = written(directory, f"{TLS}  client_auth_type: NoClientCert\n")
    assert context(config).verify_mode == ssl.CERT_NONE


def test_versions(directory: Path) -> None:
    config = written(directory, f"{TLS}  min_version: TLS13\n")
    assert context(config).minimum_version == ssl.TLSVersion.TLSv1_3
    old = written(directory, f"{TLS}  min_version: TLS10\n  max_version: TLS12\n")
    assert context(old).minimum_version == ssl.TLSVersion.TLSv1_2
    assert context(old).maximum_version == ssl.TLSVersion.TLSv1_2
    assert "TLS12 is the lowest" in old.warnings[0]


@pytest.mark.parametrize("name", sorted(CIPHERS))
def test_every_cipher_of_go_is_known_to_openssl(directory: Path, name: str) -> None:
    config = written(directory, f"{TLS}  cipher_suites: [{name}]\n")
    names = {cipher["name"] for cipher in context(config).get_ciphers()}
    older = {n for n in names if not n.startswith("TLS_")}
    if CIPHERS[name]:
        assert older == {CIPHERS[name]}
    else:  # one of TLS 1.3 alone leaves nothing for TLS 1.2
        assert context(config).minimum_version == ssl.TLSVersion.TLSv1_3


def test_order_of_ciphers(directory: Path) -> None:
    config = written(directory, f"{TLS}  prefer_server_cipher_suites: false\n")
    assert not context(config).options & ssl.OP_CIPHER_SERVER_PREFERENCE


@pytest.mark.parametrize("name", sorted(CURVES))
def test_every_curve_is_known_to_openssl(directory: Path, name: str) -> None:
    assert not written(directory, f"{TLS}  curve_preferences: [{name}]\n").warnings


def test_of_several_curves_the_first_is_used(directory: Path) -> None:
    config = written(directory, f"{TLS}  curve_preferences: [X25519, CurveP256]\n")
    assert config.warnings == ("curve_preferences: only X25519 is used",)


def test_headers_and_http2(directory: Path) -> None:
    config = written(
        directory,
        "http_server_config:\n  http2: false\n  headers:\n"
        "    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n"
        "    X-XSS-Protection: '0'\n    Strict-Transport-Security: max-age=31536000\n"
        "    Content-Security-Policy: ''\n",
    )
    assert (b"x-frame-options", b"deny") in config.headers
    assert b"content-security-policy" not in dict(config.headers)


@pytest.mark.parametrize("prefix", [b"2a", b"2b", b"2y"])
def test_users(directory: Path, prefix: bytes) -> None:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).replace(b"2b", prefix).decode()
    config = written(directory, f"basic_auth_users:\n  alice: {hashed}\n  0123: {hashed}\n")
    assert set(config.users) == {"alice", "0123"}
    assert config.authenticates


@pytest.mark.parametrize(
    ("interval", "seconds"), [("1s", 1.0), ("500ms", 0.5), ("0", 0.0), ("'0'", 0.0), ("0s", 0.0)]
)
def test_rate_limit(directory: Path, interval: str, seconds: float) -> None:
    config = written(directory, f"rate_limit:\n  interval: {interval}\n  burst: 20\n")
    assert (config.interval, config.burst) == (seconds, 20)


def test_pairs_that_do_not_belong_together(directory: Path) -> None:
    (directory / "server.key").write_bytes(AUTHORITY.issue("other").key)
    with pytest.raises(DocumentError, match="cert_file: does not belong to the key_file"):
        written(directory, TLS)


def test_encrypted_keys_are_refused_without_asking(directory: Path) -> None:
    (directory / "server.key").write_bytes(encrypted_key())
    with pytest.raises(DocumentError, match="key_file: is encrypted"):
        written(directory, TLS)


def test_client_ca_that_is_none(directory: Path) -> None:
    (directory / "ca.crt").write_text("hello")
    with pytest.raises(DocumentError, match="client_ca_file: is not a PEM certificate"):
        written(
            directory,
            f"{TLS}  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n",
        )


def test_a_missing_file() -> None:
    with pytest.raises(DocumentError, match=r"nowhere\.yaml: cannot be read"):
        load("/nowhere.yaml")


def test_errors_show_no_secrets(directory: Path) -> None:
    with pytest.raises(DocumentError) as error:
        written(directory, "basic_auth_users:\n  alice: my-plain-password\n")
    assert "my-plain-password" not in str(error.value)
