"""Files of a folder whose programs pass over what is no file."""

from __future__ import annotations

from collectors.model import Answer, Answers, File, Glob, Unavailable


def is_folder(answer: Answer) -> bool:
    return answer.state == "failed" and answer.reason == "Is a directory"


def texts(answers: Answers, glob: Glob) -> list[tuple[str, str]]:
    """Path and text of each by name; one that cannot be read makes the whole unknown."""
    if answers.answer(glob).state == "absent":
        return []
    found = []
    for path, answer in sorted(answers.children(glob).items()):
        if answer.state == "absent" or is_folder(answer):
            continue
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        found.append((path, answer.content.decode("utf-8", "replace")))
    return found
