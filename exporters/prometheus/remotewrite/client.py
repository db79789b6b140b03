"""One receiver of remote write: which version it speaks, and what it says to a batch.

What it says of us and not of the samples (who we are, which path) does not cost samples: docs/adr/0016.

Version auto begins with 2.0. A receiver of 1.0 says 415 or 400 to that, or says 2xx and nothing of how many samples it
wrote, since it found none; then the same batch goes as 1.0, and all further ones. Who says how many, does speak 2.0.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import cramjam

from exporters.findings.posting import PostError, Said
from exporters.prometheus.pushing import Outbox, answered, retry_after
from exporters.prometheus.pushsettings import RemoteWriteSettings
from exporters.prometheus.remotewrite.segment import Block
from exporters.prometheus.remotewrite.wire import Format, Version1, Version2

log = logging.getLogger(__name__)

WRITTEN: Final = "X-Prometheus-Remote-Write-{}-Written"
PARTS: Final = ("Samples", "Histograms", "Exemplars")
TOO_LARGE: Final = 413
_WHO: Final = "see to its token or password"
_PATH: Final = "see to the path of url, as /api/v1/write, and to proxies before it"
REMEDIES: Final = {  # of answers that say nothing of the samples
    401: _WHO, 403: _WHO, 404: _PATH, 405: _PATH, 407: "see to the proxy before it",
    408: "see to the network, or give it smaller requests by max_samples",
}  # fmt: skip
UNSUPPORTED: Final = 415
NOT_SPOKEN: Final = (400, UNSUPPORTED)

Outcome = Literal["taken", "later", "too_large", "refused"]


class Answer(NamedTuple):
    """`written`: how many samples of the batch the receiver has. `wait`: seconds that it asks for. `unsure`: nobody
    said whether it has them."""

    outcome: Outcome
    written: int = 0
    why: str = ""
    wait: float = 0.0
    unsure: bool = False


class Client:
    """Sends batches, one at a time."""

    def __init__(self, settings: RemoteWriteSettings) -> None:
        self._name = settings.known_as
        self._outbox = Outbox(settings)
        self._asked = settings.version
        self._format: Format = Version1() if settings.version == 1 else Version2()
        self._sure = settings.version != "auto"
        self._body: tuple[Format, int, int, bytes] | None = None
        self.close = self._outbox.close

    def send(self, blocks: Sequence[Block]) -> Answer:
        answer, said = self._sent(self._format, blocks)
        if self._sure or said is None or answer.outcome == "later":
            return answer
        if _tells(said) and said.status != UNSUPPORTED:
            self._sure = True  # who counts speaks 2.0, refused or not
        elif said.status // 100 == 2 or said.status in NOT_SPOKEN:
            former = Version1()
            again, said = self._sent(former, blocks)
            if again.outcome == "taken":
                log.info("%s speaks remote write 1.0", self._name)
                self._format, self._sure = former, True
            return again
        return answer

    def _sent(self, format: Format, blocks: Sequence[Block]) -> tuple[Answer, Said | None]:
        count = sum(block.samples for block in blocks)
        try:
            said = self._outbox.ask(format.headers, self._content(format, blocks))
        except PostError as error:
            return Answer("later", why=str(error), unsure=True), None
        kind = said.status // 100
        if kind == 2:
            written = _written(said) if isinstance(format, Version2) else count
            if self._asked == 2 and not _tells(said):
                why = "it took no remote write 2.0; set version: auto"
                return Answer("later", why=why), said
            why = "" if written >= count else f"it wrote {written} of {count} samples"
            return Answer("taken", min(written, count), why), said
        if said.status == 429 or kind in (3, 5):
            later = Answer("later", 0, answered(said), retry_after(said), unsure=kind == 5)
            return later, said
        if remedy := REMEDIES.get(said.status):
            # its page may be another each time, and the line is told once
            why = f"it answered {said.status}: {remedy}"
            return Answer("later", 0, why, retry_after(said), unsure=said.status == 408), said
        written = _written(said) if isinstance(format, Version2) else 0
        outcome: Outcome = "too_large" if said.status == TOO_LARGE else "refused"
        return Answer(outcome, min(written, count), answered(said)), said

    def _content(self, format: Format, blocks: Sequence[Block]) -> bytes:
        """The same bytes each time that the same batch is sent."""
        begin, end = blocks[0].begin, blocks[-1].end.total
        if self._body and self._body[:3] == (format, begin, end):
            return self._body[3]
        content = bytes(cramjam.snappy.compress_raw(format.encode(blocks)))
        self._body = format, begin, end, content
        return content


def _tells(said: Said) -> bool:
    return any(WRITTEN.format(part) in said.headers for part in PARTS)


def _written(said: Said) -> int:
    """How many samples it says that it wrote; what it does not say is 0."""
    text = said.headers.get(WRITTEN.format("Samples"), "0").strip()
    return int(text[:18]) if text.isascii() and text.isdecimal() else 0
