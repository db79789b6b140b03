import asyncio
import threading
import time

import pytest

from exporters.prometheus.pool import SPARE, Busy, Pool


def alive(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_results_and_exceptions() -> None:
    async def work() -> None:
        pool = Pool("results", 2, 8)
        assert await pool.run(lambda: 6 * 7, 10) == 42
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 / 0, 10)
        assert await pool.run(lambda: "again", 10) == "again"

    asyncio.run(work())


def test_never_more_threads_than_its_size() -> None:
    async def work() -> None:
        pool = Pool("size", 3, 100)
        now, most = 0, 0
        lock = threading.Lock()

        def call() -> None:
            nonlocal now, most
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.005)
            with lock:
                now -= 1

        await asyncio.gather(*(pool.run(call, 20) for _ in range(40)))
        assert most == 3

    asyncio.run(work())


def test_few_threads_are_kept() -> None:
    async def work() -> None:
        pool = Pool("spare", 8, 100)
        together = threading.Barrier(8)
        await asyncio.gather(*(pool.run(lambda: together.wait(10), 20) for _ in range(8)))
        for _ in range(100):
            if alive("spare") <= SPARE:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{alive('spare')} threads are left")

    asyncio.run(work())


def test_a_call_that_hangs_is_given_up_and_replaced() -> None:
    async def work() -> None:
        pool = Pool("hang", 1, 8, lost=2)
        release = threading.Event()
        for _ in range(2):
            with pytest.raises(Busy, match=r"no answer within 0\.05 s"):
                await pool.run(lambda: release.wait(20), 0.05)
            if _ == 0:  # its thread no longer counts
                assert await pool.run(lambda: 1, 10) == 1
        with pytest.raises(Busy, match="2 earlier ones hang"):
            await pool.run(lambda: 1, 10)
        release.set()
        for _ in range(100):
            try:
                assert await pool.run(lambda: 1, 10) == 1
            except Busy:
                await asyncio.sleep(0.02)
            else:
                return
        raise AssertionError("it did not recover")

    asyncio.run(work())


def test_those_in_line_go_on_when_one_hangs() -> None:
    async def work() -> None:
        pool = Pool("line", 1, 8)
        release = threading.Event()
        hung = asyncio.create_task(pool.run(lambda: release.wait(20), 0.2))
        await asyncio.sleep(0)
        assert await pool.run(lambda: "mine", 10) == "mine"
        with pytest.raises(Busy):
            await hung
        release.set()

    asyncio.run(work())


def test_the_line_is_bounded() -> None:
    async def work() -> None:
        pool = Pool("bounded", 1, 2)
        release = threading.Event()
        started = threading.Event()

        def hold() -> None:
            started.set()
            release.wait(20)

        tasks = [asyncio.create_task(pool.run(hold, 20))]
        while not started.is_set():
            await asyncio.sleep(0.01)
        tasks += [asyncio.create_task(pool.run(lambda: None, 20)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="2 others wait already"):
            await pool.run(lambda: None, 20)
        release.set()
        await asyncio.gather(*tasks)

    asyncio.run(work())


def test_who_gives_up_waiting_leaves_the_line() -> None:
    async def work() -> None:
        pool = Pool("leave", 1, 1)
        release = threading.Event()
        holding = asyncio.create_task(pool.run(lambda: release.wait(20), 20))
        while not alive("leave"):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        with pytest.raises(Busy, match="no answer"):
            await pool.run(lambda: None, 0.05)
        waiting = asyncio.create_task(pool.run(lambda: "next", 20))  # there is room again
        await asyncio.sleep(0)
        release.set()
        assert await waiting == "next"
        await holding

    asyncio.run(work())
