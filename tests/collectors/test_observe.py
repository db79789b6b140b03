"""Observing again: answers that have not changed are not parsed a second time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, gauge, sample
from collectors.observe import observe_again
from collectors.sources.local import LocalSource

FIRST, NAMED = File("/first"), File("/named")


class Followed(Collector, frozen=True):
    """The number in a file, or in the file that it names."""

    name: ClassVar[str] = "followed"

    def readings(self) -> tuple[File]:
        return (FIRST,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        text = answers.text(FIRST)
        value = float(answers.text(NAMED) if text == "named" else text)
        yield gauge("x", "X.", sample(value))


def value(families: tuple[Family, ...]) -> float:
    return families[0].samples[0].value


def test_the_families_are_the_same_objects_until_an_answer_changes(tmp_path: Path) -> None:
    source, file = LocalSource(str(tmp_path)), tmp_path / "first"
    file.write_text("1")
    first = observe_again(source, Followed(), None)
    again = observe_again(source, Followed(), first)
    assert again.observation.families is first.observation.families
    file.write_text("2")
    third = observe_again(source, Followed(), again)
    assert value(third.observation.families) == 2
    file.unlink()
    assert observe_again(source, Followed(), third).observation.failure == "absent"


def test_a_change_in_what_was_asked_for_later_is_seen(tmp_path: Path) -> None:
    source, named = LocalSource(str(tmp_path)), tmp_path / "named"
    (tmp_path / "first").write_text("named")
    named.write_text("1")
    first = observe_again(source, Followed(), None)
    named.write_text("2")
    assert value(observe_again(source, Followed(), first).observation.families) == 2
