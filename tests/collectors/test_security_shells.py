"""Time-outs of shells: what people write in profile files, and what the real bash makes of the same."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Fact, Reading, Unavailable
from collectors.observe import observe
from collectors.security.identity import shells
from collectors.security.identity.shells import (
    CSH,
    ENVIRONMENT,
    PROFILE,
    SNIPPETS,
    ShellsCollector,
)
from collectors.sources.local import LocalSource
from tests.collectors.test_security_facts import ABSENT, DENIED, children, text

# as Debian ships it
DEBIAN_PROFILE = """\
if [ "${PS1-}" ]; then
  if [ "${BASH-}" ] && [ "$BASH" != "/bin/sh" ]; then
    if [ -f /etc/bash.bashrc ]; then
      . /etc/bash.bashrc
    fi
  fi
fi
if [ -d /etc/profile.d ]; then
  for i in /etc/profile.d/*.sh; do
    if [ -r $i ]; then
      . $i
    fi
  done
  unset i
fi
"""


def fact(files: dict[str, str], snippets: dict[str, str | Answer] | None = None) -> dict[str, Any]:
    collector = ShellsCollector()
    answers: dict[Reading, Answer] = dict.fromkeys(collector.readings(), ABSENT)
    by_path = {getattr(r, "path", ""): r for r in collector.readings()}
    answers |= {by_path[path]: text(content) for path, content in files.items()}
    answers[SNIPPETS] = children("/etc/profile.d", snippets or {})
    (made,) = (f for f in collector.parse(Answers(answers)) if isinstance(f, Fact))
    value: dict[str, Any] = made.value
    return value


@pytest.mark.parametrize(
    ("profile", "possible", "readonly"),
    [
        ("", [0], False),
        ("#TMOUT=900\n", [0], False),
        ("TMOUT=900\n", [900], False),
        ("export TMOUT=900 # idle\n", [900], False),
        ("readonly TMOUT=900\nexport TMOUT\n", [900], True),
        ("TMOUT=900; readonly TMOUT; export TMOUT\n", [900], True),
        ("TMOUT=900 && readonly TMOUT\n", [900], True),
        ("declare -xr TMOUT='600'\n", [600], True),
        # written twice, and undone further on
        ("TMOUT=300\nTMOUT=900\n", [900], False),
        ("TMOUT=300\nexport TMOUT=0\n", [0], False),
        ("TMOUT=300\nunset TMOUT\n", [0], False),
        ("readonly TMOUT=300\nTMOUT=0\n", [300], True),
        # under conditions
        ('if [ "$USER" = oracle ]; then\n TMOUT=900\nfi\n', [0, 900], False),
        ("TMOUT=300\nif id -u; then TMOUT=0; fi\n", [0, 300], False),
        ("[ -f /etc/x ] && TMOUT=900\n", [0, 900], False),
        ('case "$TERM" in\nlinux) x=1 ;;\nesac\nTMOUT=300\n', [300], False),
        ("f() {\n TMOUT=900\n}\n", [0, 900], False),
        ("TMOUT=300\nif x; then\n readonly TMOUT\nfi\nTMOUT=900\n", [300, 900], False),
        # what is true of an interactive bash
        ('if [ -n "$PS1" ]; then\n readonly TMOUT=900\nfi\n', [900], True),
        ('[ -n "$BASH_VERSION" ] && TMOUT=900\n', [900], False),
        ('if [ -n "$PS1" ]; then\n x=1\nelse\n TMOUT=900\nfi\n', [0], False),
        # no assignment at all
        ("echo TMOUT=900\nXTMOUT=900\nTMOUTX=900\n", [0], False),
        ("TMOUT=$IDLE\n", [None], False),
    ],
)
def test_one_file(profile: str, possible: list[int | None], readonly: bool) -> None:
    found = fact({"/etc/profile": profile})
    assert (found["possible"], found["readonly"]) == (possible, readonly)


def test_files_in_the_order_of_a_login() -> None:
    files = {
        "/etc/environment": "TMOUT=100\n",
        "/etc/bash.bashrc": "TMOUT=200\n",
        "/etc/profile": f"TMOUT=150\n{DEBIAN_PROFILE}",
    }
    assert fact(files)["possible"] == [200]
    snippets: dict[str, str | Answer] = {"a.sh": "TMOUT=300\n", "b.sh": "TMOUT=400\n"}
    found = fact(files, snippets)
    assert found["possible"] == [400]
    assert [row["source"].rpartition("/")[2] for row in found["settings"]] == [
        *("environment:1", "profile:1", "bash.bashrc:1", "a.sh:1", "b.sh:1")
    ]
    after = fact({**files, "/etc/profile": f"{DEBIAN_PROFILE}export TMOUT=0\n"}, snippets)
    assert (after["possible"], after["seconds"]) == ([0], 0)


def test_the_rpm_family_reads_bashrc_last() -> None:
    profile = "for i in /etc/profile.d/*.sh ; do . $i ; done\n"
    files = {"/etc/profile": profile, "/etc/bashrc": "TMOUT=0\n"}
    assert fact(files, {"t.sh": "TMOUT=300\n"})["possible"] == [0]
    assert fact(files, {"t.sh": "readonly TMOUT=300\n"})["possible"] == [300]


def test_profile_d_counts_only_where_profile_reads_it() -> None:
    found = fact({"/etc/profile": "# nothing of /etc/profile.d here\n"}, {"t.sh": "TMOUT=300\n"})
    assert found["possible"] == [0]


def test_csh() -> None:
    found = fact({CSH[0].path: "# set autologout = 5\nset autologout=15\n"})
    assert found["autologout"] == 15


def test_a_file_that_cannot_be_read_makes_it_unknown() -> None:
    with pytest.raises(Unavailable, match=r"t\.sh: permission denied"):
        fact({"/etc/profile": DEBIAN_PROFILE}, {"t.sh": DENIED})


# --- the real bash ------------------------------------------------------------------------------------


def of_bash(script: str, folder: Path) -> tuple[int, bool]:
    """TMOUT in an interactive bash that took the script, and whether it is locked."""
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    (folder / "profile").write_text(script)
    asked = 'echo "=${TMOUT:-0}="; readonly -p | grep -c " TMOUT"\n'
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-i"],
        input=f". {folder}/profile >/dev/null 2>&1\n{asked}",
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )
    value = int(done.stdout.partition("=")[2].partition("=")[0])
    return value, done.stdout.split()[-1] != "0"


@pytest.mark.parametrize(
    ("script", "possible", "readonly"),
    [
        # a condition of which only a part is about interactive shells
        (
            'if [ -n "$PS1" ] && [ "$UID" -ne 0 ]; then readonly TMOUT=600; fi\n',
            [0, 600],
            False,
        ),
        ('if [ -n "$PS1" -a "$UID" -ne 0 ]; then readonly TMOUT=600; fi\n', [0, 600], False),
        ('[ "$(id -u)" -eq 0 ] && return\nreadonly TMOUT=600\n', [0, 600], False),
        ('[ -z "$PS1" ] && readonly TMOUT=600\n', [0], False),
        ('[ -n "${PS1+}" ] && readonly TMOUT=600\n', [0, 600], False),
        ("return 0\nreadonly TMOUT=600\n", [0], False),
        ("cat >/dev/null <<EOF\nreadonly TMOUT=600\nEOF\n", [0], False),
        ("cat >/dev/null <<-'E F'\nreadonly TMOUT=600\n\tE F\nTMOUT=300\n", [300], False),
        ("(readonly TMOUT=600)\n", [0], False),
        ("(\n readonly TMOUT=600\n)\n", [0], False),
        ("readonly TMOUT=600 | cat\n", [0], False),
        ("{ readonly TMOUT=600; } | cat\n", [0], False),
        ("TMOUT=300\nTMOUT=0 >/dev/null 2>&1\n", [0], False),
        ("TMOUT=300\nbuiltin export TMOUT=0\n", [0], False),
        ("TMOUT=300\neval TMOUT=0\n", [None], False),
        ("TMOUT=300\nlet TMOUT=0\n", [None], False),
        ("TMOUT=300\n((TMOUT=0))\n", [None], False),
        ("TMOUT=300\nfalse ||\n TMOUT=0\n", [0], False),
        ("x='\nreadonly TMOUT=600\n'\n", [0], False),
        ("case $- in *x*) readonly TMOUT=600 ;; esac\n", [0, 600], False),
        ("case $- in *i*) ;; *) TMOUT=5 ;; esac\nTMOUT=300\n", [300], False),
        # surely run
        ("case $- in *i*) readonly TMOUT=600 ;; esac\n", [600], True),
        ("case $- in\n *i*)\n  readonly TMOUT=600\n  ;;\nesac\n", [600], True),
        ('case "$-" in\n *i*) ;;\n *) return ;;\nesac\nreadonly TMOUT=600\n', [600], True),
        ('[ -z "${PS1-}" ] && return\nreadonly TMOUT=600\n', [600], True),
        ("[[ $- != *i* ]] && return\nreadonly TMOUT=600 2>/dev/null\n", [600], True),
        ('[ -n "$PS1" ] && { readonly TMOUT=600; export TMOUT; }\n', [600], True),
        ("f() { return 1; }\nf\nreadonly TMOUT=600\n", [600], True),
        ('if [ "${-#*i}" != "$-" ]; then\n readonly TMOUT=600\nfi\n', [600], True),
        ("if ! [ -z $PS1 ]\nthen\n readonly TMOUT=600\nfi # x\n", [600], True),
        ("echo $((1<<2)) >/dev/null\nreadonly TMOUT=600\n", [600], True),
        # what bash refuses to read
        ("readonly TMOUT=600\nif x; then\n", [None, 0, 600], False),
    ],
)
def test_what_is_run_and_what_is_not(
    script: str, possible: list[int | None], readonly: bool, tmp_path: Path
) -> None:
    found = fact({PROFILE.path: script})
    assert (set(found["possible"]), found["readonly"]) == (set(possible), readonly)
    value, locked = of_bash(script, tmp_path)
    assert value in possible or None in possible
    assert locked or not readonly


def test_what_leaves_profile_before_the_others() -> None:
    for line, possible in (('[ "$UID" = 0 ] && return\n', [0, 600]), ("return\n", [0])):
        files = {"/etc/profile": line + DEBIAN_PROFILE}
        assert fact(files, {"t.sh": "readonly TMOUT=600\n"})["possible"] == possible


def test_sh_local_is_behind_the_others() -> None:
    files = {
        "/etc/profile": "for i in /etc/profile.d/*.sh /etc/profile.d/sh.local; do\n. $i\ndone\n",
        "/etc/profile.d/sh.local": "TMOUT=0\n",
    }
    assert fact(files, {"t.sh": "TMOUT=300\n"})["possible"] == [0]
    assert fact({**files, "/etc/profile": DEBIAN_PROFILE}, {"t.sh": "TMOUT=300\n"})["possible"] == [
        300
    ]


def test_a_folder_in_profile_d_is_passed_over() -> None:
    folder = Answer("failed", reason="Is a directory")
    snippets: dict[str, str | Answer] = {"old.sh": folder, "t.sh": "TMOUT=300\n"}
    assert fact({"/etc/profile": DEBIAN_PROFILE}, snippets)["possible"] == [300]


SIMPLE = (
    *("TMOUT={n}", "export TMOUT={n}", 'TMOUT="{n}"', "unset TMOUT", "export TMOUT", "# TMOUT={n}"),
    *("readonly TMOUT={n}", "readonly TMOUT", "declare -rx TMOUT={n}", "TMOUT={n}; export TMOUT"),
    *("echo TMOUT={n}", "X=1 ; TMOUT={n} ; Y=2", "TMOUT={n} && export TMOUT"),
)
AROUND = (
    *("if true; then :\n{line}\nfi", "if false; then :\n{line}\nfi", 'if [ -n "$PS1" ]; then :\n{line}\nfi'),
    *("if false; then\n :\nelse :\n{line}\nfi", "false && {line}\n", "true || {line}\n", "{line}"),
    *('[ -n "$BASH_VERSION" ] && {line}', "for i in 1 2; do :\n{line}\ndone", "{line}"),
    "case x in\nx) : ;;\nesac\n{line}",
)  # fmt: skip


@st.composite
def scripts(draw: st.DrawFn) -> str:
    out = []
    for _ in range(draw(st.integers(1, 5))):
        line = draw(st.sampled_from(SIMPLE)).format(n=draw(st.sampled_from((0, 300, 900))))
        out.append(draw(st.sampled_from(AROUND)).format(line=line))
    return "\n".join(out) + "\n"


@given(script=scripts())
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_real_bash_ends_where_we_say(script: str, tmp_path: Path) -> None:
    value, locked = of_bash(script, tmp_path)
    found = fact({PROFILE.path: script})
    assert value in found["possible"]
    assert locked or not found["readonly"]


@given(st.text())
def test_any_text(content: str) -> None:
    fact({PROFILE.path: content, ENVIRONMENT.path: content, CSH[0].path: content})
    list(shells.parse("/f", content))


@pytest.mark.parametrize(
    "line",
    [
        "if [ 1 ]; then TMOUT=1",
        "TMOUT=1 " * 50,
        "TMOUT=" * 100 + '"',
        "if;" * 900,
        "&&" * 400,
        "}",
        "x() {",
        "A= " * 300,
    ],
)
def test_ten_thousand_odd_lines(line: str) -> None:
    start = time.perf_counter()
    fact({PROFILE.path: f"{line}\n" * 10_000})
    assert time.perf_counter() - start < 10  # a second on an idle machine


def test_this_machine() -> None:
    (observation,) = observe(LocalSource(), [ShellsCollector()])
    assert observation.failure == ""
