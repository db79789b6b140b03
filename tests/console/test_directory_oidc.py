"""Logging in at an identity provider: a real one, and one that lies."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey
from oidc_provider_mock import run_server_in_thread
from sqlalchemy import select
from starlette.testclient import TestClient

from collectors.strictyaml import DocumentError, Secret
from exporters.console import settings as consolesettings
from exporters.console.people.directory import attempt
from exporters.console.people.directory.oidcsettings import OidcGrant, OidcSettings, trusted
from exporters.console.people.policy import PeopleSettings
from exporters.console.schema import user
from exporters.console.settings import ConsoleSettings
from tests.consolelab import Console
from tests.oidclab import Liar, rsa

CHEAP = PeopleSettings(rounds=4)
GRANTS = (
    OidcGrant("analysts", "analyst", ("市财政局",)),
    OidcGrant("auditors", "auditor"),
)
AWAY = "登录已超时或不是由本页发起"
REFUSED = "统一身份认证没有通过"


def console_of(issuer: str, tmp_path: Path) -> Console:
    settings = OidcSettings(issuer, "console", Secret("a secret: &?"), GRANTS)
    oidc = ConsoleSettings(people=CHEAP, public_url="http://localhost", oidc=settings)
    return Console(f"sqlite:///{tmp_path}/console.db", oidc)


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with run_server_in_thread(require_nonce=True) as server:
        issuer = f"http://localhost:{server.server_port}"
        for sub, name, groups in (
            ("1", "zhang", ["staff", "analysts"]),
            ("2", "li", ["staff"]),
            ("3", "admin", ["auditors"]),
        ):
            claims = {"preferred_username": name, "name": name.title(), "groups": groups}
            claims["email"] = f"{name}@example.cn"
            httpx.put(f"{issuer}/users/{sub}", json=claims, trust_env=False).raise_for_status()
        yield issuer


@pytest.fixture
def console(provider: str, tmp_path: Path) -> Iterator[Console]:
    made = console_of(provider, tmp_path)
    yield made
    made.close()


@pytest.fixture
def liar() -> Iterator[Liar]:
    with Liar() as running:
        yield running


@pytest.fixture
def deceived(liar: Liar, tmp_path: Path) -> Iterator[Console]:
    made = console_of(liar.issuer, tmp_path)
    yield made
    made.close()


def log_in(client: TestClient, sub: str, action: str = "", path: str = "/hits?x=1") -> Any:
    away = client.get("/login/oidc", params={"next": path})
    assert away.status_code == 303
    form = {"sub": sub, "action": action} if action else {"sub": sub}
    back = httpx.post(away.headers["location"], data=form, trust_env=False)
    assert back.status_code == 302, back.text
    assert back.headers["location"].startswith("http://localhost/login/oidc/callback?")
    return client.get(back.headers["location"])


def people(console: Console) -> dict[str, str]:
    with console.database.reading() as connection:
        return {row.name: row.origin for row in connection.execute(select(user))}


def test_the_way_there_and_back(console: Console, provider: str) -> None:
    client = console.client(None)
    page = client.get("/login?next=/hits")
    assert 'href="/login/oidc?next=/hits"' in page.text
    answer = log_in(client, "1")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/hits?x=1"
    assert client.get("/").status_code == 200
    assert attempt.COOKIE not in client.cookies
    with console.database.reading() as connection:
        row = connection.execute(select(user).where(user.c.name == "zhang")).one()
    assert (row.origin, row.subject) == ("oidc", f"{provider} 1")
    assert (row.role, row.departments) == ("analyst", ["市财政局"])
    assert (row.full_name, row.mail) == ("Zhang", "zhang@example.cn")
    assert log_in(console.client(None), "1").status_code == 303
    assert people(console) == {"zhang": "oidc"}
    # no password leads in there
    answer = client.post("/login", data={"name": "zhang", "password": ""})
    assert answer.status_code in (401, 403)


def test_what_the_browser_is_sent_with(console: Console) -> None:
    away = console.client(None).get("/login/oidc")
    query = parse_qs(urlsplit(away.headers["location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["response_type"] == ["code"]
    assert query["redirect_uri"] == ["http://localhost/login/oidc/callback"]
    assert query["scope"] == ["openid profile email"]
    assert len(query["state"][0]) >= 32
    assert len(query["nonce"][0]) >= 32
    cookie = away.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Max-Age=600" in cookie


def test_who_has_no_group_or_says_no_is_refused(console: Console) -> None:
    answer = log_in(console.client(None), "2")
    assert (answer.status_code, "没有使用本系统的权限" in answer.text) == (403, True)
    answer = log_in(console.client(None), "1", "deny")
    assert answer.status_code == 403
    assert people(console) == {}


def test_a_local_user_is_not_taken_over(console: Console) -> None:
    console.person("admin", "administrator")
    answer = log_in(console.client(None), "3")
    assert (answer.status_code, "已有名为 admin 的其他账户" in answer.text) == (409, True)
    assert people(console) == {"admin": "local"}


def test_what_another_browser_began_does_not_end_here(console: Console) -> None:
    mallory, victim = console.client(None), console.client(None)
    away = mallory.get("/login/oidc")
    back = httpx.post(away.headers["location"], data={"sub": "1"}, trust_env=False)
    url = back.headers["location"]
    answer = victim.get(url)
    assert (answer.status_code, AWAY in answer.text) == (403, True)
    victim.get("/login/oidc")  # with an attempt of its own
    assert victim.get(url).status_code == 403
    assert mallory.get(url).status_code == 303
    assert mallory.get(url).status_code == 403  # a code is good once


@pytest.mark.parametrize("path", ["//evil.example/", "https://evil.example/", "/\\evil.example"])
def test_nobody_is_led_away_after_it(console: Console, path: str) -> None:
    assert log_in(console.client(None), "1", path=path).headers["location"] == "/"


def test_a_cookie_that_was_changed_or_is_over_is_none(console: Console) -> None:
    client = console.client(None)
    client.get("/login/oidc")
    cookie = client.cookies[attempt.COOKIE]
    key = attempt.key(console.database)
    assert key == attempt.key(console.database)
    content = json.loads(base64.urlsafe_b64decode(cookie.partition(".")[0]))
    late = datetime.now(UTC) + timedelta(seconds=attempt.LASTS + 1)
    assert attempt.opened(cookie, key, content["state"], datetime.now(UTC)) is not None
    assert attempt.opened(cookie, key, content["state"], late) is None
    for broken in ("", ".", "a.b", cookie[:-1], "x" + cookie, cookie.partition(".")[0]):
        client.cookies.set(attempt.COOKIE, broken)
        answer = client.get("/login/oidc/callback", params={"code": "x", "state": content["state"]})
        assert answer.status_code == 403, broken
        assert AWAY in answer.text


def end(console: Console, liar: Liar) -> tuple[int, str]:
    client = console.client(None)
    away = client.get("/login/oidc")
    if away.status_code != 303:
        return away.status_code, away.text
    answer = client.get("/login/oidc/callback", params=liar.agreed(away.headers["location"]))
    return answer.status_code, answer.text


def test_the_liar_can_tell_the_truth(deceived: Console, liar: Liar) -> None:
    assert end(deceived, liar)[0] == 303
    assert people(deceived) == {"zhang": "oidc"}
    told = base64.b64decode(liar.given["authorization"].partition(" ")[2]).decode()
    assert told == "console:a+secret%3A+%26%3F"
    liar.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert end(deceived, liar)[0] == 303
    assert liar.given["client_secret"] == "a secret: &?"
    liar.signer = ECKey.generate_key("P-256", {"kid": "two"})
    liar.published, liar.header = [liar.key, liar.signer], {"alg": "ES256", "kid": "two"}
    assert end(deceived, liar)[0] == 303


FALSE: list[dict[str, Any]] = [
    {"nonce": "another"},
    {"nonce": None},
    {"iss": "https://evil.example"},
    {"iss": None},
    {"aud": "another"},
    {"aud": ["another", "third"]},
    {"aud": ["console", "another"]},  # and nobody says for whom
    {"aud": ["console", "another"], "azp": "another"},
    {"azp": "another"},
    {"aud": None},
    {"exp": 1},
    {"exp": None},
    {"exp": "tomorrow"},
    {"iat": int(time.time()) + 3600},
    {"nbf": int(time.time()) + 3600},
    {"sub": None},
    {"sub": ""},
    {"sub": 17},
    {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
]


def test_claims_that_are_not_believed(deceived: Console, liar: Liar) -> None:
    for claims in FALSE:
        liar.claims = claims
        status, text = end(deceived, liar)
        assert (status, REFUSED in text) == (403, True), claims
    assert people(deceived) == {}


def test_signatures_that_are_not_believed(deceived: Console, liar: Liar) -> None:
    other = rsa("one", 1)
    public = liar.key.as_pem(private=False)
    good = liar.good

    def unsigned(alg: str) -> str:
        parts = ({"alg": alg, "kid": "one"}, good() | {"nonce": liar.asked["nonce"]})
        return ".".join(_encoded(json.dumps(one).encode()) for one in parts) + "."

    def shared(alg: str) -> str:
        body = unsigned(alg)[:-1]
        return f"{body}.{_encoded(hmac.new(public, body.encode(), hashlib.sha256).digest())}"

    def by_other(_: str) -> str:
        liar.signer = other
        made = liar.made(good())
        liar.signer = liar.key
        return made

    def cut(_: str) -> str:
        return liar.made(good()).rpartition(".")[0] + "."

    def turned(_: str) -> str:
        head, _, sign = liar.made(good()).split(".")
        body = _encoded(json.dumps(good() | {"groups": ["auditors"]}).encode())
        return f"{head}.{body}.{sign}"

    def nonsense(_: str) -> str:
        return "e30.e30.e30"

    for make, alg in (
        (unsigned, "none"),
        (unsigned, "None"),
        (unsigned, "RS256"),
        (shared, "HS256"),
        (by_other, ""),
        (cut, ""),
        (turned, ""),
        (nonsense, ""),
    ):
        client = deceived.client(None)
        back = liar.agreed(client.get("/login/oidc").headers["location"])
        liar.token = make(alg)
        answer = client.get("/login/oidc/callback", params=back)
        assert (answer.status_code, REFUSED in answer.text) == (403, True), (make, alg)
        assert people(deceived) == {}


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


BROKEN = [
    ("/.well-known/openid-configuration", (500, b"")),
    ("/.well-known/openid-configuration", (302, b"")),
    ("/.well-known/openid-configuration", (200, b"<html>")),
    ("/.well-known/openid-configuration", (200, b"[" * 100_000)),
    ("/.well-known/openid-configuration", (200, b" " * 300_000)),
    ("/keys", (404, b"")),
    ("/keys", (200, b'{"keys": 1}')),
    ("/token", (503, b"")),
    ("/token", (200, b"{}")),
]


def test_a_provider_that_is_broken(deceived: Console, liar: Liar) -> None:
    for path, answer in BROKEN:
        liar.answers = {path: answer}
        status, text = end(deceived, liar)
        assert (status, "目录暂时无法访问" in text) == (503, True), (path, answer)


def test_keys_that_are_of_no_use_are_passed_over(deceived: Console, liar: Liar) -> None:
    good = liar.key.as_dict(private=False)
    odd = [{"kty": "oct", "k": "AAAA", "kid": "one"}, {"kty": "RSA", "kid": "one"}, {"kid": "one"}]
    liar.answers = {"/keys": (200, json.dumps({"keys": [*odd, good]}).encode())}
    assert end(deceived, liar)[0] == 303
    liar.answers = {"/keys": (200, json.dumps({"keys": odd}).encode())}
    assert end(deceived, liar)[0] == 403


def test_a_provider_that_points_elsewhere(deceived: Console, liar: Liar) -> None:
    for metadata in (
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": "file:///etc/passwd"},
    ):
        liar.metadata = metadata
        assert end(deceived, liar)[0] == 503
    liar.metadata = {}
    liar.answers = {"/token": (400, b'{"error": "invalid_grant"}')}
    assert end(deceived, liar)[0] == 403


def test_what_the_token_does_not_tell_userinfo_does(deceived: Console, liar: Liar) -> None:
    liar.claims = {"groups": None, "preferred_username": None}
    liar.metadata = {"userinfo_endpoint": f"{liar.issuer}/userinfo"}
    told = {"sub": "17", "preferred_username": "li", "groups": "auditors"}
    liar.answers = {"/userinfo": (200, json.dumps(told | {"sub": "18"}).encode())}
    assert end(deceived, liar)[0] == 403
    liar.answers = {"/userinfo": (200, json.dumps(told).encode())}
    assert end(deceived, liar)[0] == 303
    assert people(deceived) == {"li": "oidc"}


def test_names_that_are_none(deceived: Console, liar: Liar) -> None:
    names: tuple[Any, ...] = ("", " zhang", "zh\nang", "zh\x00ang", 17, "x" * 300, "\ud800")
    for name in names:
        liar.claims = {"preferred_username": name}
        assert end(deceived, liar)[0] in (403, 503), name
    assert people(deceived) == {}


def test_a_console_without_a_provider_has_no_such_page(tmp_path: Path) -> None:
    console = Console(f"sqlite:///{tmp_path}/console.db")
    client = console.client(None)
    assert client.get("/login/oidc").status_code == 404
    assert client.get("/login/oidc/callback?code=x&state=y").status_code == 404
    assert "/login/oidc" not in client.get("/login").text
    console.close()


@pytest.mark.parametrize(
    ("url", "issuer", "good"),
    [
        ("https://a.example/x", "https://a.example", True),
        ("https://b.example/x", "https://a.example", True),
        ("http://127.0.0.1:1/x", "http://localhost:1", True),
        ("http://[::1]:1/x", "http://[::1]:1", True),
        ("http://127.0.0.1/x", "https://a.example", False),
        ("http://a.example", "http://a.example", False),
        ("http://127.0.0.1.evil.example", "http://127.0.0.1", False),
        ("https://user@a.example", "https://a.example", False),
        ("https://a.example#x", "https://a.example", False),
        ("https://", "https://a.example", False),
        ("https://a.example:x", "https://a.example", False),
        ("ftp://a.example", "https://a.example", False),
    ],
)
def test_where_secrets_may_go(url: str, issuer: str, good: bool) -> None:
    assert trusted(url, issuer) is good


_GOOD = """\
public_url: https://console.example.cn
oidc:
  issuer: https://id.example.cn
  client_id: console
  client_secret: !env JIANWEI_OIDC
  ca_file: ca.pem
  grants:
    - {group: analysts, role: analyst}
"""


def test_the_settings_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIANWEI_OIDC", "s")
    path = tmp_path / "console.yaml"
    path.write_text(_GOOD)
    made = consolesettings.load(str(path)).oidc
    assert made is not None
    assert made.ca_file == str(tmp_path / "ca.pem")
    assert made.client_secret.reveal() == "s"
    for old, new, problem in (
        ("public_url: https://console.example.cn", "", "needs public_url"),
        ("issuer: https", "issuer: http", "loopback alone"),
        ("ca_file: ca.pem", "scopes: [profile]", "no openid"),
        ("!env JIANWEI_OIDC", "hunter2", "not written here"),
        ("group: analysts", "group: ''", "names its group"),
    ):
        path.write_text(_GOOD.replace(old, new))
        with pytest.raises(DocumentError, match=problem):
            consolesettings.load(str(path))
