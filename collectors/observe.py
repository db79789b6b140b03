"""One observation: ask a source for the readings of some collectors, and parse what it answers.

The way of every number and every fact, on this machine, over SSH and from a recording alike.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from collectors.model import (
    Answer,
    Answers,
    Collector,
    Fact,
    Family,
    NeedMore,
    ParseError,
    Reading,
    Source,
    Unavailable,
)

MAX_ROUNDS = 8

Failure = Literal["", "absent", "denied", "failed", "parse", "timeout", "bug"]


class Observation(msgspec.Struct, frozen=True):
    """What one collector saw. `failure` is empty or says what kind of thing went wrong."""

    collector: str
    seconds: float
    families: tuple[Family, ...] = ()
    facts: tuple[Fact, ...] = ()
    failure: Failure = ""
    reason: str = ""


def failed(
    collector: Collector, seconds: float, failure: Failure, reason: str, code: str = ""
) -> Observation:
    """An observation that brought nothing; its facts are there, as unavailable."""
    why = f"{code or failure}: {reason}"
    facts = tuple(Fact(name, None, unavailable=why) for name in collector.facts)
    return Observation(collector.name, seconds, facts=facts, failure=failure, reason=reason)


def observe(source: Source, collectors: Sequence[Collector]) -> list[Observation]:
    """Observe with several collectors; all their readings go to the source in one call.

    What a parser asks for beyond its readings (`NeedMore`) goes in one further call a round.
    """
    start = time.perf_counter()
    wanted = list(dict.fromkeys(r for c in collectors for r in c.readings()))
    answered = dict(source.answer(wanted))
    share = (time.perf_counter() - start) / max(len(collectors), 1)
    return _settle(source, collectors, answered, share)


class Remembered(NamedTuple):
    """An observation and the answers it was made of."""

    observation: Observation
    answered: Mapping[Reading, Answer]


def observe_again(source: Source, collector: Collector, last: Remembered | None) -> Remembered:
    """Observe with a collector whose last observation, by the same settings, is `last`.

    Parsing is pure: from equal answers come the families of `last`, the same objects.
    """
    start = time.perf_counter()
    answered = source.answer(collector.readings())
    share = time.perf_counter() - start
    if last and answered == last.answered:
        made = last.observation
        again = Observation(
            made.collector, share, made.families, made.facts, made.failure, made.reason
        )
        return Remembered(again, answered)
    observation = _parse(collector, Answers(answered), share)
    if isinstance(observation, NeedMore):
        answered = dict(answered)
        [observation] = _settle(source, [collector], answered, share)
    return Remembered(observation, answered)


def _settle(
    source: Source, collectors: Sequence[Collector], answered: dict[Reading, Answer], share: float
) -> list[Observation]:
    """Parse, and ask for more, until every collector is done; `answered` grows."""
    done: dict[str, Observation] = {}
    for _ in range(MAX_ROUNDS):
        more: dict[Reading, None] = {}
        for collector in collectors:
            if collector.name in done:
                continue
            result = _parse(collector, Answers(answered), share)
            if isinstance(result, NeedMore):
                more.update(dict.fromkeys(result.readings))
            else:
                done[collector.name] = result
        if not more:
            break
        answered.update(source.answer(list(more)))
    return [
        done.get(c.name) or failed(c, share, "parse", f"still needs more after {MAX_ROUNDS} rounds")
        for c in collectors
    ]


def _parse(collector: Collector, answers: Answers, share: float) -> Observation | NeedMore:
    start = time.perf_counter()
    failure: Failure
    code = ""
    try:
        families, facts = [], []
        for made in collector.parse(answers):
            if isinstance(made, Fact):
                facts.append(made)
            elif made.samples:  # without, it would be a header that says nothing
                families.append(made)
    except NeedMore as more:
        return more
    except Unavailable as error:
        failure = "failed" if error.state == "content" else error.state
        reason, code = str(error), error.code
    except ParseError as error:
        failure, reason, code = "parse", str(error), error.code
    else:
        return Observation(
            collector.name,
            share + time.perf_counter() - start,
            tuple(families),
            tuple(facts),
        )
    return failed(collector, share + time.perf_counter() - start, failure, reason, code)
