"""The queue of samples: ordered, bounded, exact about what it lost, and whole after kill -9, torn ends and damage."""

import os
import signal
import subprocess
import sys
import tempfile
from array import array
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.prometheus.remotewrite import segment
from exporters.prometheus.remotewrite.queue import Queue, QueueError
from exporters.prometheus.remotewrite.segment import Block
from exporters.prometheus.remotewrite.series import Series, Snapshot

EVERY = [Series((("__name__", "m"), ("n", str(number)))) for number in range(40)]
LONG = 1e12  # seconds


def shot(time: int, size: int, first: int = 0) -> Snapshot:
    series = EVERY[first : first + size]
    return Snapshot(time, series, array("d", [time + n / 100 for n in range(len(series))]))


def told(block: Block) -> list[tuple[int, str, float]]:
    values = array("d", block.values)
    return [(block.time, s.labels[1][1], v) for s, v in zip(block.series, values, strict=True)]


def of(snapshot: Snapshot) -> list[tuple[int, str, float]]:
    pairs = zip(snapshot.series, snapshot.values, strict=True)
    return [(snapshot.time, s.labels[1][1], v) for s, v in pairs]


def drained(queue: Queue, at_once: int = 100) -> list[tuple[int, str, float]]:
    found: list[tuple[int, str, float]] = []
    while blocks := queue.read(at_once):
        for block in blocks:
            found += told(block)
        queue.done(blocks[-1].end)
    return found


OPERATION = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 30), st.integers(0, 10)),
    st.tuples(st.just("take"), st.integers(1, 80), st.integers(0, 3)),
    st.tuples(st.just("kill"), st.sampled_from([b"", b"\7", os.urandom(40), bytes(60)])),
    st.tuples(st.just("part"), st.integers(1, 29)),
)


@settings(max_examples=30, deadline=None)
@given(st.lists(OPERATION, max_size=25), st.booleans())
def test_operations_and_kills_against_a_list(operations: list[Any], small: bool) -> None:
    """`small`: segments of some hundred bytes, so that there are many."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr("exporters.prometheus.remotewrite.queue.SEGMENT_SIZE", 300)
        folder, waiting, time = Path(name), list[tuple[int, str, float]](), 0
        queue = Queue(folder, 1 << 30, LONG)
        for operation in operations:
            match operation:
                case "put", size, first:
                    time += 1
                    queue.put(shot(time, size, first))
                    waiting += of(shot(time, size, first))
                case "take", room, undone:
                    blocks = queue.read(room)
                    rows = [row for block in blocks for row in told(block)]
                    assert rows == waiting[: len(rows)]
                    assert bool(rows) == bool(waiting)
                    if kept := blocks[: len(blocks) - undone]:
                        queue.done(kept[-1].end)
                        del waiting[: sum(block.samples for block in kept)]
                case "part", size:
                    if (blocks := queue.read(1)) and blocks[0].samples > size:
                        queue.done(blocks[0].cut(size)[0].end)
                        del waiting[:size]
                case "kill", torn:
                    queue.close()  # which writes nothing: the disk is as a kill leaves it
                    if torn and (left := sorted(folder.glob("*.seg"))):
                        with left[-1].open("ab") as file:
                            file.write(torn)
                    queue = Queue(folder, 1 << 30, LONG)
            assert queue.fill().samples == len(waiting)
        assert drained(queue) == waiting
        assert queue.fill()[:3] == (0, 0, None)
        assert not any(queue.fill().lost.values())
        queue.close()


WRITER = """
import sys
from array import array
from pathlib import Path
from exporters.prometheus.remotewrite.queue import Queue
from exporters.prometheus.remotewrite.series import Series, Snapshot
every = [Series((("__name__", "m"), ("n", str(number)))) for number in range(40)]
queue, time = Queue(Path(sys.argv[1]), 1 << 30, 1e12), int(sys.argv[2])
while True:
    time += 1
    series = every[time % 7 : time % 7 + 30]
    queue.put(Snapshot(time, series, array("d", [time + n / 100 for n in range(30)])))
    print(time, flush=True)
"""


def test_what_put_returned_for_survives_kill_9(tmp_path: Path) -> None:
    last = 0
    for _ in range(3):
        argv = [sys.executable, "-c", WRITER, str(tmp_path), str(last)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                last = int(line)
                if last % 9 == 0:
                    process.send_signal(signal.SIGKILL)
                    break
            last = max([last, *map(int, process.stdout)])
        queue = Queue(tmp_path, 1 << 30, LONG)
        last = max(last, queue.fill().samples // 30)  # one was put and not told
        queue.close()
    queue = Queue(tmp_path, 1 << 30, LONG)
    assert drained(queue) == [row for t in range(1, last + 1) for row in of(shot(t, 30, t % 7))]
    queue.close()


def test_a_full_queue_lets_the_oldest_go_and_counts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporters.prometheus.remotewrite.queue.SEGMENT_SIZE", 2000)
    queue = Queue(tmp_path, 8_000, LONG)
    for time in range(1, 201):
        queue.put(shot(time, 20, time % 3))  # which makes the series known again each time
    size = sum(path.stat().st_size for path in tmp_path.glob("*.seg"))
    assert 4_000 < size < 10_500
    lost, rows = queue.fill().lost["full"], drained(queue)
    assert lost > 0
    assert lost + len(rows) == 4000
    assert rows == [row for t in range(1, 201) for row in of(shot(t, 20, t % 3))][lost:]
    queue.close()


def test_what_is_older_than_it_may_be_is_dropped(tmp_path: Path) -> None:
    now = [1000.0]
    queue = Queue(tmp_path, 1 << 20, 100.0, lambda: now[0])
    for second in range(900, 1000, 10):
        queue.put(shot(second * 1000, 10))
    now[0] = 1055.0
    rows = drained(queue)
    assert {time for time, _, _ in rows} == {960_000, 970_000, 980_000, 990_000}
    assert queue.fill().lost["old"] == 60
    queue.close()


def test_a_segment_that_is_all_too_old_leaves_the_disk_unread(tmp_path: Path) -> None:
    now = [1000.0]
    queue = Queue(tmp_path, 1 << 20, 100.0, lambda: now[0])
    for second in range(1000, 1400, 10):
        now[0] = float(second)
        queue.put(shot(second * 1000, 10))
    assert len(list(tmp_path.glob("*.seg"))) <= 6
    assert queue.fill().lost["old"] >= 200
    queue.close()


def test_damage_costs_its_segment_and_is_counted_exactly(tmp_path: Path) -> None:
    for start in (0, 10, 20):  # a process each, and so a segment
        queue = Queue(tmp_path, 1 << 20, LONG)
        for time in range(start + 1, start + 11):
            queue.put(shot(time, 20))
        queue.close()
    _, second, third = sorted(tmp_path.glob("*.seg"))
    content = bytearray(second.read_bytes())
    content[len(content) // 2] ^= 0x10
    second.write_bytes(content)
    queue = Queue(tmp_path, 1 << 20, LONG)
    rows = drained(queue)
    times = {time for time, _, _ in rows}
    assert times >= {*range(1, 11), *range(21, 31)}
    assert len(rows) + queue.fill().lost["damaged"] == 600
    assert 0 < queue.fill().lost["damaged"] < 200
    queue.close()
    assert segment.count_of(third, 3) == 600


def test_a_torn_cursor_leaves_the_one_before(tmp_path: Path) -> None:
    queue = Queue(tmp_path, 1 << 20, LONG)
    for time in range(1, 4):
        queue.put(shot(time, 10))
        queue.done(queue.read(10)[-1].end)
    queue.close()
    cursor = bytearray((tmp_path / "cursor").read_bytes())
    newest = 0 if cursor[8:16] > cursor[36:44] else 28
    cursor[newest + 9] ^= 0xFF
    (tmp_path / "cursor").write_bytes(cursor)
    queue = Queue(tmp_path, 1 << 20, LONG)
    assert drained(queue) == of(shot(3, 10))  # once more, and nothing is lost
    queue.close()


def test_a_disk_that_takes_no_more_is_an_error_and_costs_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(tmp_path, 1 << 20, LONG)
    queue.put(shot(1, 10))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", lambda fd: os.write(-1, b""))
        with pytest.raises(QueueError, match="descriptor"):
            queue.put(shot(2, 10))
    queue.put(shot(3, 10))
    rows = drained(queue)
    assert {time for time, _, _ in rows} >= {1, 3}
    assert queue.fill().lost["disk"] == 10
    queue.close()


def test_one_process_writes_a_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Queue(tmp_path, 1 << 20, LONG)
    monkeypatch.setattr("exporters.locks.LOCK_PATIENCE", 0.1)
    with pytest.raises(QueueError, match="another process"):
        Queue(tmp_path, 1 << 20, LONG)
    queue.close()
    with pytest.raises(QueueError, match="closed"):
        queue.put(shot(1, 1))


def test_a_full_disk_is_not_filled_with_beginnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = Queue(tmp_path, 1 << 20, LONG)
    queue.put(shot(1, 10))
    before = sorted((path.name, path.stat().st_size) for path in tmp_path.glob("*.seg"))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", lambda fd: os.write(-1, b""))
        for time in range(2, 9):
            with pytest.raises(QueueError):
                queue.put(shot(time, 10))
    assert sorted((path.name, path.stat().st_size) for path in tmp_path.glob("*.seg")) == before
    queue.put(shot(9, 10))
    assert drained(queue) == of(shot(1, 10)) + of(shot(9, 10))
    queue.close()


def test_a_power_cut_makes_no_losses_of_what_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the cursor, the disk has what was synced; of deleted segments it may have nothing."""
    monkeypatch.setattr("exporters.prometheus.remotewrite.queue.SEGMENT_SIZE", 300)
    monkeypatch.setattr("exporters.prometheus.remotewrite.cursor.SYNC", LONG)
    path = tmp_path / "cursor"
    kept = b""
    really = os.fdatasync

    def synced(file: int) -> None:
        nonlocal kept
        really(file)
        if os.path.sameopenfile(file, ours):
            kept = path.read_bytes()

    queue = Queue(tmp_path, 1 << 20, LONG)
    ours = os.open(path, os.O_RDONLY)
    monkeypatch.setattr(os, "fdatasync", synced)
    for time in range(1, 31):
        queue.put(shot(time, 10))
    while (blocks := queue.read(20)) and blocks[0].time < 25:
        queue.done(blocks[-1].end)
    queue.close()
    monkeypatch.setattr(os, "fdatasync", really)
    os.close(ours)
    path.write_bytes(kept)
    again = Queue(tmp_path, 1 << 20, LONG)
    times = {time for time, _, _ in drained(again)}
    assert times >= set(range(25, 31))
    assert not any(again.fill().lost.values())
    again.close()
