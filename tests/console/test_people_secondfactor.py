"""The second factor: codes of RFC 6238, each once; recovery codes; who must have one."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
import pytest

from exporters.console.people import login, profile, secondfactor, sessions, totp, users
from exporters.console.people.policy import PeopleSettings
from exporters.console.settings import ConsoleSettings
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Forbidden, Invalid, Refused, Unknown
from exporters.console.web.routing import Nothing
from tests.consolelab import PASSWORD, Console
from tests.peoplelab import NOW, holder, logged, row_of, set_user, stranger

SECRET = pyotp.random_base32()
STEP = timedelta(seconds=30)


def _code(now: datetime, secret: str = SECRET) -> str:
    return pyotp.TOTP(secret).at(now)


def _with_factor(console: Console, name: str = "zhang") -> None:
    console.person(name, "viewer")
    set_user(console, name, totp_secret=SECRET, password_changed=NOW)


def _half(console: Console, now: datetime = NOW, name: str = "zhang") -> Asker:
    """Who has given the password alone."""
    entered = login.by_password(stranger(console, now), name, PASSWORD)
    assert entered.stage == "totp"
    return holder(console, entered.token, now)


def test_the_codes_are_those_of_the_rfc() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for seconds, code in ((59, "287082"), (1111111109, "081804"), (20000000000, "353130")):
        at = datetime.fromtimestamp(seconds, UTC)
        assert totp.step_of(secret, code, at) == seconds // 30
        assert totp.step_of(secret, code, at + STEP) == seconds // 30
        assert totp.step_of(secret, code, at + 2 * STEP) is None


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "１２３４５６", "\udc00", "1" * 1000])
def test_what_is_no_code(typed: str) -> None:
    assert totp.step_of(SECRET, typed, NOW) is None


def test_a_code_opens_what_the_password_alone_does_not(each_console: Console) -> None:
    _with_factor(each_console)
    half = _half(each_console)
    assert not half.may("view")
    assert not half.may("self")
    entered = login.by_code(half, _code(NOW))
    assert entered.stage == "full"
    assert holder(each_console, entered.token).may("view")
    # the session of the first step is over, and so is the code
    assert holder(each_console, half.session).person is None
    with pytest.raises(Unknown):
        login.by_code(_half(each_console), _code(NOW))
    # nor one before it, of a clock that is behind
    with pytest.raises(Unknown):
        login.by_code(_half(each_console, NOW), _code(NOW - STEP))
    later = NOW + STEP
    assert login.by_code(_half(each_console, later), _code(later)).stage == "full"


def test_a_code_at_once_twice_is_good_once(each_console: Console) -> None:
    _with_factor(each_console)
    askers = [_half(each_console), _half(each_console)]
    good: list[str] = []

    def go(asker: Asker) -> None:
        with contextlib.suppress(Unknown):
            good.append(login.by_code(asker, _code(NOW)).token)

    threads = [threading.Thread(target=go, args=(asker,)) for asker in askers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(good) == 1


def test_guessing_codes_locks_whoever_knows_the_password(console: Console) -> None:
    _with_factor(console)
    half = _half(console)
    for number in range(5):
        if number == 3:  # logging in again does not begin the count again
            half = _half(console)
        with pytest.raises(Unknown):
            login.by_code(half, "000000" if _code(NOW) != "000000" else "000001")
    assert row_of(console, "zhang").locked_until == NOW + timedelta(seconds=600)
    assert holder(console, half.session).person is None
    with pytest.raises(Unknown):
        login.by_password(stranger(console), "zhang", PASSWORD)


def test_turning_it_on_and_a_recovery_code(each_console: Console) -> None:
    each_console.person("zhang", "viewer")
    set_user(each_console, "zhang", password_changed=NOW)
    other = login.by_password(stranger(each_console), "zhang", PASSWORD).token
    token = login.by_password(stranger(each_console), "zhang", PASSWORD).token
    asker = holder(each_console, token)
    with pytest.raises(Refused):
        secondfactor.prove_here(asker, secondfactor.Code("123456"))
    secret = secondfactor.begin(asker, Nothing()).secret
    assert row_of(each_console, "zhang").totp_secret == "", "not before it is proved"
    with pytest.raises(Invalid):
        secondfactor.prove_here(asker, secondfactor.Code("abc"))
    proved = secondfactor.prove_here(asker, secondfactor.Code(_code(NOW, secret)))
    assert row_of(each_console, "zhang").totp_secret == secret
    for old in (other, token):
        assert holder(each_console, old).person is None
    now = holder(each_console, proved.entered.token)
    assert now.may("self")
    assert secondfactor.pending(now) is None, "the secret is not shown again"
    with pytest.raises(Refused):
        secondfactor.begin(now, Nothing())
    # the code that proved it is spent; a recovery code is good once, however it is typed
    assert len(set(proved.codes)) == 10
    with pytest.raises(Unknown):
        login.by_code(_half(each_console), _code(NOW, secret))
    typed = proved.codes[0].upper().replace("-", " ")
    assert login.by_code(_half(each_console), typed).stage == "full"
    with pytest.raises(Unknown):
        login.by_code(_half(each_console), proved.codes[0])
    assert profile.account(now, Nothing()).recovery_codes == 9


def test_turning_it_off_takes_a_code(console: Console) -> None:
    _with_factor(console)
    entered = login.by_code(_half(console), _code(NOW))
    asker = holder(console, entered.token)
    with pytest.raises(Invalid):
        secondfactor.end(asker, secondfactor.Code("bad"))
    later = holder(console, entered.token, NOW + STEP)
    codes = secondfactor.new_codes(later, secondfactor.Code(_code(NOW + STEP))).codes
    secondfactor.end(later, secondfactor.Code(codes[3]))
    assert row_of(console, "zhang").totp_secret == ""
    assert login.by_password(stranger(console), "zhang", PASSWORD).stage == "full"


@pytest.mark.parametrize(
    ("setting", "needs"),
    [
        ("optional", ()),
        ("privileged", ("approver", "administrator")),
        ("required", ("viewer", "analyst", "approver", "administrator", "auditor")),
    ],
)
def test_who_must_have_one(setting: str, needs: tuple[str, ...]) -> None:
    settings = PeopleSettings(totp=setting)  # type: ignore[arg-type]
    roles = ("viewer", "analyst", "approver", "administrator", "auditor")
    assert tuple(role for role in roles if settings.needs_totp(role)) == needs


def test_where_it_is_required_it_is_set_up_before_anything_else(tmp_path: Path) -> None:
    settings = ConsoleSettings(people=PeopleSettings(rounds=4, totp="required"))
    console = Console(f"sqlite:///{tmp_path}/c.db", settings)
    console.person("zhang", "viewer")
    client = console.client(None)
    answer = client.post("/login", data={"name": "zhang", "password": PASSWORD})
    assert answer.headers["location"] == "/login/totp"
    assert client.get("/").headers["location"] == "/login/totp"
    assert client.get("/profile/password").headers["location"] == "/login/totp"
    page = client.get("/login/totp", headers={"Accept-Language": "zh"}).text
    secret = page.split('id="totp-secret">')[1].split("<")[0]
    picture = client.get("/profile/totp.svg")
    assert picture.headers["content-type"] == "image/svg+xml"
    assert picture.text.startswith("<svg")
    assert "style=" not in picture.text
    assert "script" not in picture.text
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    client.headers["X-CSRF-Token"] = csrf
    # the password cannot be changed before the second factor
    data = {"current": PASSWORD, "password": "Tr0ub-dour-9", "again": "Tr0ub-dour-9"}
    assert client.post("/profile/password", data=data).status_code == 401
    wrong = client.post("/login/totp", data={"code": "1"})
    assert wrong.status_code == 422
    assert secret in wrong.text, "what was scanned stays good"
    done = client.post("/login/totp", data={"code": pyotp.TOTP(secret).now()})
    assert done.status_code == 200
    assert done.text.count("-") >= 30, "recovery codes"
    assert client.get("/").status_code == 200
    token = client.cookies[sessions.COOKIE]
    asker = holder(console, token, datetime.now(UTC))
    with pytest.raises(Refused, match=r"totp\.required"):
        secondfactor.end(asker, secondfactor.Code("1"))
    console.close()


def test_an_administrator_resets_another_ones(console: Console) -> None:
    _with_factor(console)
    console.person("boss", "administrator")
    set_user(console, "boss", password_changed=NOW, totp_secret=SECRET)
    boss = holder(console, login.by_code(_half(console, name="boss"), _code(NOW)).token)
    entered = login.by_code(_half(console), _code(NOW))
    users.reset_totp(boss, users.UserId(row_of(console, "zhang").id))
    assert holder(console, entered.token).person is None
    assert login.by_password(stranger(console), "zhang", PASSWORD).stage == "full"
    with pytest.raises(Forbidden):
        users.reset_totp(boss, users.UserId(row_of(console, "boss").id))
    assert [row.actor for row in logged(console, "users.reset_totp")] == ["boss"]
