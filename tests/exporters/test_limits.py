"""Clients that ask too much, too slowly or never to the end."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.strictyaml import Duration
from exporters.prometheus.server import RESERVE
from exporters.prometheus.settings import WebSettings
from tests.exporters.httpserver import LOOPBACK, Running, SmallBackend, running

IMPATIENT = WebSettings(
    listen=LOOPBACK,
    head_timeout=Duration(1),
    idle_timeout=Duration(1),
    send_timeout=Duration(1),
    max_connections=16,
)


@pytest.fixture(name="site")
def _site() -> Iterator[Running]:
    with running(IMPATIENT) as site:
        yield site


def opened(site: Running) -> socket.socket:
    return socket.create_connection(("127.0.0.1", site.port), 15)


def rest(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    content = b""
    with contextlib.suppress(ConnectionResetError):
        while more := client.recv(1 << 16):
            content += more
    return content


def test_large_head_in_one_piece(site: Running) -> None:
    answer = site.ask("/metrics", headers={"X-Large": "x" * (16 << 10)})
    assert answer.status == 431
    assert site.metric('jianwei_web_refused_total{reason="size"}') == 1


def test_large_target(site: Running) -> None:
    assert site.ask("/metrics?" + "x" * (16 << 10)).status == 431


def test_large_head_that_never_ends(site: Running) -> None:
    with opened(site) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            for number in range(40):
                client.sendall(b"x-%d: %s\r\n" % (number, b"x" * 1000))
                time.sleep(0.001)
        assert rest(client)[:13] in (b"HTTP/1.1 431 ", b"")  # a reset may overtake the answer
    assert site.metric('jianwei_web_refused_total{reason="size"}') == 1


@pytest.mark.parametrize(
    "junk",
    [b"\x16\x03\x01\x00\xff\x01\r\n\r\n", b"GET\r\n\r\n", b"\0" * 99],
)
def test_junk_is_a_bad_request(site: Running, junk: bytes) -> None:
    with opened(site) as client:
        client.sendall(junk)
        assert rest(client).startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 408 "))
    assert site.ask("/-/healthy").status == 200


def test_bodies(site: Running) -> None:
    assert site.ask("/-/reload", "POST", body=b"x" * 1000).status == 200
    with opened(site) as client:
        client.sendall(b"POST /-/reload HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999\r\n\r\n")
        assert rest(client).startswith(b"HTTP/1.1 413 ")
    with opened(site) as client:
        client.sendall(b"POST /-/reload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
        assert rest(client).startswith(b"HTTP/1.1 411 ")
    assert site.backend.reloads == 1


@pytest.mark.parametrize(
    "start",
    [b"", b"G", b"GET /metrics HTTP/1.1\r\nhost: a\r\nx-slow: "],
    ids=["nothing", "one byte", "half a head"],
)
def test_a_client_that_never_finishes_its_request(site: Running, start: bytes) -> None:
    with opened(site) as slow:
        slow.sendall(start)
        assert site.ask("/metrics").status == 200
        answer = rest(slow)
        assert answer.startswith(b"HTTP/1.1 408 ") if start else answer == b""


def test_a_client_that_drips(site: Running) -> None:
    """Each byte in time, the whole never: the deadline is for the whole."""
    with opened(site) as slow:
        begin = time.monotonic()
        with contextlib.suppress(OSError):
            for letter in b"GET /metrics HTTP/1.1\r\nhost: " + b"a" * 200:
                slow.sendall(bytes((letter,)))
                time.sleep(0.05)
        assert time.monotonic() - begin < 10
    assert site.metric('jianwei_web_refused_total{reason="slow"}') == 1


def test_a_second_request_that_never_ends(site: Running) -> None:
    with opened(site) as slow:
        slow.sendall(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\nGET /")
        assert rest(slow).startswith(b"HTTP/1.1 200 ")


def test_a_body_that_never_comes(site: Running) -> None:
    with opened(site) as slow:
        slow.sendall(b"POST /-/reload HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n")
        assert rest(slow).startswith(b"HTTP/1.1 200 ")


def test_idle_connections_are_closed(site: Running) -> None:
    with opened(site) as idle:
        idle.sendall(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n")
        assert rest(idle).endswith(b"Healthy.\n")


def test_a_client_that_does_not_read() -> None:
    backend = SmallBackend()
    backend.audit = b"x" * (32 << 20)
    with running(IMPATIENT, backend) as site, opened(site) as deaf:
        deaf.sendall(b"GET /findings HTTP/1.1\r\nhost: a\r\n\r\n" * 2)
        connections = "jianwei_web_connections"
        for _ in range(100):
            if site.metric(connections) == 1:  # the one that asks
                break
            time.sleep(0.1)
        assert site.metric(connections) == 1
        assert site.metric('jianwei_web_refused_total{reason="slow"}') == 1


def test_too_many_connections(site: Running) -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(opened(site))
        for _ in range(IMPATIENT.max_connections - 1):
            stack.enter_context(opened(site))
        over = stack.enter_context(opened(site))
        over.sendall(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n")
        assert over.recv(1 << 16).startswith(b"HTTP/1.1 503 ")
        # who was there before is served as ever
        first.sendall(b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n")
        assert first.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        for _ in range(RESERVE):
            stack.enter_context(opened(site))
        far_over = stack.enter_context(opened(site))
        assert rest(far_over) == b""
    for _ in range(100):  # the server takes note of their end
        with contextlib.suppress(OSError):
            if site.ask("/-/healthy").status == 200:
                break
        time.sleep(0.05)
    assert site.metric('jianwei_web_refused_total{reason="connections"}') >= 2


def test_slow_clients_do_not_delay_others(site: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(IMPATIENT.max_connections // 2):
            stack.enter_context(opened(site)).sendall(b"GET /metrics HTTP/1.1\r\n")
        begin = time.monotonic()
        for _ in range(10):
            assert site.ask("/metrics").status == 200
        assert time.monotonic() - begin < 5


def test_pipelined_requests_are_answered_in_order(site: Running) -> None:
    with opened(site) as client:
        client.sendall(
            b"GET /-/healthy HTTP/1.1\r\nhost: a\r\n\r\n"
            b"GET /-/ready HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
        )
        answer = rest(client)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.index(b"Healthy.") < answer.index(b"Ready.")


def test_requests_under_way_are_finished_when_it_stops() -> None:
    backend = SmallBackend()
    backend.hold = threading.Event()
    pages: list[bytes] = []
    with running(WebSettings(listen=LOOPBACK), backend) as site:
        scrape = threading.Thread(target=lambda: pages.append(site.ask("/metrics").body))
        scrape.start()
        while not _busy(site):
            time.sleep(0.01)
        site.server.stop()
        time.sleep(0.1)
        backend.hold.set()
        scrape.join(10)
    assert b"node_load 1.0" in pages[0]


def _busy(site: Running) -> bool:
    return site.server.families()[1].samples[0].value >= 1


def test_idle_clients_do_not_hold_up_the_stop() -> None:
    with running(WebSettings(listen=LOOPBACK)) as site:
        idle = site.connection()
        idle.request("GET", "/-/healthy")
        assert idle.getresponse().read() == b"Healthy.\n"
        begin = time.monotonic()
        site.server.stop()
        assert idle.sock.recv(1) == b""
        assert time.monotonic() - begin < 4
        idle.close()


HEADS = st.sampled_from(
    [
        b"GET /metrics HTTP/1.1\r\nhost: a\r\n",
        b"GET /metrics?collect[]=%ff%00&exclude[] HTTP/1.1\r\nhost: a\r\n",
        b"POST /-/reload HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: a\r\n",
        b"GET http://a/findings HTTP/1.0\r\n",
        b"",
    ]
)


def test_whatever_comes_the_server_goes_on(site: Running, caplog: pytest.LogCaptureFixture) -> None:
    @settings(max_examples=80, deadline=None)
    @given(st.lists(st.tuples(HEADS, st.binary(max_size=60)), max_size=4))
    def send(pieces: list[tuple[bytes, bytes]]) -> None:
        with opened(site) as client:
            with contextlib.suppress(OSError):
                for head, more in pieces:
                    client.sendall(head + more + b"\r\n\r\n")
                client.shutdown(socket.SHUT_WR)
            rest(client)
        assert site.ask("/-/healthy").status == 200

    send()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
