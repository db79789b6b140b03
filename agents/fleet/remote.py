"""One host over SSH to run things on and put files on: what deploying needs of it.

A program goes to `/bin/sh` over standard input, with its arguments: nothing need be there, nothing
shows in a list of processes, and what follows it on standard input is the program's. With sudo
(sudo(8)), its password follows its prompt the same way. Everything has a deadline and a limit.
"""

from __future__ import annotations

import contextlib
import secrets
import shlex
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from agents.fleet.model import FleetHost
from agents.fleet.session import PIECE, Done, Session
from agents.fleet.sudo import SudoPasswordError
from collectors.sources.commands import ENVIRONMENT
from collectors.sources.ssh.auth import plainly
from collectors.sources.ssh.connecting import close, connect
from collectors.sources.ssh.target import Hop, LoginError, SshError, route

if TYPE_CHECKING:
    import paramiko

LIMIT = 4 << 20  # bytes of output
__all__ = ["Done", "Remote", "connected"]

KEEPALIVE, DEAD = 15, 30  # seconds
STALL = 30.0  # seconds in which a host takes nothing
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")  # a pass less than with an HMAC

# dd of POSIX reads byte by byte; both take no byte of what comes after the program
_BOOT = (
    "echo {mark}; echo {mark} >&2; s=$(dd bs={size} count=1 iflag=fullblock 2>/dev/null) || "
    's=$(dd bs=1 count={size} 2>/dev/null); eval "$s"'
)

_RECEIVE = """\
umask 022 # of a session it may be anything
path=$1 size=$2 sum=$3 part=$1.part folder=${1%/*}
say() { echo "$@" >&2; exit 1; }
mkdir -p "${folder%/*}" && umask 077 && mkdir -p "$folder" || exit 1
[ -O "$folder" ] || say "$folder belongs to somebody else"
exec 9>>"$part" || exit 1
if command -v flock >/dev/null && ! flock -n 9; then say 'it is being uploaded by somebody else'; fi
have=$(wc -c <"$part") || exit 1
if [ "$have" -gt "$size" ]; then : >"$part"; have=0; fi
have=$((have)) room=$(($(df -Pk "$folder" | awk 'NR == 2 { print $4 }') >> 10))
needs=$(((size - have >> 20) + 1))
[ "$room" -ge "$needs" ] || say "no room: needs $needs MB, has $room MB on $folder"
echo "have=$have"
cat >&9 || exit 1
now=$(wc -c <"$part") || exit 1
[ "$now" -eq "$size" ] || say "the upload was cut off at $((now)) of $size bytes"
set -- $(sha256sum <"$part")
if [ "$1" != "$sum" ]; then rm -f "$part"; echo 'sum=wrong'; exit 1; fi
cat /proc/sys/kernel/random/boot_id >"$path.boot" && mv -f "$part" "$path" && echo 'sum=right'
"""


class Remote:
    """A connected host; of `connected`. Every method raises SshError, one line. `configured`: what was set
    ready on it, to be activated; `stall`: seconds in which it may take nothing."""

    def __init__(self, host: FleetHost, hop: Hop, transport: paramiko.Transport) -> None:
        self.host, self.hop = host, hop
        self._transport = transport
        self.configured = ""
        self.stall = STALL

    def close(self) -> None:
        """Drop the connection; what runs there is not ended by that."""
        self._transport.close()

    def run(
        self,
        program: str | Sequence[str],
        arguments: Sequence[str] = (),
        *,
        stdin: bytes = b"",
        root: bool = False,
        seconds: float = 60.0,
        limit: int = LIMIT,
    ) -> Done:
        """Run a program for sh, or an argv, to its end. `limit`: bytes of output."""
        with self._started(program, arguments, root, seconds, limit) as session:
            session.send(stdin)
            return session.ended()

    def put(
        self,
        file: BinaryIO,
        size: int,
        path: str,
        progress: Callable[[int], None],
        sha256: str,
        *,
        root: bool = True,
        seconds: float = 3600.0,
    ) -> None:
        """Write a file as `path` on the host, readable for its owner only. What an upload that was cut off
        left is gone on with; the whole is named `path` only when its SHA-256 is right, and `path`.boot
        has the boot in which it was. `progress` is told how many bytes are there."""
        for attempt in range(2):
            arguments = (path, str(size), sha256)
            with self._started(_RECEIVE, arguments, root, seconds, LIMIT) as session:
                have = session.line("have=")
                if have is None:
                    raise self._failed(path, session.ended())
                if not have.isdigit() or int(have) > size:
                    raise SshError(f"{self.hop}: what it has of {path} is no size")
                file.seek(at := int(have))
                progress(at)
                while at < size and (piece := file.read(PIECE)):
                    if not session.send(piece):
                        break
                    at += len(piece)
                    progress(at)
                done = session.ended()
            if done.status == 0:
                return
            # a part that was left is of another file: once more from the start
            if attempt or not done.out.endswith(b"sum=wrong\n") or int(have) == 0:
                raise self._failed(path, done)

    def _failed(self, path: str, done: Done) -> SshError:
        if done.out.endswith(b"sum=wrong\n"):
            return SshError(
                f"{self.hop}: {path} did not arrive as it was sent: its SHA-256 differs"
            )
        why = done.err or f"it ended with status {done.status}"
        return SshError(f"{self.hop}: cannot upload {path}: {why}")

    @contextlib.contextmanager
    def _started(
        self,
        program: str | Sequence[str],
        arguments: Sequence[str],
        root: bool,
        seconds: float,
        limit: int,
    ) -> Iterator[Session]:
        import paramiko

        if not isinstance(program, str):
            program, arguments = 'exec "$@"', (*program, *arguments)
        words = shlex.join(arguments)
        # of a program that was cut off sh runs nothing: the brace is not closed
        script = f"set -- {words}\n{{ :\n{program}\n}}".encode()
        rises = root and self.host.rise == "sudo"
        mark, prompt = secrets.token_hex(16), secrets.token_hex(16)
        boot = shlex.quote(_BOOT.format(mark=mark, size=len(script)))
        environment = " ".join(f"{name}={value}" for name, value in ENVIRONMENT.items())
        how = ""
        if rises:
            password = self.host.sudo_password
            how = "sudo -n " if password is None else f"sudo -S -p {prompt} "
        command = f"exec env -i {environment} {how}/bin/sh -c {boot} jianwei-fleet"
        try:
            with self._transport.open_session(timeout=self.host.ssh.connect_timeout) as channel:
                channel.settimeout(self.host.ssh.connect_timeout)
                channel.exec_command(command)
                session = Session(channel, self.hop, seconds, limit, self.stall)
                self._begin(session, mark.encode() + b"\n", prompt.encode() if rises else b"")
                session.send(script)
                yield session
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise SshError(f"{self.hop}: {plainly(error)}") from error

    def _begin(self, session: Session, mark: bytes, prompt: bytes) -> None:
        """Until sh is there; what was said before it, by sudo or a login shell, is dropped."""
        asked = 0
        while not session.passed(mark):
            if prompt and session.err.count(prompt) > asked:
                asked += 1
                if asked > 1 or self.host.sudo_password is None:
                    raise self._wrong_password()
                session.send(self.host.sudo_password.reveal().encode() + b"\n")
            if not session.more():
                raise self._refused(session.ended(), bool(prompt))

    def _wrong_password(self) -> SudoPasswordError:
        where = f"sudo on {self.host.name}"
        return SudoPasswordError(
            f"{self.hop}: {where} does not take the password: see sudo_password"
        )

    def _refused(self, done: Done, rises: bool) -> LoginError:
        """Why sh was not started."""
        if rises and ("incorrect password" in done.err or "try again" in done.err):
            return self._wrong_password()
        return LoginError(f"{self.hop}: {self._why(done, rises)}")

    def _why(self, done: Done, rises: bool) -> str:
        name, said = self.host.name, done.err
        if not rises:
            return f"no /bin/sh was started: {said or f'status {done.status}'}"
        if "must have a tty" in said or "requiretty" in said:
            return (
                f"sudo on {name} wants a terminal: put `Defaults:{self.hop.user} !requiretty` in "
                "its sudoers"
            )
        if "password is required" in said or "no password was provided" in said:
            return f"sudo on {name} wants a password: set sudo_password in the inventory"
        if done.status == 127:
            return f"there is no sudo on {name}: let root log in, or install it"
        return (
            f"sudo on {name} does not let {self.hop.user} run /bin/sh: {said or 'no reason told'}"
        )


@contextlib.contextmanager
def connected(host: FleetHost) -> Iterator[Remote]:
    """A connection to a host, through its jump hosts; its key and theirs are verified."""
    hops = route(host.address, host.ssh)
    transports = connect(hops, host.ssh, CIPHERS)
    try:
        for transport in transports:
            transport.set_keepalive(KEEPALIVE)
        # what is sent to a host that is gone is never acknowledged: tcp(7)
        if isinstance(sock := transports[0].sock, socket.socket):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD * 1000)
        yield Remote(host, hops[-1], transports[-1])
    finally:
        close(transports)
