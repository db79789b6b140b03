"""The umask of shells: against bash itself, and over files of both families."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Fact, ParseError, Reading, Unavailable
from collectors.security import umask
from collectors.security.umask import (
    BASHRCS,
    LOGIN_DEFS,
    PAM,
    PROFILE,
    PROFILE_D,
    Setting,
    UmaskCollector,
)

ABSENT = Answer("absent", reason="no such file")
DENIED = Answer("denied", reason="permission denied")


def text(content: str) -> Answer:
    return Answer("content", content.encode())


def folder(**files: Answer) -> Answer:
    return Answer("content", children=tuple(files.items()))


def of(answers: dict[Reading, Answer]) -> dict[str, Any]:
    known: dict[Reading, Answer] = dict.fromkeys(UmaskCollector().readings(), ABSENT)
    known |= {PAM: folder(), PROFILE_D: folder(), **answers}
    (fact,) = UmaskCollector().parse(Answers(known))
    assert isinstance(fact, Fact)
    value: dict[str, Any] = fact.value
    return value


def pam(line: str, service: str = "common-session") -> dict[Reading, Answer]:
    return {PAM: folder(**{f"/etc/pam.d/{service}": text(f"#%PAM-1.0\n{line}\n")})}


def settings_of(content: str) -> list[Setting]:
    return list(umask.settings("/p", content))


# --- who wins -----------------------------------------------------------------------------------


def test_nobody_sets_one() -> None:
    found = of({LOGIN_DEFS: text("UMASK 027\n")})  # nothing reads it without pam_umask
    assert (found["effective"], found["source"]) == ("022", "kernel default")


@pytest.mark.parametrize(
    ("line", "defs", "effective", "source"),
    [
        ("session optional pam_umask.so", "UMASK 027", "027", "/etc/login.defs:1"),
        (
            "session optional pam_umask.so umask=077",
            "UMASK 022",
            "077",
            "/etc/pam.d/common-session:2",
        ),
        (
            "session optional pam_umask.so",
            "UMASK 027\nUSERGROUPS_ENAB yes",
            "007",
            "/etc/login.defs:1",
        ),
        ("session optional pam_umask.so usergroups", "UMASK 077", "007", "/etc/login.defs:1"),
        (
            "session optional pam_umask.so nousergroups",
            "UMASK 027\nUSERGROUPS_ENAB yes",
            "027",
            "/etc/login.defs:1",
        ),
        ("# session optional pam_umask.so", "UMASK 027", "022", "kernel default"),
        ("session optional pam_umask.so", "UMASK odd", "022", "kernel default"),
        ("session optional pam_umask.so", "UMASK 022\nUMASK 077", "077", "/etc/login.defs:2"),
    ],
)
def test_pam(line: str, defs: str, effective: str, source: str) -> None:
    found = of({LOGIN_DEFS: text(defs), **pam(line)})
    assert (found["effective"], found["source"]) == (effective, source)


def test_a_service_that_is_no_login_does_not_count() -> None:
    line = "session optional pam_umask.so umask=077"
    assert of(pam(line, "cups"))["effective"] == "022"


def test_a_drop_in_undoes_the_profile() -> None:
    drop_ins = folder(
        **{"/etc/profile.d/a.sh": text("umask 077"), "/etc/profile.d/b.sh": text("umask 022")}
    )
    found = of({PROFILE: text("umask 027\n"), PROFILE_D: drop_ins})
    assert (found["effective"], found["source"]) == ("022", "/etc/profile.d/b.sh:1")


def test_an_interactive_shell_of_the_rpm_family() -> None:
    script = "if [ $UID -gt 199 ]; then\n  umask 002\nelse\n  umask 022\nfi\n"
    found = of({PROFILE: text("umask 027\n"), BASHRCS[1]: text(script)})
    assert (found["effective"], found["interactive"]) == ("027", "002")
    assert {row["scope"] for row in found["settings"]} == {"login", "interactive"}


def test_what_is_denied_is_unknown() -> None:
    for answers in (
        {PROFILE: DENIED},
        {PROFILE_D: folder(**{"/etc/profile.d/x.sh": DENIED})},
        {PAM: folder(**{"/etc/pam.d/login": DENIED})},
    ):
        with pytest.raises(Unavailable):
            of(answers)  # type: ignore[arg-type]  # keys of several kinds


# --- scripts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "found"),
    [
        ("umask 027", [(0o027, False)]),
        ("# umask 077\necho umask 077\nxumask 077\numask -S\numask\n", []),
        ("  umask   0027  # why\numask 22", [(0o027, False), (0o022, False)]),
        ("umask u=rwx,g=rx,o=", [(0o027, False)]),
        ("umask -S u=rwx,g=,o=", [(0o077, False)]),
        ("umask 888; umask '027'", [(0o027, False)]),
        ("[ -n $x ] && umask 002", [(0o002, True)]),
        ("if a; then umask 077; else umask 022; fi", [(0o022, False)]),
        ("if a; then\numask 077\nelif b; then\numask 022\nfi", [(0o077, True), (0o022, True)]),
        (
            "if a\nthen if b\nthen umask 077\nelse umask 027\nfi\nelse umask 037\nfi",
            [(0o027, False)],
        ),
        ("for i in 1; do umask 077; done", [(0o077, True)]),
        ('case "$x" in\nroot) umask 077 ;;\n*) umask 022 ;;\nesac', [(0o077, True), (0o022, True)]),
        ("f () {\n umask 077\n}\numask 022", [(0o022, False)]),
        ("if a; then umask 077", [(0o077, True)]),
        ("fi\nesac\n}\numask 027", [(0o027, False)]),
    ],
)
def test_scripts(script: str, found: list[tuple[int, bool]]) -> None:
    assert [(one.value, one.conditional) for one in settings_of(script)] == found


values = st.sampled_from(["022", "027", "077", "0002", "u=rwx,g=rx,o="])


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(st.sampled_from(["set", "set", "and", "if", "else", "case", "none"]))
    if kind == "set" or depth > 2:
        return f"umask {draw(values)}"
    if kind == "none":
        return "true"
    condition = f'[ "$C{draw(st.integers(0, 2))}" = 1 ]'
    if kind == "and":
        return f"{condition} && umask {draw(values)}"
    inner, other = draw(blocks(depth + 1)), draw(blocks(depth + 1))
    if kind == "if":
        return f"if {condition}; then\n{inner}\nfi"
    if kind == "case":
        return f'case "$C0" in\n1) {inner}\n;;\n*) {other}\n;;\nesac'
    return f"if {condition}; then\n{inner}\nelse\n{other}\nfi"


@settings(max_examples=25, deadline=None)
@given(st.lists(blocks(), min_size=1, max_size=4).map("\n".join))
def test_no_shell_ends_up_with_less_than_is_told(script: str) -> None:
    found = of({PROFILE: text(script)})
    told = int(found["effective"], 8)
    # a shell for each set of conditions, all in one process
    tries = "".join(
        f"(umask 022; C0={a} C1={b} C2={c}\n{script}\numask)\n"
        for a, b, c in itertools.product((0, 1), repeat=3)
    )
    run = subprocess.run(["bash", "-c", tries], capture_output=True, check=True)
    real = {int(line, 8) for line in run.stdout.decode().split()}
    assert all(told & ~one == 0 for one in real)
    if "$C" not in script:
        assert real == {told}


@given(
    st.text()
    | st.lists(st.sampled_from([*"\n;()", "if ", "fi", "umask 022", "case", "}", "f(){"])).map(
        "".join
    )
)
def test_any_text_gives_settings(script: str) -> None:
    for one in settings_of(script):
        assert 0 <= one.value <= 0o777


@pytest.mark.parametrize(
    "line",
    [
        "umask 022\n",
        "if a; then umask 1\n",
        "f(){\n",
        "umask " + "u=," * 100 + "\n",
        ";" * 200 + "\n",
    ],
)
def test_ten_thousand_lines_end(line: str) -> None:
    with contextlib.suppress(ParseError):
        of({PROFILE: text(line * 10_000), LOGIN_DEFS: text("UMASK 022\n" * 10_000)})
