"""One's own account: password, sessions, API tokens."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from exporters.console.people import profile, tokens
from exporters.console.web.refusals import Forbidden, Invalid, NotFound, Refused
from exporters.console.web.routing import Nothing
from tests.consolelab import PASSWORD, Console
from tests.peoplelab import NOW, holder, lasts, logged, row_of, set_user, within


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
    body = {"name": "new", "role": "viewer"}
    assert client.post("/api/v1/users", json=body).status_code == 403
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert client.post("/api/v1/users", json=body, headers=bearer).json()["name"] == "new"
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
