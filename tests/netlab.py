"""Network namespaces joined by veth pairs: a network of one's own for a test, as root.

Addresses are of the documentation ranges; nothing leaves the machine. Names are unique to the
process and removed at the end, whatever happened.
"""

from __future__ import annotations

import ctypes
import functools
import os
import secrets
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

CLONE_NEWNET = 0x40000000


@functools.cache
def unavailable() -> str:
    """Why there can be no lab here, empty if there can."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    for program in ("ip", "nft", "sysctl", "setpriv"):
        if not shutil.which(program):
            return f"needs {program}"
    name = f"jwtry{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if tried.returncode:
        return f"cannot make network namespaces: {tried.stderr.decode().strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return ""


class Lab:
    """Namespaces by short names. Use it as a context manager."""

    def __init__(self) -> None:
        self._prefix = f"jw{os.getpid()}{secrets.token_hex(2)}"
        self._names: list[str] = []
        self._links = 0

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in self._names:
            subprocess.run(["ip", "netns", "del", self.full(name)], check=True)

    def full(self, name: str) -> str:
        """The namespace's name for ip(8)."""
        return f"{self._prefix}-{name}"

    def namespace(self, name: str, router: bool = False) -> None:
        """A namespace with lo up, without limits on ICMP errors."""
        _run("ip", "netns", "add", self.full(name))
        self._names.append(name)
        self.run(name, "ip", "link", "set", "lo", "up")
        self.sysctl(name, "net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0")
        # link-local addresses are usable at once, too
        self.sysctl(name, "net.ipv6.conf.default.accept_dad=0")
        self.sysctl(name, "net.ipv4.icmp_msgs_per_sec=100000", "net.ipv4.icmp_msgs_burst=100000")
        if router:
            self.sysctl(name, "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def link(self, one: str, other: str, addresses: Sequence[tuple[str, str]]) -> None:
        """A cable from `one` (device `to-OTHER`) to `other`; pairs of addresses with prefixes."""
        self._links += 1
        ends = [f"{self._prefix[-4:]}v{self._links}{end}" for end in "ab"]
        _run("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for index, (name, peer) in enumerate(((one, other), (other, one))):
            device = f"to-{peer}"
            _run("ip", "link", "set", ends[index], "netns", self.full(name), "name", device)
            self.run(name, "ip", "link", "set", device, "up")
            for pair in addresses:
                nodad = ["nodad"] if ":" in pair[index] else []
                self.run(name, "ip", "address", "add", pair[index], "dev", device, *nodad)

    def route(self, name: str, *words: str) -> None:
        """`ip route add` of the family that the words show."""
        version = "-6" if any(":" in word for word in words) else "-4"
        self.run(name, "ip", version, "route", "add", *words)

    def sysctl(self, name: str, *settings: str) -> None:
        self.run(name, "sysctl", "-q", "-w", *settings)

    def nft(self, name: str, rules: str) -> None:
        self.run(name, "nft", "-f", "-", stdin=rules)

    def no_rules(self) -> None:
        """Forget every rule of every packet filter."""
        for name in self._names:
            self.run(name, "nft", "flush", "ruleset")

    def run(self, name: str, *argv: str, stdin: str = "") -> str:
        """Standard output of a command inside; its failure is the test's."""
        return _run(*self.argv(name, *argv), stdin=stdin)

    def argv(self, name: str, *argv: str) -> list[str]:
        """A command inside, as a command outside."""
        return ["ip", "netns", "exec", self.full(name), *argv]

    def inside(self, name: str, call: Callable[[], T]) -> T:
        """What `call` returns, or raises, on a thread of this process in that namespace."""
        return self.begin(name, call).end()

    def begin(self, name: str, call: Callable[[], T]) -> Inside[T]:
        """The same, without waiting for it."""
        return Inside(f"/run/netns/{self.full(name)}", call)


class Inside(Generic[T]):
    """A call on a thread of its own, in a network namespace: sockets belong to where they open."""

    def __init__(self, path: str, call: Callable[[], T]) -> None:
        self._path, self._call = path, call
        self._result: list[T] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self, timeout: float = 60) -> T:
        self._thread.join(timeout)
        if self._error:
            raise self._error
        assert self._result, f"no end within {timeout:g} s"
        return self._result[0]

    def _work(self) -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            with open(self._path, "rb") as namespace:
                if libc.setns(namespace.fileno(), CLONE_NEWNET):
                    number = ctypes.get_errno()
                    raise OSError(number, os.strerror(number))
            self._result.append(self._call())
        except Exception as error:  # noqa: BLE001 - raised where the result is wanted
            self._error = error


def _run(*argv: str, stdin: str = "") -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr}"
    return done.stdout
