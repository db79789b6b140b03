"""The files that configurations include: asked for all of one depth at once, as each round is a trip."""

from __future__ import annotations

from collections.abc import Callable

from collectors.model import Answers, File, Glob, NeedMore, Reading, Unavailable

NGINX = ("/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf", "/etc/tengine/nginx.conf")
HTTPD = ("/etc/httpd/conf/httpd.conf", "/etc/apache2/apache2.conf")
_MAX_ROUND = 500  # patterns asked for at once

Included = Callable[[str, str], list[str]]


def ask_for_includes(path: str, text: str, included: Included, answers: Answers) -> None:
    """Ask for all that is included at one depth at once."""
    seen: set[str] = set()
    files = {path: text}
    while files:
        wanted = [
            pattern
            for name, content in files.items()
            for pattern in included(name, content)
            if pattern not in seen
        ]
        seen.update(wanted)
        more: list[Reading] = []
        files = {}
        for pattern in list(dict.fromkeys(wanted))[:_MAX_ROUND]:
            try:
                files.update(texts(pattern, answers))
            except NeedMore as need:
                more += need.readings
        if more:
            raise NeedMore(*more)


def texts(pattern: str, answers: Answers) -> dict[str, str]:
    """The files that match, by path; one that cannot be read makes the whole unknown."""
    found = {}
    for path, answer in answers.children(Glob(pattern, masked=True)).items():
        if answer.state == "absent":
            continue  # a dangling link
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        found[path] = answer.content.decode("utf-8", "replace")
    return found
