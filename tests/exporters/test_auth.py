"""Basic authentication, the rate limit and configured headers, on a running server."""

import asyncio
import base64
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.prometheus.gate import Bucket
from exporters.prometheus.passwords import REMEMBERED, Credentials, Passwords, credentials
from exporters.prometheus.settings import WebSettings
from tests.exporters.httpserver import LOOPBACK, Answer, Running, running

COST = 4
COSTLY = 12  # a check takes long enough to be told from none


def hashed(password: bytes, cost: int = COST) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(cost)).decode()


def users(cost: int = COST) -> str:
    return f"basic_auth_users:\n  alice: {hashed(b'wonder:land', cost)}\n  张三: {hashed(b'x', cost)}\n"


def basic(user: str, password: str) -> dict[str, str]:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def settings(path: Path, text: str) -> WebSettings:
    path.write_text(text)
    return WebSettings(listen=LOOPBACK, config_file=str(path))


@pytest.fixture(name="site")
def _site(tmp_path: Path) -> Iterator[Running]:
    with running(settings(tmp_path / "web.yaml", users())) as site:
        yield site


def refused(answer: Answer) -> bool:
    if answer.status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answer.text == "Unauthorized\n"
    return answer.status == 401


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/findings", "/nothing"])
def test_every_path_asks_for_a_password(site: Running, path: str) -> None:
    assert refused(site.ask(path))


@pytest.mark.parametrize(
    "headers",
    [
        basic("alice", "wrong"),
        basic("nobody", "wonder:land"),
        basic("", ""),
        basic("alice", ""),
        basic("alice", "wonder:land" + "x" * 100),
        {"Authorization": "Basic"},
        {"Authorization": "Basic ####"},
        {"Authorization": "Basic " + base64.b64encode(b"alice").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe:x").decode()},
        {"Authorization": "Bearer wonder:land"},
    ],
)
def test_wrong_credentials(site: Running, headers: dict[str, str]) -> None:
    assert refused(site.ask("/metrics", headers=headers))


@pytest.mark.parametrize(("user", "password"), [("alice", "wonder:land"), ("张三", "x")])
def test_right_credentials(site: Running, user: str, password: str) -> None:
    for _ in range(2):
        assert site.ask("/metrics", headers=basic(user, password)).status == 200
    assert refused(site.ask("/metrics", headers=basic(user, "wrong")))
    refusals = 'jianwei_web_refused_total{reason="password"}'
    assert site.metric(refusals, headers=basic(user, password)) == 1


def test_users_are_read_again(site: Running, tmp_path: Path) -> None:
    assert site.ask("/metrics", headers=basic("alice", "wonder:land")).status == 200
    fresh = tmp_path / "fresh"
    fresh.write_text(f"basic_auth_users:\n  alice: {hashed(b'other')}\n")
    os.replace(fresh, tmp_path / "web.yaml")
    assert refused(site.ask("/metrics", headers=basic("alice", "wonder:land")))
    assert site.ask("/metrics", headers=basic("alice", "other")).status == 200
    # an empty file is what a half-written one looks like: it must not open the door
    (tmp_path / "web.yaml").write_text("")
    assert refused(site.ask("/metrics"))
    good = basic("alice", "other")
    assert site.metric("jianwei_web_config_reload_success", headers=good) == 0


def test_a_success_is_remembered_and_a_failure_is_not(tmp_path: Path) -> None:
    config = settings(tmp_path / "web.yaml", users(COSTLY))

    def least(call: Callable[[], object]) -> float:
        """The shortest of three times: what else the machine does only lengthens them."""
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            call()
            times.append(time.perf_counter() - begin)
        return min(times)

    hash_ = hashed(b"x", COSTLY).encode()
    check = least(lambda: bcrypt.checkpw(b"y", hash_))
    with running(config) as site:

        def asked(user: str, password: str) -> float:
            headers = basic(user, password)
            return least(lambda: site.ask("/-/healthy", headers=headers))

        assert asked("alice", "wonder:land") < check / 2
        assert asked("alice", "wrong") > check / 2
        assert asked("nobody", "wonder:land") > check / 2


def test_checks_do_not_block_other_requests(tmp_path: Path) -> None:
    config = settings(tmp_path / "web.yaml", users(COSTLY))
    with running(config) as site:
        good = basic("alice", "wonder:land")
        assert site.ask("/-/healthy", headers=good).status == 200
        guesses = [
            threading.Thread(
                target=site.ask, args=("/metrics",), kwargs={"headers": basic("alice", str(n))}
            )
            for n in range(6)
        ]
        for guess in guesses:
            guess.start()
        for _ in range(5):
            assert site.ask("/-/healthy", headers=good).status == 200
        assert any(guess.is_alive() for guess in guesses)
        for guess in guesses:
            guess.join(30)


async def _fill(passwords: Passwords, count: int) -> None:
    one = hashed(b"x").encode()
    for number in range(count):
        known = {f"user{number}": one}
        assert await passwords.correct(Credentials(f"user{number}", b"x"), known)


def test_what_is_remembered_is_bounded() -> None:
    passwords = Passwords()
    asyncio.run(_fill(passwords, REMEMBERED + 20))
    assert len(passwords._known) == REMEMBERED


@given(st.text(max_size=60))
def test_any_authorization_header_is_understood(header: str) -> None:
    credentials(header)
    credentials(f"Basic {header}")


def test_rate_limit(tmp_path: Path) -> None:
    text = "rate_limit:\n  interval: 1h\n  burst: 3\n"
    with running(settings(tmp_path / "web.yaml", text)) as site:
        statuses = [site.ask("/-/healthy").status for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        (tmp_path / "web.yaml").write_text("rate_limit:\n  interval: 0\n  burst: 1\n")
        assert site.metric('jianwei_web_refused_total{reason="rate"}') == 2


def test_rate_limit_comes_before_the_password(tmp_path: Path) -> None:
    text = f"rate_limit:\n  interval: 1h\n  burst: 2\n{users()}"
    with running(settings(tmp_path / "web.yaml", text)) as site:
        statuses = [site.ask("/metrics").status for _ in range(3)]
        assert statuses == [401, 401, 429]


def test_a_bucket_fills_again() -> None:
    bucket = Bucket(0.2, 2)
    assert [bucket.take(), bucket.take(), bucket.take()] == [True, True, False]
    time.sleep(0.3)
    assert bucket.take()
    time.sleep(0.6)
    assert [bucket.take(), bucket.take(), bucket.take()] == [True, True, False]


def test_headers_are_added(tmp_path: Path) -> None:
    text = (
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n"
        "    Strict-Transport-Security: max-age=60\n    Content-Security-Policy: default-src *\n"
    )
    with running(settings(tmp_path / "web.yaml", text)) as site:
        answer = site.ask("/metrics")
        assert answer.headers["x-frame-options"] == "deny"
        assert answer.headers["strict-transport-security"] == "max-age=60"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "default-src *"
        # the landing page's own policy is stricter and stays
        assert "default-src 'none'" in site.ask("/").headers["content-security-policy"]
