"""How a database is reached: what people write, who they are, and whom they trust."""

from __future__ import annotations

import base64
import email.utils
import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.strictyaml import DocumentError, Duration, Secret, load
from exporters.promapi.client import PromClient, PromSettings
from exporters.promapi.refusals import retry_after
from exporters.usage.source import SourceError
from tests.exporters.certificates import Authority
from tests.exporters.promasking import AT, GOOD, asked, problem, settings, told
from tests.exporters.rudeserver import http, rude, trickling


def test_who_asks_is_told_in_headers_and_in_no_message() -> None:
    with rude(GOOD, http(401, "no")) as server:
        secret = Secret("p:ä-geheim")
        given = settings(server.url, user="bob", password=secret)
        assert "geheim" not in repr(given)
        with PromClient(given) as client:
            client.instant("up", AT)
            pair = base64.b64encode("bob:p:ä-geheim".encode()).decode()
            assert f"Authorization: Basic {pair}" in server.requests[0]
            with pytest.raises(SourceError) as caught:
                client.instant("up", AT)
        assert "geheim" not in str(caught.value)
        assert "bob" not in str(caught.value)
    echo = http(500, f"you said Basic {pair}, p:ä-geheim, X-Key: geheim-2, of city-1")
    text, _ = problem(
        echo,
        user="bob",
        password=secret,
        headers={"X-Key": Secret("geheim-2"), "X-Scope-OrgID": Secret("city-1")},
    )
    assert "you said Basic ***, ***, X-Key: ***, of city-1" in text
    with rude(GOOD) as server:
        more = {"bearer_token": Secret("t0k3n"), "headers": {"X-Scope-OrgID": Secret("city")}}
        with PromClient(settings(server.url, **more)) as client:
            client.instant("up", AT)
        assert "Authorization: Bearer t0k3n" in server.requests[0]
        assert "X-Scope-OrgID: city" in server.requests[0]


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert asked(GOOD)[1] == 1


def test_tls_is_verified_against_the_authority_that_is_given(tmp_path: Path) -> None:
    authority = Authority()
    certificate, key = authority.issue("prometheus").write(tmp_path, "server")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    ca = str(tmp_path / "ca.pem")
    with rude(GOOD, tls=tls) as server:
        with PromClient(settings(server.url, ca_file=ca)) as client:
            assert len(client.instant("up", AT)) == 1
        text = told(server.url)
        assert "its certificate is not trusted" in text
        assert "ca_file" in text
        assert "tries" not in text
        assert told(f"http://127.0.0.1:{server.port}").startswith("http://127.0.0.1")
        with pytest.raises(SourceError, match=r"ca_file: .*/none\.pem: No such file"):
            PromClient(settings(server.url, ca_file=str(tmp_path / "none.pem")))
    slow = trickling(b"HTTP/1.1 200 OK\r\n\r\n", b" ")
    with rude(slow, tls=tls) as server:
        text = told(server.url, ca_file=ca, timeout=Duration(0.5), retries=0)
        assert "no whole answer in 0.5 s" in text
    with rude(GOOD) as server:
        assert "begin with http://" in told(f"https://127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "prometheus:9090",
        "ftp://a",
        "http://",
        "http://a:b",
        "http://a:99999",
        "http://[::1",
        "http://a b",
        "http://bob:geheim@a",
        "http://bob@a",
        "http://a/?token=geheim",
        "http://a/#geheim",
        "http://a/api/v1/",
        "http://a/\n",
        "http://中国",
    ],
)
def test_a_bad_address_is_refused_and_a_password_in_it_never_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: ") as caught:
        PromSettings(url=url)
    assert "geheim" not in str(caught.value)


def test_settings_are_read_as_people_write_them(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t0k3n\n")
    path = tmp_path / "prom.yaml"

    def read(text: str) -> PromSettings:
        path.write_text(f"url: https://prom.example/prometheus\n{text}")
        return load(str(path), PromSettings)

    given = read(
        "bearer_token: !file token\ntimeout: 1m\nheaders: {X-Scope-OrgID: a, X-Key: !file token}\n"
    )
    assert given.bearer_token
    assert given.bearer_token.reveal() == "t0k3n"
    assert {name: value.reveal() for name, value in given.headers.items()} == {
        "X-Scope-OrgID": "a",
        "X-Key": "t0k3n",
    }
    assert "t0k3n" not in repr(given)
    for text, words in (
        ("bearer_token: t0k3n", "a secret is not written here"),
        ("insecure: true", "unknown key"),
        ("user: a", "user and password: both or none"),
        ("user: a\npassword: !file token\nbearer_token: !file token", "either user"),
        ("headers: {Authorization: a}", "is a secret"),
        ("headers: {'a b': a}", "not the name of a header"),
        ('headers: {a: "x\\ny"}', "no header may have"),
        ("headers: {Host: a}", "made by the client"),
        ("headers: {a: 1}", "a secret is not written here"),
        ("retries: 99", "retries"),
        ("max_bytes: 1", "max_bytes"),
    ):
        with pytest.raises(DocumentError, match=words) as caught:
            read(text)
        assert "t0k3n" not in str(caught.value)


@given(
    st.text(max_size=30)
    | st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "https", "HTTP"]),
        st.sampled_from(["a", "[::1]", "[::1%25x]", "a..b", "-", "a_b", "1", "x" * 70, ""])
        | st.text(max_size=10),
        st.sampled_from(["", ":1", ":0", ":٣", ":"]),
        st.sampled_from(["", "/", "/a//b", "/%zz", "/\\"]) | st.text(max_size=5),
    )
)
def test_any_address_is_refused_or_asked(url: str) -> None:
    with suppress(ValueError, SourceError), PromClient(settings(url, retries=0)) as client:
        assert "@" not in client.name


@given(
    st.text(max_size=30)
    | st.datetimes().map(email.utils.format_datetime)
    | st.integers().map(str)
    | st.sampled_from(["Fri, 31 Dec 0000 00:00:00 GMT", "31 Dec 99999 9:9:9 +9999", "٣"])
)
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    after = retry_after({"retry-after": text})
    assert after is None or after >= 0
