"""PAM: what its stacks decide, by files as people write them, and side by side with the real library."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.model import Answer, Answers, Fact, ParseError, Reading, Unavailable
from collectors.observe import observe
from collectors.security.identity import pamstack
from collectors.security.identity.accounts import GROUP
from collectors.security.identity.logindefs import LOGIN_DEFS
from collectors.security.identity.pam import (
    FAILLOCK,
    PWHISTORY,
    PWQUALITY,
    PWQUALITY_D,
    SERVICES_OF_SYSTEM,
    PamCollector,
)
from collectors.sources.local import LocalSource
from tests import pamlab
from tests.collectors.test_security_facts import ABSENT, DENIED, children, text

DEBIAN = """\
auth [success=1 default=ignore] pam_unix.so nullok
auth requisite pam_deny.so
auth required pam_permit.so
"""
LOCKED = """\
auth required pam_faillock.so preauth
auth [success=2 default=ignore] pam_unix.so
auth [default=die] pam_faillock.so authfail
auth requisite pam_deny.so
auth required pam_permit.so
"""
PASSWORD = """\
password requisite pam_pwquality.so retry=3 {arguments}
password [success=1 default=ignore] pam_unix.so obscure use_authtok yescrypt
password requisite pam_deny.so
password required pam_permit.so
"""


def facts(pam_d: dict[str, str | Answer], **files: str) -> dict[str, Any]:
    """Values of the facts by name; `files` are those of the modules."""
    readings: dict[str, Reading] = {
        "pwquality": PWQUALITY,
        "pwhistory": PWHISTORY,
        "faillock": FAILLOCK,
        "login_defs": LOGIN_DEFS,
        "group": GROUP,
    }
    collector = PamCollector()
    answers: dict[Reading, Answer] = dict.fromkeys(collector.readings(), ABSENT)
    answers |= {readings[name]: text(content) for name, content in files.items() if name != "d"}
    answers[SERVICES_OF_SYSTEM] = children("/etc/pam.d", pam_d)
    made = collector.parse(Answers(answers))
    return {fact.name: fact.value for fact in made if isinstance(fact, Fact)}


def services(fact: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["service"]: row for row in fact["services"]}


# --- lines and stacks -----------------------------------------------------------------------------


def test_lines_as_the_library_reads_them() -> None:
    content = (
        "#%PAM-1.0\n\n"
        "AUTH Required /lib/security/pam_unix.so nullok # why\n"
        "-auth sufficient pam_fprintd.so\n"
        "auth [success=1 \\\n default=ignore] pam_x.so [a b] c=d\n"
        "auth\nnonsense required pam_x.so\n@include common-auth\n"
        "session substack other # last\n"
    )
    found = list(pamstack.lines("/f", content))
    assert [(x.type, x.control, x.module, x.arguments) for x in found] == [
        ("auth", "Required", "pam_unix", ("nullok",)),
        ("auth", "sufficient", "pam_fprintd", ()),
        ("auth", "[success=1   default=ignore]", "pam_x", ("a b", "c=d")),
        ("", "include", "common-auth", ()),
        ("session", "substack", "other", ()),
    ]
    assert [x.source for x in found] == ["/f:3", "/f:4", "/f:5", "/f:9", "/f:10"]


def test_a_file_that_includes_itself_is_unknown() -> None:
    with pytest.raises(ParseError, match="too many includes"):
        facts({"login": "@include login\n"})
    with pytest.raises(ParseError, match="too many"):
        facts({"login": "@include a\n" * 3000, "a": "@include b\n" * 3000, "b": DEBIAN})


def test_a_file_that_cannot_be_read_makes_all_unknown_if_a_stack_needs_it() -> None:
    with pytest.raises(Unavailable, match="common-auth: permission denied"):
        facts({"login": "@include common-auth\n", "common-auth": DENIED})
    assert facts({"login": DEBIAN, "secret": DENIED})["pam"]["installed"]


def test_no_pam_is_no_lock_and_no_quality() -> None:
    found = facts({})
    assert not found["pam"]["installed"]
    assert services(found["lockout"])["login"]["locks"] is False
    assert not found["password_quality"]["configured"]
    assert not found["su"]["restricted"]
    assert "method" not in found["password_hash"]


RESULTS = ("success", "auth_err", "ignore", "user_unknown", "new_authtok_reqd")
ACTIONS = ("ok", "done", "bad", "die", "ignore", "reset", "1", "2")


@st.composite
def stacks(draw: st.DrawFn, include: str) -> str:
    """A stack of pam_debug, perhaps with another as a step of it."""
    out = []
    for _ in range(draw(st.integers(1, 7))):
        if include and draw(st.integers(0, 4)) == 0:
            out.append(f"auth {draw(st.sampled_from(('include', 'substack')))} {include}")
            continue
        control = draw(st.sampled_from(("required", "requisite", "sufficient", "optional", "[")))
        if control == "[":
            names = draw(st.lists(st.sampled_from((*RESULTS, "default")), max_size=3, unique=True))
            pairs = (f"{name}={draw(st.sampled_from(ACTIONS))}" for name in names)
            control = f"[{' '.join(pairs) or 'default=bad'}]"
        out.append(f"auth {control} pam_debug.so auth={draw(st.sampled_from(RESULTS))}")
    # the library refuses a jump beyond the end
    return "\n".join((*out, *["auth optional pam_debug.so auth=ignore"] * 3)) + "\n"


@pytest.mark.skipif(pamlab.library() is None, reason="needs libpam 1.4 or later")
@given(inner=stacks(""), data=st.data())
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_real_library_walks_the_same_way(
    inner: str, data: st.DataObject, tmp_path: Path
) -> None:
    sub = tmp_path / "sub"
    outer = data.draw(stacks(str(sub)))
    sub.write_text(inner)
    (tmp_path / "svc").write_text(outer)
    theirs = pamlab.authenticate(tmp_path, "svc")

    def find(name: str) -> tuple[str, str] | None:
        path = tmp_path / name
        return (str(path), path.read_text()) if path.exists() else None

    ours = pamstack.walk(
        pamstack.Stacks(find).stack("svc", "auth"), lambda line: line.option("auth") or ""
    )
    assert [line.option("auth") for line in ours.reached] == theirs.said
    assert ours.passed == theirs.passed


# --- password quality -------------------------------------------------------------------------------


def quality(arguments: str = "", conf: str = "", dropins: dict[str, str] | None = None) -> Any:
    collector = PamCollector()
    answers: dict[Reading, Answer] = dict.fromkeys(collector.readings(), ABSENT)
    answers[SERVICES_OF_SYSTEM] = children(
        "/etc/pam.d", {"passwd": PASSWORD.format(arguments=arguments)}
    )
    answers[PWQUALITY] = text(conf)
    found = {f"{name}": content for name, content in (dropins or {}).items()}
    answers[PWQUALITY_D] = children("/etc/security/pwquality.conf.d", dict(found))
    made = collector.parse(Answers(answers))
    (fact,) = (f for f in made if isinstance(f, Fact) and f.name == "password_quality")
    return fact.value


@pytest.mark.parametrize(
    ("arguments", "conf", "dropins", "expected"),
    [
        ("", "minlen = 12\n", {}, {"length": 12}),
        ("", "# minlen = 12\n", {}, {"length": 8}),
        ("", "minlen=9\nminlen 11 # twice\n", {}, {"length": 11}),
        # arguments win over files, and the main file over its drop-ins
        ("minlen=6", "minlen = 12\n", {}, {"length": 6}),
        ("", "minlen = 9\n", {"50-a.conf": "minlen = 14\n"}, {"length": 9}),
        ("", "", {"50-b.conf": "minlen = 14\n", "60-c.conf": "minlen = 10\n"}, {"length": 10}),
        ("", "minlen = 3\n", {}, {"length": 6, "minlen": 6}),
        ("dcredit=-1 ucredit=-1 lcredit=-1", "", {}, {"classes": 3}),
        ("minclass=2 dcredit=-1", "", {}, {"classes": 2}),
        ("dcredit=2 ocredit=1", "minlen = 9\n", {}, {"length": 6, "classes": 0}),
        ("", "enforce_for_root\n", {}, {"enforce_for_root": True}),
        ("", "enforcing = 0\nminlen = 9\n", {}, {"configured": False, "why": "enforcing = 0"}),
    ],
)
def test_the_setting_that_wins(
    arguments: str, conf: str, dropins: dict[str, str], expected: dict[str, Any]
) -> None:
    found = quality(arguments, conf, dropins)
    assert {name: found[name] for name in expected} == expected


def test_where_it_is_written() -> None:
    assert quality("", "\nminlen = 12\n")["source"] == "/etc/security/pwquality.conf:2"
    assert quality("minlen=12", "")["source"] == "/etc/pam.d/passwd:1"


@pytest.mark.parametrize(
    ("stack", "why"),
    [
        ("# password requisite pam_pwquality.so minlen=9\npassword required pam_unix.so\n", "commented out"),
        ("password optional pam_pwquality.so\npassword required pam_unix.so\n", "without effect"),
        # what is jumped over, or comes after the end, is as good as none
        ("password [success=1] pam_permit.so\npassword requisite pam_pwquality.so\npassword required pam_unix.so\n", "without effect"),
        ("password sufficient pam_unix.so\npassword required pam_pwquality.so\n", "without effect"),
        ("password required pam_unix.so\n", "no module"),
    ],
)  # fmt: skip
def test_a_module_that_refuses_nobody_is_none(stack: str, why: str) -> None:
    found = facts({"passwd": stack})["password_quality"]
    assert (found["configured"], found["why"]) == (False, why)


def test_older_modules() -> None:
    stack = "password required {}\npassword required pam_unix.so\n"
    crack = facts({"passwd": stack.format("pam_cracklib.so minlen=10")})["password_quality"]
    # each class gives a credit of one
    assert (crack["module"], crack["length"], crack["minlen"]) == ("pam_cracklib", 6, 10)
    qc = facts({"passwd": stack.format("pam_passwdqc.so min=disabled,disabled,disabled,10,8")})
    found = qc["password_quality"]
    assert (found["length"], found["classes"], found["enforce_for_root"]) == (8, 3, True)


@pytest.mark.parametrize(
    ("line", "conf", "remember"),
    [
        ("password required pam_pwhistory.so remember=7 use_authtok", "", 7),
        ("password required pam_pwhistory.so", "remember = 24\n", 24),
        ("password required pam_pwhistory.so remember=3", "remember = 24\n", 3),
        ("password required pam_pwhistory.so", "", 10),
        ("password optional pam_pwhistory.so remember=7", "", 0),
        ("#password required pam_pwhistory.so remember=7", "", 0),
    ],
)
def test_history(line: str, conf: str, remember: int) -> None:
    found = facts({"passwd": f"{line}\npassword sufficient pam_unix.so\n"}, pwhistory=conf)
    assert found["password_history"]["remember"] == remember


def test_history_of_pam_unix_and_its_hash() -> None:
    found = facts(
        {"passwd": "password sufficient pam_unix.so md5 sm3 remember=5\n"},
        login_defs="ENCRYPT_METHOD SHA512\n",
    )
    assert found["password_history"]["remember"] == 5
    assert (found["password_hash"]["method"], found["password_hash"]["by"]) == ("sm3", "pam_unix")
    told = facts({"passwd": "password required pam_unix.so\n"}, login_defs="ENCRYPT_METHOD MD5\n")
    assert (told["password_hash"]["method"], told["password_hash"]["by"]) == ("md5", "login.defs")
    assert "method" not in facts({"passwd": "password required pam_unix.so\n"})["password_hash"]


def test_the_weakest_of_several_stacks_counts() -> None:
    """sshd has an expired password changed by a stack of its own on RPM systems."""
    strict = PASSWORD.format(arguments="minlen=12 minclass=4 enforce_for_root")
    loose = PASSWORD.format(arguments="minlen=6 minclass=4").replace("yescrypt", "md5")
    found = facts({"passwd": strict, "sshd": loose})
    quality = found["password_quality"]
    assert (quality["length"], quality["classes"], quality["enforce_for_root"]) == (6, 4, False)
    assert found["password_hash"]["method"] == "md5"
    assert facts({"passwd": strict})["password_hash"]["method"] == "yescrypt"


# --- lock -------------------------------------------------------------------------------------------

BROKEN_LOCKS = {
    "no preauth": LOCKED.replace("auth required pam_faillock.so preauth\n", ""),
    "no authfail": LOCKED.replace("auth [default=die] pam_faillock.so authfail\n", "").replace("=2", "=1"),
    # a success jumps into the count, and a failure past it
    "jumped over": LOCKED.replace("success=2 default=ignore", "success=2 default=1"),
    "optional": LOCKED.replace("required pam_faillock.so preauth", "optional pam_faillock.so preauth"),
    "sufficient before": "auth sufficient pam_unix.so\n" + LOCKED.replace("[success=2 default=ignore] pam_unix.so", "optional pam_permit.so"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN_LOCKS)
def test_a_lock_that_does_not_lock(case: str) -> None:
    row = services(facts({"login": BROKEN_LOCKS[case]})["lockout"])["login"]
    assert (row["locks"], row["why"], row["module"]) == (False, "without effect", "pam_faillock")


@pytest.mark.parametrize(
    ("arguments", "conf", "expected"),
    [
        ("", "", {"deny": 3, "unlock_time": 600, "even_deny_root": False}),
        ("", "deny = 5\nunlock_time = 900\neven_deny_root\n", {"deny": 5, "unlock_time": 900, "even_deny_root": True}),
        ("deny=10", "deny = 5\n", {"deny": 10}),
        ("", "#deny = 5\n", {"deny": 3}),
        ("", "deny = 4\ndeny = 8\n", {"deny": 8}),
        ("unlock_time=never", "", {"unlock_time": 0}),
        ("deny=0", "", {"locks": False, "why": "deny = 0"}),
        ("root_unlock_time=60", "", {"even_deny_root": True}),
    ],
)  # fmt: skip
def test_options_of_the_lock(arguments: str, conf: str, expected: dict[str, Any]) -> None:
    stack = LOCKED.replace("preauth", f"preauth {arguments}")
    stack = stack.replace("authfail", f"authfail {arguments}")
    row = services(facts({"login": stack}, faillock=conf)["lockout"])["login"]
    assert {name: row[name] for name in expected} == expected


def test_the_weaker_of_two_lines_counts() -> None:
    stack = LOCKED.replace("preauth", "preauth deny=3").replace("authfail", "authfail deny=9")
    row = services(facts({"login": stack})["lockout"])["login"]
    assert row["deny"] == 9


def test_each_login_has_its_own_lock() -> None:
    tally = "auth required pam_tally2.so deny=5 unlock_time=600 even_deny_root\n"
    found = services(facts({"login": tally + DEBIAN, "sshd": f"#{tally}{DEBIAN}"})["lockout"])
    assert found["login"]["locks"]
    assert (found["login"]["deny"], found["login"]["unlock_time"]) == (5, 600)
    assert (found["sshd"]["locks"], found["sshd"]["why"]) == (False, "commented out")


def test_tally_without_deny_only_counts() -> None:
    row = services(facts({"login": "auth required pam_tally2.so\n" + DEBIAN})["lockout"])["login"]
    assert (row["locks"], row["why"]) == (False, "no deny")


def test_the_lock_of_the_rpm_family_through_substacks(tmp_path: Path) -> None:
    auth = (
        "auth required pam_env.so\n"
        "auth required pam_faillock.so preauth silent deny=4\n"
        "auth [default=1 ignore=ignore success=ok] pam_usertype.so isregular\n"
        "auth [default=1 ignore=ignore success=ok] pam_localuser.so\n"
        "auth sufficient pam_unix.so\n"
        "auth sufficient pam_sss.so forward_pass\n"
        "auth required pam_faillock.so authfail deny=4\n"
        "auth required pam_deny.so\n"
    )
    found = facts({"sshd": "auth substack password-auth\n", "password-auth": auth})["lockout"]
    assert services(found)["sshd"]["locks"]
    assert services(found)["sshd"]["deny"] == 4


# --- su and second factors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "restricted", "why"),
    [
        ("auth required pam_wheel.so use_uid", True, ""),
        ("auth requisite pam_wheel.so group=ops", True, ""),
        ("auth required pam_wheel.so group=gone", True, "there is no group gone"),
        ("auth sufficient pam_wheel.so trust", False, "without effect"),
        ("auth required pam_wheel.so deny group=ops", False, "without effect"),
        ("#auth required pam_wheel.so use_uid", False, "commented out"),
        # whom the first line trusts the second is not asked about
        (
            "auth sufficient pam_wheel.so trust group=ops\nauth required pam_wheel.so use_uid",
            False,
            "without effect",
        ),
        ("auth sufficient pam_wheel.so trust\nauth required pam_wheel.so use_uid", True, ""),
        ("", False, "no module"),
    ],
)
def test_su(line: str, restricted: bool, why: str) -> None:
    stack = f"auth sufficient pam_rootok.so\n{line}\n@include common-auth\n"
    files: dict[str, str | Answer] = {"su": stack, "common-auth": DEBIAN}
    found = facts(files, group="wheel:x:10:li,wang\nops:x:11:zhao\n")["su"]
    assert (found["restricted"], found["why"]) == (restricted, why)
    if line == "auth required pam_wheel.so use_uid":
        assert found["members"] == ["li", "wang"]


def test_su_with_a_dash_is_a_service_of_its_own() -> None:
    wheel = "auth sufficient pam_rootok.so\nauth required pam_wheel.so\n"
    found = facts({"su": wheel + DEBIAN, "su-l": DEBIAN})["su"]
    assert (found["restricted"], found["source"]) == (False, "/etc/pam.d/su-l")
    assert facts({"su": wheel + DEBIAN, "su-l": "auth include su\n"})["su"]["restricted"]


def test_no_su_is_no_way_to_root() -> None:
    assert not facts({"login": DEBIAN})["su"]["installed"]
    assert facts({"su": DEBIAN})["su"]["installed"]
    # without PAM it may be there all the same
    assert facts({})["su"]["installed"]


@pytest.mark.parametrize(
    ("head", "asks", "module"),
    [
        ("auth sufficient pam_rootok.so", True, ""),
        ("auth optional pam_permit.so", True, ""),
        ("auth required pam_wheel.so use_uid", True, ""),
        ("auth sufficient pam_timestamp.so", True, ""),
        ("auth requisite pam_succeed_if.so user ingroup root", True, ""),
        ("auth sufficient pam_permit.so", False, "pam_permit"),
        ("auth [success=2 default=ignore] pam_permit.so", False, "pam_permit"),
        ("auth sufficient pam_wheel.so trust use_uid", False, "pam_wheel"),
        ("auth sufficient pam_succeed_if.so user ingroup root", False, "pam_succeed_if"),
        ("#auth sufficient pam_permit.so", True, ""),
    ],
)
def test_who_is_asked_for_a_password(head: str, asks: bool, module: str, tmp_path: Path) -> None:
    found = services(facts({"sudo": f"{head}\n{DEBIAN}", "su": DEBIAN})["elevation"])
    assert (found["sudo"]["asks"], found["sudo"]["module"]) == (asks, module)
    assert found["su"]["asks"]
    if pamlab.library() is None or any(name in head for name in ("rootok", "wheel", "timestamp")):
        return  # not there, or it has a mind of its own about who root is
    (tmp_path / "sudo").write_text(f"{head}\n{DEBIAN.replace('pam_unix.so nullok', 'pam_deny.so')}")
    assert pamlab.authenticate(tmp_path, "sudo").passed is not asks


def test_no_service_asks_nobody() -> None:
    assert facts({"login": DEBIAN})["elevation"] == {"services": []}


def test_failures_may_be_forgotten_at_once() -> None:
    row = services(facts({"sshd": LOCKED}, faillock="fail_interval = 1\n")["lockout"])["sshd"]
    assert (row["locks"], row["fail_interval"]) == (True, 1)
    argument = LOCKED.replace("authfail", "authfail fail_interval=2")
    assert services(facts({"sshd": argument})["lockout"])["sshd"]["fail_interval"] == 2


def test_a_lock_that_passes_a_group_by() -> None:
    condition = "auth [success=1 default=ignore] pam_succeed_if.so user ingroup users\n"
    row = services(facts({"sshd": condition + LOCKED})["lockout"])["sshd"]
    assert (row["locks"], row["why"]) == (False, "not for a group")
    # who comes in without a password has none to guess
    condition = "auth sufficient pam_succeed_if.so user ingroup nopasswdlogin\n"
    assert services(facts({"sshd": condition + LOCKED})["lockout"])["sshd"]["locks"]


def test_a_folder_in_pam_d_is_passed_over() -> None:
    folder = Answer("failed", reason="Is a directory")
    (row,) = facts({"su": DEBIAN, "sudo": folder})["elevation"]["services"]
    assert row["service"] == "su"


@pytest.mark.parametrize(
    ("line", "required"),
    [
        ("auth required pam_google_authenticator.so", True),
        ("auth required pam_google_authenticator.so nullok", False),
        ("auth [success=1 default=ignore] pam_oath.so\nauth requisite pam_deny.so", True),
        ("auth optional pam_oath.so", False),
        ("#auth required pam_oath.so", False),
    ],
)
def test_second_factor(line: str, required: bool) -> None:
    files: dict[str, str | Answer] = {"sshd": f"@include a\n{line}\n", "a": DEBIAN}
    row = services(facts(files)["second_factor"])["sshd"]
    assert row["required"] == required


def test_a_code_instead_of_the_password_is_one_factor() -> None:
    stack = "auth sufficient pam_oath.so\n" + DEBIAN
    row = services(facts({"sshd": stack})["second_factor"])["sshd"]
    assert (row["required"], row["with_password"]) == (False, False)


# --- any text, any length, the real thing -------------------------------------------------------------


@given(st.text(), st.text(), st.text())
def test_any_text(stack: str, conf: str, lock: str) -> None:
    files: dict[str, str | Answer] = {"login": stack, "passwd": stack, "su": conf, "sshd": lock}
    try:
        facts(files, pwquality=conf, faillock=lock, pwhistory=conf, login_defs=conf, group=lock)
    except ParseError:
        return


@pytest.mark.parametrize(
    "line",
    [
        "auth [[[[[[[[ pam_x.so",
        "auth required pam_x.so " + "[" * 200,
        "auth [default=1] pam_x.so",
        "\\",
        "a\\",
        "# auth required pam_wheel.so [",
        "minlen = 9999999999999999",
    ],
)
def test_ten_thousand_odd_lines(line: str) -> None:
    content = f"{line}\n" * 10_000
    start = time.perf_counter()
    with contextlib.suppress(ParseError):
        facts(
            {"login": content, "su": content, "passwd": content},
            pwquality=content,
            faillock=content,
        )
    assert time.perf_counter() - start < 10  # a second on an idle machine


def test_this_machine() -> None:
    if not Path("/etc/pam.d/common-auth").exists():
        pytest.skip("needs a Debian machine")
    (observation,) = observe(LocalSource(), [PamCollector()])
    assert observation.failure == ""
    found = {fact.name: fact.value for fact in observation.facts}
    hashing = found["password_hash"]
    assert hashing["method"] in ("yescrypt", "sha512")
    unix = [row for row in found["pam"]["modules"] if row["module"] == "pam_unix"]
    assert {row["service"] for row in unix} >= {"login", "passwd", "su"}
