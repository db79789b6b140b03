"""Several facts of one collector, of which each is known or not by itself."""

from __future__ import annotations

from collections.abc import Callable

from collectors.model import Answer, Answers, Fact, File, Glob, ParseError, Unavailable


def known(name: str, make: Callable[[], Fact]) -> Fact:
    """The fact, or that it has no value and why. NeedMore goes through."""
    try:
        return make()
    except Unavailable as error:
        return Fact(name, None, unavailable=f"{error.code or error.state}: {error}")
    except ParseError as error:
        return Fact(name, None, unavailable=f"{error.code or 'parse'}: {error}")


def texts(answers: Answers, pattern: str, masked: bool = False) -> dict[str, str]:
    """Files of a pattern by path; one that cannot be read makes the whole unknown. A folder among them
    is no file: what reads such a place goes past it as well."""
    found = {}
    for path, answer in answers.children(Glob(pattern, masked=masked)).items():
        if (text := text_of(path, answer)) is not None:
            found[path] = text
    return found


def is_folder(answer: Answer) -> bool:
    """Whether what was to be read as a file is a folder."""
    return answer.state == "failed" and answer.reason == "Is a directory"


def text_of(path: str, answer: Answer) -> str | None:
    """What is in a file; None where it has gone or is a folder. Raises Unavailable where it cannot be
    read."""
    if answer.state == "absent" or is_folder(answer):
        return None
    if answer.state != "content":
        raise Unavailable(File(path), answer)
    return answer.content.decode("utf-8", "replace")
