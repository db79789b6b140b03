"""How a queue is emptied: versions, refusals, retries, limits; against a receiver that is strict about both versions."""

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.strictyaml import Secret
from exporters.prometheus.pushing import Backoff
from exporters.prometheus.pushsettings import BasicAuth, RemoteWriteSettings
from exporters.prometheus.remotewrite.client import PARTS, WRITTEN, Client
from exporters.prometheus.remotewrite.queue import Queue
from exporters.prometheus.remotewrite.sender import Sender
from exporters.prometheus.remotewrite.series import Series, Snapshot
from tests.remotewritelab import Asked, Receiver, Samples, decoded1, raw_of, receiver

SERIES = [Series((("__name__", "m_total"), ("n", str(n))), "counter", "Help.") for n in range(250)]
LONG = 1e12


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    made = Queue(tmp_path / "queue", 1 << 30, LONG)
    yield made
    made.close()


def put(queue: Queue, *times: int, size: int = 10) -> Samples:
    """What it should be at the receiver."""
    for time in times:
        values = array("d", [time * 1000.0 + n for n in range(size)])
        queue.put(Snapshot(time, SERIES[:size], values))
    return {
        SERIES[n].labels: [(time, struct.pack("<d", time * 1000.0 + n)) for time in times]
        for n in range(size)
    }


def sender(queue: Queue, to: Receiver, most: int = 1000, **settings: object) -> Sender:
    given = RemoteWriteSettings(url=to.url, **settings)  # type: ignore[arg-type]
    return Sender("city", queue, Client(given), most, Backoff(0.001, 0.004))


def emptied(one: Sender, turns: int = 200) -> list[float]:
    """The waits between its turns."""
    waits: list[float] = []
    for _ in range(turns):
        if (wait := one.turn()) is None:
            return waits
        waits.append(wait)
    raise AssertionError(f"it does not come to an end: {one.report()}")


@pytest.mark.parametrize(
    ("speaks", "version"), [((1,), "0.1.0"), ((2,), "2.0.0"), ((1, 2), "2.0.0")]
)
def test_auto_finds_what_the_receiver_speaks(
    queue: Queue, speaks: tuple[int, ...], version: str
) -> None:
    with receiver(*speaks) as to:
        one = sender(queue, to)
        expected = put(queue, 1, 2)
        emptied(one)
        assert (to.samples, to.problems) == (expected, [])
        asked = len(to.asked)
        put(queue, 3)
        emptied(one)
        assert len(to.asked) == asked + 1
        assert to.asked[-1].headers["x-prometheus-remote-write-version"] == version
        if version == "2.0.0":
            assert set(to.metadata.values()) == {(1, "Help.", 0)}


def deaf(to: Receiver, asked: Asked) -> tuple[int, dict[str, str]] | None:
    """As receivers of 1.0 that do not look at the content type: 2.0 is an empty request to them."""
    second = "v2.Request" in asked.headers["content-type"]
    return (204, {}) if second else None


def test_a_receiver_that_took_nothing_of_2_gets_1(queue: Queue) -> None:
    with receiver(1) as to:
        to.rule = deaf
        expected = put(queue, 1, 2)
        one = sender(queue, to)
        emptied(one)
        assert to.samples == expected
        assert one.report().taken == 20


def test_a_receiver_that_says_400_to_2_gets_1(queue: Queue) -> None:
    with receiver(1) as to:
        to.rule = lambda _, asked: (400, {}) if "v2" in asked.headers["content-type"] else None
        expected = put(queue, 1)
        emptied(sender(queue, to))
        assert to.samples == expected


def test_version_2_alone_is_never_1_and_loses_nothing(queue: Queue) -> None:
    with receiver(1) as to:
        to.rule = deaf
        put(queue, 1)
        one = sender(queue, to, version=2)
        assert [one.turn() for _ in range(3)] != [None] * 3
        assert (one.report().up, one.report().fill.samples) == (False, 10)


def test_samples_that_were_not_written_are_counted(queue: Queue) -> None:
    with receiver() as to:
        to.after = lambda *_: (204, {"X-Prometheus-Remote-Write-Samples-Written": "7"})
        put(queue, 1)
        one = sender(queue, to)
        emptied(one)
        assert (one.report().taken, one.report().lost["refused"]) == (7, 3)


def test_a_receiver_that_is_away_is_asked_again_with_the_same_bytes(queue: Queue) -> None:
    with receiver() as to:
        answers: list[tuple[int, dict[str, str]] | None] = [
            (0, {}), (503, {}), (429, {"Retry-After": "7"}), (301, {}), (500, {}), None,
        ]  # fmt: skip
        to.rule = lambda *_: answers.pop(0) if answers else None
        expected = put(queue, 1, 2, 3)
        one = sender(queue, to)
        waits = emptied(one)
        assert to.samples == expected
        assert len({asked.body for asked in to.asked}) == 1
        assert one.report().retries == 5
        assert waits[2] >= 7
        assert all(0 < wait < 0.1 for wait in (waits[0], waits[1], waits[3]))


def test_a_batch_taken_without_an_answer_arrives_with_the_same_times(queue: Queue) -> None:
    """It is there twice for a receiver that does not look: the same samples, which is what deduplicates."""
    with receiver() as to:
        answers: list[tuple[int, dict[str, str]]] = [(0, {})]
        to.after = lambda *_: answers.pop(0) if answers else None
        expected = put(queue, 1)
        emptied(sender(queue, to))
        assert {labels: sorted(set(rows)) for labels, rows in to.samples.items()} == expected
        assert to.asked[0].body == to.asked[1].body


def test_one_refused_moment_does_not_cost_the_others(queue: Queue) -> None:
    with receiver(1) as to:
        to.rule = lambda _, asked: (
            (400, {})
            if any(t == 5 for rows in decoded1(raw_of(asked)).samples.values() for t, _ in rows)
            else None
        )
        one = sender(queue, to, version=1)
        expected = put(queue, *range(1, 10))
        emptied(one)
        there = {k: [row for row in rows if row[0] != 5] for k, rows in expected.items()}
        assert to.samples == there
        assert (one.report().taken, one.report().lost["refused"]) == (80, 10)


def test_what_is_refused_after_silence_is_told_apart(queue: Queue) -> None:
    with receiver(1) as to:
        answers: list[tuple[int, dict[str, str]]] = [(0, {}), (400, {})]
        to.rule = lambda *_: answers.pop(0) if answers else None
        one = sender(queue, to, version=1)
        put(queue, 1)
        emptied(one)
        lost = one.report().lost
        assert (lost["repeated"], lost["refused"]) == (10, 0)


def test_other_4xx_drop_the_batch_and_say_so_once(
    queue: Queue, caplog: pytest.LogCaptureFixture
) -> None:
    with receiver(1) as to:
        to.rule = lambda *_: (422, {})
        one = sender(queue, to, version=1)
        for time in (1, 2, 3):
            put(queue, time)
            emptied(one)
        assert one.report().lost["refused"] == 30
        assert not one.report().up
        assert len([r for r in caplog.records if "refused" in r.message]) == 1


@pytest.mark.parametrize("version", ["auto", 1, 2])
@pytest.mark.parametrize("status", [401, 403, 404, 405, 407, 408])
def test_answers_that_say_nothing_of_the_samples_cost_none(
    queue: Queue, caplog: pytest.LogCaptureFixture, status: int, version: object
) -> None:
    with receiver() as to:
        refusing = [True] * 4
        to.rule = lambda *_: (status, {}) if refusing else None
        expected = put(queue, 1, 2)
        one = sender(queue, to, version=version)
        waits = [one.turn() for _ in refusing]
        assert all(wait and wait > 0 for wait in waits)
        report = one.report()
        assert (report.up, report.retries, report.fill.samples) == (False, 4, 20)
        refusing.clear()
        emptied(one)
        assert to.samples == expected
        assert one.report().up
        assert not any(one.report().lost.values())
        told = [r.getMessage() for r in caplog.records if "wait in the queue" in r.getMessage()]
        assert len(told) == 1
        assert f"it answered {status}: see to" in told[0]


def test_too_large_requests_become_smaller_and_stay_so(queue: Queue) -> None:
    with receiver(1) as to:
        to.rule = lambda _, asked: (413, {}) if len(asked.body) > 1500 else None
        expected = put(queue, *range(1, 21), size=250)
        one = sender(queue, to, most=5000, version=1)
        emptied(one)
        assert to.samples == expected
        assert (to.problems, one.report().lost["refused"]) == ([], 0)


def test_one_moment_larger_than_a_request_is_sent_in_parts(queue: Queue) -> None:
    with receiver() as to:
        expected = put(queue, 1, 2, size=250)
        one = sender(queue, to, most=100)
        emptied(one)
        assert to.samples == expected
        assert len(to.asked) == 6


def test_after_an_outage_many_moments_are_one_request(queue: Queue) -> None:
    with receiver() as to:
        expected = put(queue, *range(1, 101))
        one = sender(queue, to)
        emptied(one)
        assert to.samples == expected
        assert len(to.asked) == 1


def test_credentials_go_with_each_request(queue: Queue, tmp_path: Path) -> None:
    token = tmp_path / "token"
    with receiver() as to:
        put(queue, 1)
        auth = BasicAuth("city", Secret("s3cret"))
        emptied(sender(queue, to, basic_auth=auth, headers={"X-Scope-OrgID": Secret("t")}))
        assert to.asked[-1].headers["authorization"] == "Basic Y2l0eTpzM2NyZXQ="
        assert to.asked[-1].headers["x-scope-orgid"] == "t"
        put(queue, 2)
        one = sender(queue, to, bearer_token_file=str(token))
        assert one.turn()  # it cannot be read yet
        token.write_text("abc\n")
        emptied(one)
        assert to.asked[-1].headers["authorization"] == "Bearer abc"


def test_waits_double_and_end() -> None:
    back = Backoff(1.0, 60.0)
    waits = [back.failed() for _ in range(10)]
    assert all(0.5 * 2**n <= wait <= 2**n for n, wait in enumerate(waits[:6]))
    assert max(waits) <= 60
    back.went_well()
    assert back.failed() <= 1


@pytest.mark.parametrize("former", [204, 400])
def test_a_receiver_that_refuses_and_counts_speaks_2(queue: Queue, former: int) -> None:
    """What it took before a restart it refuses as out of order, and still says how much it wrote."""
    counted = {WRITTEN.format(part): "9" if part == "Samples" else "0" for part in PARTS}
    with receiver() as to:
        to.rule = lambda _, asked: (
            (400, counted) if "v2" in asked.headers["content-type"] else (former, {})
        )
        one = sender(queue, to)
        put(queue, 1)
        emptied(one)
        assert (one.report().taken, one.report().lost["refused"]) == (9, 1)
        to.rule = None
        put(queue, 2)
        emptied(one)
        versions = [asked.headers["x-prometheus-remote-write-version"] for asked in to.asked]
        assert set(versions) == {"2.0.0"}
