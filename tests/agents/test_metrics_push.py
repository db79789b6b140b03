"""The agent pushes its page: through an outage and kill -9 of itself, to a Pushgateway, into a text file."""

import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents import config as configuration
from agents.cli import main
from agents.pagepush import opened
from agents.remotewriting import RemoteWriting
from collectors.model import gauge, sample
from collectors.strictyaml import DocumentError
from exporters.prometheus.pushgateway import group_path
from exporters.prometheus.pushsettings import (
    PushgatewaySettings,
    PushSettings,
    RemoteWriteSettings,
    TextfileSettings,
)
from exporters.prometheus.remotewrite.segment import Reader
from tests.agentlab import agent, eventually
from tests.remotewritelab import Samples, receiver

PUSHGATEWAY = shutil.which("prometheus-pushgateway")
QUIET = "audit: {packs: []}\npaths: {enabled: false}\nprobes: {gateways: false}\n"


def queued(folder: Path) -> Samples:
    """All that is on disk, as the receiver should see it."""
    found: Samples = {}
    for number, path in enumerate(sorted(folder.glob("*.seg"))):
        with path.open("rb") as file:
            reader = Reader(number, file)
            while block := reader.next(path.stat().st_size):
                for place, one in enumerate(block.series):
                    cell = block.values[8 * place : 8 * place + 8]
                    found.setdefault(one.labels, []).append((block.time, cell))
    return found


def test_nothing_is_lost_by_an_outage_in_which_the_agent_is_killed(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = (
        QUIET
        + f"""
state_dir: {tmp_path}/state
push:
  remote_write:
    - url: http://127.0.0.1:{port}/api/v1/write
      name: city
      interval: 1s
      external_labels: {{instance: node-1, city: 长安}}
      keep: node_load.*|process_start_time_seconds|jianwei_remote_write_.*
"""
    )
    folder = tmp_path / "state/push/city"
    with agent(tmp_path, config) as first:
        eventually(lambda: len(queued(folder).get(LOAD, ())) >= 2)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    before = queued(folder)
    assert len(before[LOAD]) >= 2
    with receiver(port=port) as to, agent(tmp_path, config) as second:
        eventually(lambda: len(to.samples.get(LOAD, ())) > len(before[LOAD]) + 1)
        page = urllib.request.urlopen(f"{second.url}/metrics").read().decode()
        assert 'jianwei_remote_write_up{receiver="city"} 1.0' in page
        assert "the receiver" not in second.log.read_text()
    assert to.problems == []
    for labels, rows in before.items():
        assert to.samples[labels][: len(rows)] == rows
    for rows in to.samples.values():
        times = [at for at, _ in rows]
        assert times == sorted(set(times))
    names = {dict(labels)["__name__"] for labels in to.samples}
    assert {"node_load1", "jianwei_remote_write_up"} <= names
    assert all(name.startswith(("node_load", "process_start", "jianwei_remote")) for name in names)


LOAD = (("__name__", "node_load1"), ("city", "长安"), ("instance", "node-1"), ("job", "jianwei"))
PAGE = [
    gauge("jianwei_thing", "Something.", sample(1.0, what="a/b")),
    gauge("node_thing", "Of node_exporter's.", sample(2.0)),
]


def test_a_text_file_is_replaced_whole_and_has_what_is_ours(tmp_path: Path) -> None:
    path = tmp_path / "jianwei.prom"
    [one] = opened(PushSettings(textfile=TextfileSettings(path=str(path))), "host")
    one.take(PAGE, 1)
    eventually(path.exists)
    text = path.read_text()
    assert 'jianwei_thing{what="a/b"} 1.0' in text
    assert "node_thing" not in text
    assert path.stat().st_mode & 0o777 == 0o644
    eventually(lambda: one.report().well)
    one.stop()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not PUSHGATEWAY, reason="Debian package prometheus-pushgateway is missing")
def test_a_real_pushgateway_has_the_newest_page(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    argv = [str(PUSHGATEWAY), f"--web.listen-address={url[7:]}", "--log.level=error"]
    settings = PushgatewaySettings(url=url, grouping={"instance": "a/b", "city": "长安"})
    [one] = opened(PushSettings(pushgateway=(settings,)), "host")
    one.take(PAGE, 1)
    eventually(lambda: one._problem)  # nobody is there yet
    with subprocess.Popen(argv, cwd=tmp_path) as process:
        try:
            page = ""
            end = time.monotonic() + 20
            while "jianwei_thing" not in page and time.monotonic() < end:
                one.take(PAGE, 1)
                time.sleep(0.1)
                if one.report().well:
                    page = urllib.request.urlopen(f"{url}/metrics").read().decode()
            assert 'jianwei_thing{city="长安",instance="a/b",job="jianwei",what="a/b"} 1' in page
            one.take(PAGE[1:], 2)
            eventually(
                lambda: b"jianwei_thing" not in urllib.request.urlopen(f"{url}/metrics").read()
            )
        finally:
            process.terminate()
            one.stop()


def test_a_group_that_a_path_cannot_hold_is_in_base64() -> None:
    assert group_path("j", {"a": "b c", "d": "x/y", "e": ""}) == (
        "/metrics/job/j/a/b%20c/d@base64/eC95/e@base64/="
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("remote_write: [{url: 'ftp://x/'}]", "is not http"),
        ("remote_write: [{url: 'https://u:p@x/'}]", "basic_auth"),
        ("remote_write: [{url: 'http://10.0.0.1/', bearer_token_file: t}]", "in clear"),
        ("remote_write: [{url: 'http://x/', version: 3}]", "version: 3 is not one of: 1, 2, auto"),
        ("remote_write: [{url: 'http://x/', version: 'x'}]", "'x' is not one of: 1, 2, auto"),
        ("textfile: x", "expected mapping or nothing, got str"),
        ("remote_write: [{url: 'http://x/', interval: 100ms}]", "1s or more"),
        ("remote_write: [{url: 'http://x/'}, {url: 'http://x/'}]", "called x"),
        ("remote_write: [{url: 'http://x/', external_labels: {a-b: c}}]", "name of a label"),
        (
            "remote_write: [{url: 'http://x/', keep: '('}]",
            r"RE2 regular expression: missing \): \(",
        ),
        ("remote_write: [{url: 'http://x/', ca_file: none.pem}]", "ca_file"),
        ("remote_write: [{url: 'http://127.0.0.1/', headers: {User-Agent: !env HOME}}]", "own"),
        ("textfile: {path: /tmp/x.txt}", ".prom"),
    ],
)
def test_mistakes_are_told_with_their_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "jianwei.yaml"
    path.write_text(f"log: {{}}\npush: {{{text}}}\n")
    with pytest.raises(DocumentError, match=rf"jianwei.yaml:2: push.*{problem}"):
        configuration.load(str(path))


def test_where_is_pushed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "jianwei.yaml"
    path.write_text(
        """push:
  remote_write: [{url: http://127.0.0.1:9090, name: city, keep: node_.*, bearer_token_file: token}]
  pushgateway: [{url: http://127.0.0.1:9091}]
  textfile: {path: /tmp/x.prom}
"""
    )
    check = ["check-config", str(path)]
    result = CliRunner().invoke(main, check, catch_exceptions=False)
    assert result.exit_code == 2
    assert f"bearer_token_file {tmp_path}/token: No such file" in result.stderr
    (tmp_path / "token").write_text("t0ken\n")
    result = CliRunner().invoke(main, check, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    assert "9090 has no path; Prometheus takes pushes at /api/v1/write" in result.stderr
    assert [line for line in result.stdout.splitlines() if "pushes" in line] == [
        "  pushes to   http://127.0.0.1:9090 every 15 s, queue city of 256 MiB, keep node_.*",
        "  pushes to   http://127.0.0.1:9091 every 60 s as job jianwei",
        "  pushes to   /tmp/x.prom every 60 s, keep jianwei_.*",
    ]
    assert "t0ken" not in result.output


def test_a_queue_of_another_process_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float | None] = []

    def held(path: Path, whose: str = "it is held", patience: float | None = None) -> int:
        waits.append(patience)
        raise OSError(11, whose, str(path))

    monkeypatch.setattr("exporters.prometheus.remotewrite.queue.locked", held)
    settings = RemoteWriteSettings(url="http://127.0.0.1:9/", name="city")
    one = RemoteWriting(settings, tmp_path, "node-1")
    one.take([], 0)
    one.close()
    assert waits == [None, 0.0]
