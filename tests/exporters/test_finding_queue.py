"""The queue on disk: order, bound, another writer, damage, and `kill -9` at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from exporters import locks
from exporters.findings import queue as queues
from exporters.findings.queue import OVERHEAD, Queue, QueueError, looked_at
from exporters.findings.settings import MIN_QUEUE

MANY = 1 << 20

# Writes batches of three and prints the number of each when the queue has it; takes some now and then.
WRITER = """
import sys
from pathlib import Path
from exporters.findings.queue import Queue
queue = Queue(Path(sys.argv[1]), 1 << 30)
number = int(sys.argv[2])
while True:
    queue.put([b"%d/%d %s" % (number, part, b"x" * 200) for part in range(3)])
    print("put", number, flush=True)
    if number % 5 == 0:
        last = queue.first(4)[-1]
        queue.taken(last.id)
        print("taken", last.body.split()[0].decode(), flush=True)
    number += 1
"""


def test_first_in_first_out_and_only_what_is_taken_goes(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "cef", MANY)
    assert queue.put([b"1", b"2", b"3"]) == 0
    assert [message.body for message in queue.first(2)] == [b"1", b"2"]
    assert [message.body for message in queue.first(9)] == [b"1", b"2", b"3"]
    assert queue.taken(queue.first(2)[-1].id) == 2
    assert [message.body for message in queue.first(9)] == [b"3"]
    fill = queue.fill()
    assert (fill.messages, fill.bytes, fill.sent, fill.dropped) == (1, 1 + OVERHEAD, 2, 0)
    queue.close()
    again = Queue(tmp_path / "cef", MANY)
    assert [message.body for message in again.first(9)] == [b"3"]
    assert again.fill() == fill
    again.close()
    with pytest.raises(QueueError, match="closed"):
        again.put([b"4"])


def test_a_full_queue_drops_the_oldest_and_counts(tmp_path: Path) -> None:
    queue = Queue(tmp_path, MIN_QUEUE)
    body = b"x" * (1000 - OVERHEAD)
    assert queue.put([body] * 65) == 0
    assert queue.put([b"y" * 968, b"z" * 968]) == 2
    assert queue.fill().bytes <= MIN_QUEUE
    assert queue.first(99)[-1].body == b"z" * 968
    assert queue.fill().messages == 65
    # a message larger than the whole queue: nothing is left, and all of it is counted
    assert queue.put([b"w" * MIN_QUEUE]) == 66
    assert queue.fill()[:2] == (0, 0)
    assert queue.fill().dropped == 68
    assert queue.put([b"1"]) == 0
    queue.close()


def test_the_bound_holds_on_disk(tmp_path: Path) -> None:
    queue = Queue(tmp_path, MANY)
    for _ in range(60):
        queue.put([os.urandom(1000) for _ in range(100)])  # six times the bound
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 6 * MANY  # with the write-ahead log, which is a bounded one
    queue.close()


def test_one_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.1)
    queue = Queue(tmp_path, MANY)
    with pytest.raises(QueueError, match="another process uses it"):
        Queue(tmp_path, MANY)
    assert looked_at(tmp_path) == queue.fill()
    queue.close()
    Queue(tmp_path, MANY).close()
    assert looked_at(tmp_path / "nowhere") is None


def test_threads_may_share_it(tmp_path: Path) -> None:
    queue = Queue(tmp_path, MANY)

    def work(mark: bytes) -> None:
        for _ in range(40):
            queue.put([mark, mark])
            messages = queue.first(1)
            queue.taken(messages[-1].id if messages else 0)

    threads = [threading.Thread(target=work, args=(b"%d" % n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fill = queue.fill()
    assert fill.messages + fill.sent == 320
    assert fill.bytes == fill.messages * (1 + OVERHEAD)
    assert queue._bytes == fill.bytes
    queue.close()


def test_kill_at_any_moment_loses_nothing_that_was_put(tmp_path: Path) -> None:
    """Twenty writers, each ended by SIGKILL while it works: what was put and not taken is all there,
    each batch whole or not at all."""
    begin = 0
    dice = random.Random(5)  # noqa: S311 - not for secrets
    taken = -1
    for _ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(begin)], stdout=subprocess.PIPE
        )
        assert writer.stdout
        head = writer.stdout.readline()
        time.sleep(dice.uniform(0, 0.05))
        writer.send_signal(signal.SIGKILL)
        lines = [head, *writer.stdout.readlines()]
        writer.wait()
        told = [line.split() for line in lines if line.endswith(b"\n")]
        last = max(int(line[1]) for line in told if line[0] == b"put")
        for line in told:
            if line[0] == b"taken":
                batch, part = map(int, line[1].split(b"/"))
                taken = max(taken, 3 * batch + part)
        queue = Queue(tmp_path, 1 << 30)
        assert not queue.started_anew
        bodies = [message.body.split()[0] for message in queue.first(1 << 20)]
        numbers = [3 * int(b) + int(p) for b, p in (body.split(b"/") for body in bodies)]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        # one batch more may be there, and one take more done, of which the writer had no time to tell
        assert taken + 1 <= numbers[0] <= taken + 5
        assert (numbers[-1] + 1) % 3 == 0
        assert last <= numbers[-1] // 3 <= last + 1
        assert queue.fill().bytes == sum(len(m.body) + OVERHEAD for m in queue.first(1 << 20))
        begin = numbers[-1] // 3 + 1
        taken = max(taken, numbers[0] - 1)
        queue.close()


@pytest.mark.parametrize("where", [0, 30, 4096])
def test_a_damaged_database_is_put_aside_and_said_so(tmp_path: Path, where: int) -> None:
    queue = Queue(tmp_path, MANY)
    queue.put([b"x" * 1000] * 20)
    queue.close()
    path = tmp_path / queues.DATABASE
    content = bytearray(path.read_bytes())
    content[where : where + 3000] = b"\xff" * 3000
    path.write_bytes(content)
    again = Queue(tmp_path, MANY)
    assert again.started_anew
    assert again.put([b"1"]) == 0
    assert [message.body for message in again.first(9)] == [b"1"]
    again.close()
    assert (tmp_path / "queue.damaged").exists()


def test_a_torn_tail_of_the_journal_costs_only_what_was_not_put(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "live", MANY)
    queue.put([b"1"])
    queue.put([b"2"])
    torn = tmp_path / "torn"
    torn.mkdir()
    for name in (queues.DATABASE, f"{queues.DATABASE}-wal"):
        (torn / name).write_bytes((tmp_path / "live" / name).read_bytes())
    queue.close()
    with (torn / f"{queues.DATABASE}-wal").open("r+b") as wal:
        wal.truncate((torn / f"{queues.DATABASE}-wal").stat().st_size - 100)
    again = Queue(torn, MANY)
    assert not again.started_anew
    assert [message.body for message in again.first(9)] == [b"1"]
    again.close()


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QueueError, match="file"):
        Queue(tmp_path / "file" / "cef", MANY)
