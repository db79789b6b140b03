"""The umask of shells: against bash itself, and over files of both families."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Fact, ParseError, Reading, Unavailable
from collectors.security.identity import umaskscript
from collectors.security.identity.umask import (
    BASHRCS,
    LOGIN_DEFS,
    PAM,
    PROFILE,
    PROFILE_D,
    SH_LOCAL,
    UmaskCollector,
)
from collectors.security.identity.umaskscript import Setting

ABSENT = Answer("absent", reason="no such file")
DENIED = Answer("denied", reason="permission denied")


DEBIAN = """\
if [ -d /etc/profile.d ]; then
  for i in /etc/profile.d/*.sh; do
    if [ -r $i ]; then
      . $i
    fi
  done
  unset i
fi
"""
RPM = """\
for i in /etc/profile.d/*.sh /etc/profile.d/sh.local ; do
    if [ -r "$i" ]; then
        if [ "${-#*i}" != "$-" ]; then
            . "$i"
        else
            . "$i" >/dev/null
        fi
    fi
done
"""


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
    return list(umaskscript.settings("/p", content))


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
    found = of({PROFILE: text(f"umask 027\n{DEBIAN}"), PROFILE_D: drop_ins})
    assert (found["effective"], found["source"]) == ("022", "/etc/profile.d/b.sh:1")


@pytest.mark.parametrize(
    ("profile", "values"),
    [
        ("{loop}umask 022\n", ["022"]),
        ("for i in /etc/profile.d/*.sh; do . $i; done\numask 022\n", ["022"]),
        ("{loop}", ["027"]),
        ("umask 022\n{loop}", ["027"]),
        ("# {loop}umask 022\n", ["022", "027"]),
        ("umask 022\n", ["022", "027"]),  # nothing names the folder: it may be read or not
        (": /etc/profile.d\numask 022\n{loop}", ["022", "027"]),
        ("[ $X ] && return\n{loop}", ["022", "027"]),
    ],
)
def test_drop_ins_count_where_the_profile_names_them(
    profile: str, values: list[str], tmp_path: Path
) -> None:
    script = profile.replace("# {loop}", "# /etc/profile.d\n").replace("{loop}", DEBIAN)
    drop_ins = folder(**{"/etc/profile.d/zz.sh": text("umask 027")})
    assert of({PROFILE: text(script), PROFILE_D: drop_ins})["values"] == values
    (tmp_path / "zz.sh").write_text("umask 027")
    (tmp_path / "profile").write_text(script.replace("/etc/profile.d", str(tmp_path)))
    run = ["bash", "-c", f"umask 022; . {tmp_path}/profile; umask"]
    real = subprocess.run(run, capture_output=True, check=True).stdout.decode().strip()
    assert real[1:] in values


def test_sh_local_comes_after_the_drop_ins() -> None:
    answers: dict[Reading, Answer] = {
        PROFILE: text(RPM),
        PROFILE_D: folder(**{"/etc/profile.d/a.sh": text("umask 027")}),
        SH_LOCAL: text("# none\numask 000\n"),
    }
    found = of(answers)
    assert (found["effective"], found["source"]) == ("000", "/etc/profile.d/sh.local:2")
    assert of({**answers, PROFILE: text(DEBIAN)})["effective"] == "000"  # it may be read


def test_a_folder_among_the_drop_ins() -> None:
    odd = {"/etc/profile.d/old.sh": Answer("failed", reason="Is a directory")}
    assert of({PROFILE_D: folder(**odd)})["effective"] == "022"


def test_a_value_that_is_not_told() -> None:
    found = of({PROFILE: text("umask 027\nU=000\numask $U\n")})
    assert (found["effective"], found["values"]) == ("", [])
    assert [(row["value"], row["source"]) for row in found["unclear"]] == [("$U", "/etc/profile:3")]
    # as weak as what is known
    assert of({PROFILE: text("umask $U\n[ $X ] && umask 022\n")})["effective"] == "022"
    # undone by what follows
    assert of({PROFILE: text("umask $U\numask 027\n")})["unclear"] == []
    found = of({BASHRCS[0]: text("umask $U\n")})
    assert (found["interactive"], found["unclear"][0]["scope"]) == ("", "interactive")


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
        ("f () {\n umask 077\n}\numask 022", [(0o022, False), (0o077, True)]),
        ("f()\n{\n umask 000\n}\numask 027\nf", [(0o027, False), (0, True)]),
        ("umask 000 >/dev/null", [(0, False)]),
        ("umask 000 2>&1 >/dev/null # x", [(0, False)]),
        ("umask >/dev/null 000", [(0, False)]),
        (
            "builtin umask 000; command umask 027; \\umask 077",
            [(0, False), (0o027, False), (0o077, False)],
        ),
        ("umask -- 027; umask -p 077; umask -p", [(0o027, False), (0o077, False)]),
        ("umask a+rwx; umask =rx; umask ugo-rwx", [(0, False), (0o222, False), (0o777, False)]),
        ("umask 000 | cat; umask 000 &", [(0, True), (0, True)]),
        ("(umask 000); old=$(umask); x=`umask -S`; echo `umask`", []),
        ("(umask 000; true)\numask 027", [(0, True), (0o027, False)]),
        ("(\numask 077\n)\n", [(0o077, True)]),
        ("umask $U", [(None, False)]),
        ("umask g-w; umask 01000; umask $(cat x)", [(None, False)] * 3),
        ("eval umask 000; X=1 umask 000; >/x umask 000", [(None, False)] * 3),
        ("cat <<EOF\numask 077\nfi\nEOF\numask 027", [(0o077, True), (0o027, False)]),
        ("cat <<EOF\numask 077\n", [(0o077, False)]),  # which does not end
        ("[ $X ] && return\numask 077", [(0o077, True)]),
        ("f() { return; }\numask 077", [(0o077, False)]),
        ("if umask 000; then :; fi", [(0, True)]),
        ("case $x in a) umask 000 ;; esac", [(0, True)]),
        ("if a; then umask $U; else umask 027; fi", [(0o027, False), (None, True)]),
        ("if a; then umask $U; else umask $V; fi", [(None, False), (None, True)]),
        ("if a; then umask 077", [(0o077, True)]),
        ("fi\nesac\n}\numask 027", [(0o027, False)]),
    ],
)
def test_scripts(script: str, found: list[tuple[int, bool]]) -> None:
    assert [(one.value, one.conditional) for one in settings_of(script)] == found


values = st.sampled_from(
    ["022", "027", "077", "0002", "u=rwx,g=rx,o=", "a+rwx", "000 >/dev/null", "$D", "g-w", "'027'"]
)
setters = st.sampled_from(["umask", "builtin umask", "command umask", "\\umask", "eval umask"])


@st.composite
def blocks(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(
        st.sampled_from(["set", "set", "and", "if", "else", "case", "none", "here", "leave"])
    )
    if kind == "set" or depth > 2:
        return f"{draw(setters)} {draw(values)}"
    if kind == "none":
        return draw(
            st.sampled_from(["true", "f() { umask 000; }", "(umask 000)", "umask 000 | cat"])
        )
    if kind == "here":
        return f"cat <<EOF >/dev/null\n{draw(blocks(depth + 1))}\nEOF"
    if kind == "leave":
        return '[ "$C1" = 1 ] && return 0'
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
    told = 0 if found["unclear"] else int(found["effective"], 8)
    # a shell for each set of conditions, all in one process
    tries = "".join(
        f"f() {{ :; }}\ng() {{\n{script}\n}}\n(umask 022; D=000 C0={a} C1={b} C2={c}; g; umask)\n"
        for a, b, c in itertools.product((0, 1), repeat=3)
    )
    run = subprocess.run(["bash", "-c", tries], capture_output=True, check=True)
    real = {int(line, 8) for line in run.stdout.decode().split()}
    assert all(told & ~one == 0 for one in real)
    if not any(odd in script for odd in ("$C", "<<", "|", "f()")) and not found["unclear"]:
        assert real == {told}


@given(
    st.text()
    | st.lists(st.sampled_from([*"\n;()", "if ", "fi", "umask 022", "case", "}", "f(){"])).map(
        "".join
    )
)
def test_any_text_gives_settings(script: str) -> None:
    for one in settings_of(script):
        assert one.value is None or 0 <= one.value <= 0o777


@pytest.mark.parametrize(
    "line",
    [
        "umask 022\n",
        "if a; then umask 1\n",
        "f(){\n",
        "umask " + "u=," * 100 + "\n",
        ";" * 200 + "\n",
        "umask " + "0" * 1000 + "\n",
        "umask 1 >" * 50 + "\n",
        "(\n",
        "cat <<EOF\n",
        ". /etc/profile.d\n",
    ],
)
def test_ten_thousand_lines_end(line: str) -> None:
    with contextlib.suppress(ParseError):
        of({PROFILE: text(line * 10_000), LOGIN_DEFS: text("UMASK 022\n" * 10_000)})
