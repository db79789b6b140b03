"""One's own account: password, sessions, API tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Final

import msgspec
import pytest

from exporters.console.people import profile, tokens, users
from exporters.console.people.oneself import person
from exporters.console.web.refusals import Forbidden, Invalid, NotFound, Refused
from exporters.console.web.routing import Nothing
from tests.consolelab import PASSWORD, Console
from tests.peoplelab import NOW, holder, lasts, logged, row_of, set_user, within

DIRECTORIES: Final = {
    "ldap": SimpleNamespace(recheck=900.0),
    "oidc": SimpleNamespace(recheck=30 * 86_400.0),
}


def test_a_password_is_none_of_the_last_five(each_console: Console) -> None:
    asker = within(each_console, "zhang")
    used = [PASSWORD]
    for number in range(6):
        for old in used[-6:]:
            with pytest.raises(Invalid, match=r"people\.password_used"):
                profile.change_password(asker, profile.ChangePassword(used[-1], old))
        new = f"Tr0ub-dour-{number}{number}"
        entered = profile.change_password_here(asker, profile.ChangePassword(used[-1], new))
        assert not lasts(asker, each_console)
        used.append(new)
        set_user(each_console, "zhang", password_changed=NOW - timedelta(days=2))
        asker = holder(each_console, entered.token)
    profile.change_password(asker, profile.ChangePassword(used[-1], used[0]))


def test_a_password_stays_for_a_day(console: Console) -> None:
    asker = within(console, "zhang")
    set_user(console, "zhang", password_changed=NOW - timedelta(hours=23))
    with pytest.raises(Refused, match=r"profile\.password_young"):
        profile.change_password(asker, profile.ChangePassword(PASSWORD, "Tr0ub-dour-1"))


def test_guessing_the_present_password_locks_and_ends_the_session(console: Console) -> None:
    asker = within(console, "zhang")
    for _ in range(5):
        assert lasts(asker, console)
        with pytest.raises(Invalid, match=r"profile\.current_wrong"):
            profile.change_password(asker, profile.ChangePassword("x", "Tr0ub-dour-1"))
    assert not lasts(asker, console)
    assert row_of(console, "zhang").locked_until == NOW + timedelta(seconds=600)


def test_of_two_changes_at_once_one_is_told(each_console: Console) -> None:
    asker = within(each_console, "zhang")
    gate, told = threading.Barrier(2), []

    def change(new: str) -> None:
        gate.wait()
        try:
            profile.change_password(asker, profile.ChangePassword(PASSWORD, new))
            told.append("done")
        except Refused as refused:
            told.append(refused.key)

    threads = [threading.Thread(target=change, args=(f"Tr0ub-dour-{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told.count("done") == 1
    assert len(logged(each_console, "profile.password")) == 1


def test_own_sessions_are_listed_and_ended(each_console: Console) -> None:
    others = [within(each_console, "zhang") for _ in range(3)]
    stranger_session = within(each_console, "li")
    here = within(each_console, "zhang")
    account = profile.account(here, Nothing())
    assert len(account.sessions) == 4
    assert [one.here for one in account.sessions].count(True) == 1
    profile.end_session(here, profile.SessionId(others[0].session[:16]))
    assert not lasts(others[0], each_console)
    with pytest.raises(NotFound):
        profile.end_session(here, profile.SessionId(stranger_session.session[:16]))
    profile.end_other_sessions(here, Nothing())
    assert [lasts(one, each_console) for one in (*others, here, stranger_session)] == [False, False, False, True, True]  # fmt: skip


def test_a_token_acts_as_its_user_and_no_further(each_console: Console) -> None:
    asker = within(each_console, "zhang", "analyst", ("教育局",))
    made = tokens.create(asker, tokens.NewToken(" nightly ", 30))
    bearer = holder(each_console, made.token, bearer=True)
    assert bearer.person
    assert (bearer.name, bearer.person.role, bearer.scope) == ("zhang", "analyst", frozenset())
    assert bearer.session == "", "no CSRF token is asked of it"
    listed = tokens.listed(bearer, Nothing()).tokens
    assert [(one.name, one.used) for one in listed] == [("nightly", NOW)]
    with pytest.raises(Forbidden):
        tokens.create(bearer, tokens.NewToken("another"))
    assert holder(each_console, made.token, NOW + timedelta(days=30), bearer=True).person is None
    assert holder(each_console, made.token + "x", bearer=True).person is None
    li = within(each_console, "li")
    with pytest.raises(NotFound):
        tokens.revoke(li, tokens.TokenId(made.id))
    set_user(each_console, "zhang", disabled=True)
    assert holder(each_console, made.token, bearer=True).person is None
    set_user(each_console, "zhang", disabled=False)
    tokens.revoke(asker, tokens.TokenId(made.id))
    assert holder(each_console, made.token, bearer=True).person is None
    assert made.token not in str(logged(each_console))


def test_a_bearer_needs_no_csrf_token_and_goes_before_a_cookie(console: Console) -> None:
    client = console.client("administrator")
    made = client.post("/api/v1/tokens", json={"name": "x", "days": 1}).json()
    assert client.post("/api/v1/tokens", json={"name": "x", "days": 366}).status_code == 422
    del client.headers["X-CSRF-Token"]
    body, path = {"language": "en"}, "/api/v1/profile/language"
    assert client.put(path, json=body).status_code == 403
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert client.put(path, json=body, headers=bearer).status_code == 200
    user = {"name": "new", "role": "viewer"}
    assert client.post("/api/v1/users", json=user, headers=bearer).status_code == 403
    assert client.post("/api/v1/enrolments", json={}, headers=bearer).status_code == 403
    assert client.get("/api/v1/users", headers={"Authorization": "Bearer jwu_x"}).status_code == 401


def test_the_profile_page_keeps_a_refused_token_form(console: Console) -> None:
    client = console.client("viewer")
    refused = client.post("/profile/tokens", data={"name": "nightly", "days": "400"})
    assert refused.status_code == 422
    assert 'value="nightly"' in refused.text
    made = client.post("/profile/tokens", data={"name": "nightly", "days": "30"})
    assert "jwu_" in made.text
    assert "jwu_" not in client.get("/profile").text
    wrong = client.post(
        "/profile/password", data={"current": PASSWORD, "password": "a", "again": "b"}
    )
    assert wrong.status_code == 422
    assert PASSWORD not in wrong.text


def test_a_token_guesses_no_password(console: Console) -> None:
    made = tokens.create(within(console, "zhang"), tokens.NewToken("script"))
    thief = holder(console, made.token, bearer=True)
    with pytest.raises(Forbidden, match=r"profile\.session_only"):
        profile.change_password(thief, profile.ChangePassword(PASSWORD, "Tr0ub-dour-1"))


def test_whoever_is_locked_sets_no_password(console: Console) -> None:
    asker = within(console, "zhang")
    set_user(console, "zhang", locked_until=NOW + timedelta(seconds=1))
    with pytest.raises(Refused, match=r"profile\.locked"):
        profile.change_password(asker, profile.ChangePassword(PASSWORD, "Tr0ub-dour-1"))
    assert row_of(console, "zhang").locked_until


def test_a_token_ends_with_what_it_came_from(console: Console) -> None:
    boss = within(console, "boss", "administrator")
    ends: dict[str, Callable[[int], object]] = {
        "reset": lambda id: users.reset_password(boss, users.UserId(id)),
        "factor": lambda id: users.reset_totp(boss, users.UserId(id)),
        "role": lambda id: users.change(boss, users.Update(id, 1, "administrator")),
        "scope": lambda id: users.change(boss, users.Update(id, 1, "viewer", departments=("a",))),
    }
    for name, end in ends.items():
        asker = within(console, name)
        token = tokens.create(asker, tokens.NewToken("script")).token
        assert holder(console, token, bearer=True).may("self")
        end(person(asker).id)
        assert not holder(console, token, bearer=True).may("self"), name


def test_a_token_is_no_way_round_a_password_that_is_over(console: Console) -> None:
    token = tokens.create(within(console, "zhang"), tokens.NewToken("script", 365)).token
    later = NOW + timedelta(days=89)
    assert not holder(console, token, later, bearer=True).may("self")
    set_user(console, "zhang", password_changed=later)
    assert holder(console, token, later, bearer=True).may("self")


@pytest.mark.parametrize("origin", ["ldap", "oidc"])
def test_a_token_counts_while_the_directory_vouches(console: Console, origin: str) -> None:
    token = tokens.create(within(console, "zhang"), tokens.NewToken("script", 365)).token
    set_user(console, "zhang", origin=origin, subject="x", vouched=NOW)
    assert not holder(console, token, bearer=True).may("self"), "the directory is none of ours"
    directory = {origin: DIRECTORIES[origin], "public_url": "https://console.example"}
    console.settings = msgspec.structs.replace(console.settings, **directory)
    lasts = timedelta(seconds=DIRECTORIES[origin].recheck)
    assert holder(console, token, NOW + lasts / 2, bearer=True).may("self")
    assert not holder(console, token, NOW + lasts, bearer=True).may("self")
    set_user(console, "zhang", vouched=NOW + lasts)
    assert holder(console, token, NOW + lasts, bearer=True).may("self"), "as soon as it answers"
