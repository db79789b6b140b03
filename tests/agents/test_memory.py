"""One heap for all threads, as the C library itself tells it."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import ctypes, sys, threading
from agents.memory import share_one_arena
if sys.argv[2] == "one":
    share_one_arena()
libc = ctypes.CDLL(None)
ready = threading.Barrier(5)
def work():
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc(1000)
    ready.wait()
    ready.wait()
for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
ready.wait()
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")
@pytest.mark.parametrize("how", ["one", "many"])
def test_threads_share_one_arena(tmp_path_factory: pytest.TempPathFactory, how: str) -> None:
    told = tmp_path_factory.mktemp("arenas") / "info.xml"
    subprocess.run([sys.executable, "-c", PROGRAM, str(told), how], check=True, timeout=60)
    heaps = told.read_text().count("<heap nr=")
    assert (heaps == 1) == (how == "one")
