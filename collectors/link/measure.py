"""What is known of one target in one family by one prober: the input of every judgement of a line."""

from __future__ import annotations

import msgspec

from collectors.model import AddressFamily, Reason


class Measure(msgspec.Struct, frozen=True, gc=False):
    """One target, family and prober over the last window; times in seconds.

    `sent` and `answered` count probes that are settled, that is answered or timed out; both are 0
    before the first. `streak` counts the last outcomes that are alike: 3 is three answers in a row,
    −3 three losses. `since` is the Unix time at which the first probe of that streak was sent.
    `reason` is why the last loss was one; it is there only while the streak is below 0. `median`,
    `p95` and `jitter` (RFC 3550) are None where nothing was answered.
    """

    target: str
    family: AddressFamily
    prober: str
    sent: int = 0
    answered: int = 0
    streak: int = 0
    since: float = 0.0
    reason: Reason = ""
    detail: str = ""
    median: float | None = None
    p95: float | None = None
    jitter: float | None = None

    @property
    def loss(self) -> float | None:
        """Share of the settled probes that were lost, 0 to 1; None before the first."""
        return 1 - self.answered / self.sent if self.sent else None
