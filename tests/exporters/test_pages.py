import gzip
import threading
from collections.abc import Iterator

import pytest

from exporters.prometheus.negotiation import TEXT
from exporters.prometheus.settings import WebSettings
from tests.exporters.httpserver import LOOPBACK, Running, SmallBackend, running


@pytest.fixture(name="site")
def _site() -> Iterator[Running]:
    with running() as site:
        yield site


def test_metrics_as_text(site: Running) -> None:
    answer = site.ask("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == TEXT
    assert answer.headers["vary"] == "accept, accept-encoding"
    assert "content-encoding" not in answer.headers
    lines = answer.text.splitlines()
    assert "node_load 1.0" in lines
    assert "jianwei_web_insecure 0.0" in lines
    assert "jianwei_web_config_reload_success 1.0" in lines


def test_metrics_as_openmetrics_and_gzip(site: Running) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer = site.ask("/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body).endswith(b"# EOF\n")
    assert int(answer.headers["content-length"]) == len(answer.body)


def test_collect_and_exclude(site: Running) -> None:
    assert "node_memory" not in site.ask("/metrics?collect[]=load").text
    assert "node_memory" not in site.ask("/metrics?exclude%5B%5D=memory").text
    both = site.ask("/metrics?collect[]=load&collect[]=memory").text
    assert "node_memory 1.0" in both
    assert "node_load 1.0" in both


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("collect[]=load&exclude[]=memory", "collect[] and exclude[] cannot be used together\n"),
        ("collect[]=laod", "unknown collector 'laod'; there are: load, memory\n"),
        ("exclude[]=laod", "unknown collector 'laod'; there are: load, memory\n"),
    ],
)
def test_bad_questions(site: Running, query: str, expected: str) -> None:
    answer = site.ask(f"/metrics?{query}")
    assert (answer.status, answer.text) == (400, expected)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_probe(site: Running) -> None:
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": "7"}
    answer = site.ask("/probe?target=192.0.2.1&module=icmp", headers=headers)
    assert "probe_timeout_seconds 7.0" in answer.text.splitlines()
    assert "jianwei_web" not in answer.text
    assert answer.headers["content-type"] == TEXT
    refused = site.ask("/probe")
    assert (refused.status, refused.text) == (400, "the parameter target is missing\n")
    debug = site.ask("/probe?target=192.0.2.1&debug=true")
    assert debug.text == "probing 192.0.2.1"
    assert debug.headers["content-type"] == "text/plain; charset=utf-8"


def test_errors_show_no_stack(site: Running, caplog: pytest.LogCaptureFixture) -> None:
    answer = site.ask("/probe?target=bug")
    assert (answer.status, answer.text) == (500, "internal error, see the log\n")
    assert site.ask("/-/healthy").status == 200
    assert "secret detail" in caplog.text  # the operator sees it


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_findings_and_their_tag(site: Running, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding}
    first = site.ask("/findings", headers=headers)
    assert first.status == 200
    assert first.headers["content-type"] == "application/json"
    content = gzip.decompress(first.body) if encoding == "gzip" else first.body
    assert content == b'{"findings":[]}'
    tag = first.headers["etag"]
    assert tag.startswith('"')
    again = site.ask("/findings", headers={**headers, "If-None-Match": tag})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    site.backend.audit = b'{"findings":[1]}'
    changed = site.ask("/findings", headers={**headers, "If-None-Match": tag})
    assert changed.status == 200
    assert changed.headers["etag"] != tag


def test_tags_of_codings_differ(site: Running) -> None:
    plain = site.ask("/findings").headers["etag"]
    assert site.ask("/findings", headers={"Accept-Encoding": "gzip"}).headers["etag"] != plain


def test_findings_before_the_first_audit(site: Running) -> None:
    site.backend.audit = None
    answer = site.ask("/findings")
    assert (answer.status, answer.text) == (503, "the first audit has not ended yet\n")


def test_health(site: Running) -> None:
    assert site.ask("/-/healthy").status == 200
    assert site.ask("/-/ready").status == 200
    site.backend.problem = "no collector has answered yet"
    assert site.ask("/-/healthy").status == 200
    answer = site.ask("/-/ready")
    assert (answer.status, answer.text) == (503, "no collector has answered yet\n")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_reload(site: Running, method: str) -> None:
    assert site.ask("/-/reload", method).status == 200
    assert site.backend.reloads == 1
    site.backend.problem = "agent.yaml:3: unknown key"
    answer = site.ask("/-/reload", method)
    assert answer.status == 500
    assert "agent.yaml:3: unknown key" in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_reload_needs_post_or_put(site: Running, method: str) -> None:
    answer = site.ask("/-/reload", method)
    assert answer.status == 405
    assert set(answer.headers["allow"].split(", ")) == {"POST", "PUT"}
    assert site.backend.reloads == 0


def test_another_site_may_not_reload(site: Running) -> None:
    answer = site.ask("/-/reload", "POST", {"Origin": "https://example.com"})
    assert answer.status == 403
    same = f"http://127.0.0.1:{site.port}"
    assert site.ask("/-/reload", "POST", {"Origin": same}).status == 200
    assert site.backend.reloads == 1


@pytest.mark.parametrize("path", ["/metrics", "/findings", "/-/healthy", "/", "/style.css"])
def test_head(site: Running, path: str) -> None:
    head, get = site.ask(path, "HEAD"), site.ask(path)
    assert head.status == get.status == 200
    assert head.body == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


def test_other_paths_and_methods(site: Running) -> None:
    assert site.ask("/nothing").status == 404
    assert site.ask("/metrics", "POST", body=b"x").status == 405
    assert "date" in site.ask("/nothing").headers


def test_keep_alive(site: Running) -> None:
    connection = site.connection()
    for _ in range(3):
        connection.request("GET", "/-/healthy")
        response = connection.getresponse()
        assert response.status == 200
        assert response.read() == b"Healthy.\n"
    first = connection.sock.getsockname()
    connection.request("GET", "/metrics")
    connection.getresponse().read()
    assert connection.sock.getsockname() == first
    connection.close()


def test_hung_scrapes_cost_no_other_page() -> None:
    backend = SmallBackend()
    backend.hold = threading.Event()
    with running(WebSettings(listen=LOOPBACK), backend) as site:
        scrapes = [threading.Thread(target=site.ask, args=("/metrics",)) for _ in range(20)]
        for scrape in scrapes:
            scrape.start()
        for path in ("/-/healthy", "/-/ready", "/findings", "/", "/probe?target=x"):
            assert site.ask(path).status == 200
        backend.hold.set()
        for scrape in scrapes:
            scrape.join(20)


def test_fifty_scrapes_at_once(site: Running) -> None:
    together = threading.Barrier(50)
    pages: list[bytes] = []

    def scrape() -> None:
        together.wait(20)
        pages.append(site.ask("/metrics").body)

    threads = [threading.Thread(target=scrape) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(pages) == 50
    assert all(b"node_load 1.0" in page for page in pages)
