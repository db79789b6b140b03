"""Users: what each role may do, and what administrators may and may not do to users."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta

import pytest

from exporters.console.people import login, users
from exporters.console.web.asker import PERMISSIONS, Asker, Person, Role
from exporters.console.web.refusals import Conflict, Forbidden, Invalid, NotFound, Refused
from tests.consolelab import Console
from tests.peoplelab import NOW, lasts, logged, row_of, set_user, stranger, within

MAY = {
    #                open  agent  entering self  view  review approve administer audit
    "viewer":        (True, True, True, True, True, False, False, False, False),
    "analyst":       (True, True, True, True, True, True, False, False, False),
    "approver":      (True, True, True, True, True, True, True, False, False),
    "administrator": (True, True, True, True, True, False, False, True, False),
    "auditor":       (True, True, True, True, True, False, False, False, True),
    "totp":          (True, True, True, False, False, False, False, False, False),
    "password":      (True, True, True, False, False, False, False, False, False),
    "":              (True, True, False, False, False, False, False, False, False),
}  # fmt: skip


@pytest.mark.parametrize("who", MAY)
def test_what_each_role_may_do(console: Console, who: str) -> None:
    asker = stranger(console)
    if who:
        stage = who if who in ("totp", "password") else "full"
        role: Role = "administrator" if stage != "full" else who  # type: ignore[assignment]
        person = Person(1, "x", "", role)
        asker = Asker(console.database, console.services, NOW, asker.zone, "zh", person, stage=stage)  # fmt: skip
    assert tuple(asker.may(permission) for permission in PERMISSIONS) == MAY[who]


def test_a_new_user_changes_the_initial_password(each_console: Console) -> None:
    boss = within(each_console, "boss", "administrator")
    made = users.create(
        boss, users.Create("张伟.2", "analyst", "张伟", "zhang@example.org", ("教育局", " 卫健委 "))
    )
    entered = login.by_password(stranger(each_console), "张伟.2", made.password)
    assert entered.stage == "password"
    row = row_of(each_console, "张伟.2")
    assert (row.role, row.mail, row.departments) == ("analyst", "zhang@example.org", ["卫健委", "教育局"])  # fmt: skip
    entry = logged(each_console, "users.create")[-1]
    assert entry.actor == "boss"
    assert made.password not in entry.detail
    with pytest.raises(Conflict):
        users.create(boss, users.Create("张伟.2", "viewer"))


@pytest.mark.parametrize(
    ("create", "field"),
    [
        (users.Create("", "viewer"), "name"),
        (users.Create("Zhang", "viewer"), "name"),
        (users.Create("a b", "viewer"), "name"),
        (users.Create("-a", "viewer"), "name"),
        (users.Create("a\0", "viewer"), "name"),
        (users.Create("<script>", "viewer"), "name"),
        (users.Create("a" * 65, "viewer"), "name"),
        (users.Create("a", "viewer", "x" * 65), "full_name"),
        (users.Create("a", "viewer", mail="nobody"), "mail"),
        (users.Create("a", "viewer", mail="a@b\r\nBcc: c@d"), "mail"),
        (users.Create("a", "viewer", departments=("x" * 129,)), "departments"),
        (users.Create("a", "administrator", departments=("教育局",)), "departments"),
        (users.Create("a", "auditor", departments=()), "departments"),
    ],
)
def test_what_is_no_user(console: Console, create: users.Create, field: str) -> None:
    boss = within(console, "boss", "administrator")
    with pytest.raises(Invalid) as refused:
        users.create(boss, create)
    assert refused.value.field == field


def _update(console: Console, name: str, **changes: object) -> users.Update:
    row = row_of(console, name)
    return users.Update(**{"id": row.id, "version": row.version, "role": row.role, **changes})


def test_a_change_of_rights_ends_sessions_and_the_second_editor_is_told(
    each_console: Console,
) -> None:
    boss = within(each_console, "boss", "administrator")
    for change in (
        {"role": "analyst"},
        {"role": "analyst", "departments": ("教育局",)},
        {"role": "analyst", "departments": ("教育局",), "disabled": True},
    ):
        set_user(each_console, "zhang", disabled=False) if change.get("disabled") else None
        zhang = within(each_console, "zhang")
        update = _update(each_console, "zhang", **change)
        users.change(boss, update)
        assert not lasts(zhang, each_console)
        with pytest.raises(Conflict):
            users.change(boss, update)
    entries = [json.loads(row.detail) for row in logged(each_console, "users.change")]
    assert entries[0] == {"role": ["viewer", "analyst"]}
    assert len(entries) == 3


def test_a_change_of_name_or_mail_ends_nothing(console: Console) -> None:
    boss, zhang = within(console, "boss", "administrator"), within(console, "zhang")
    known = users.change(boss, _update(console, "zhang", full_name="张", mail="z@example.org"))
    assert (known.full_name, known.version) == ("张", 2)
    assert lasts(zhang, console)


def test_nobody_changes_their_own_rights(console: Console) -> None:
    boss = within(console, "boss", "administrator")
    within(console, "other", "administrator")
    for change in ({"role": "viewer"}, {"disabled": True}):
        with pytest.raises(Forbidden):
            users.change(boss, _update(console, "boss", **change))
    own = users.UserId(row_of(console, "boss").id)
    for act in (users.reset_password, users.reset_totp):
        with pytest.raises(Forbidden):
            act(boss, own)
    assert users.change(boss, _update(console, "boss", full_name="B")).full_name == "B"


def test_of_two_administrators_who_disable_each_other_one_stays(each_console: Console) -> None:
    one = within(each_console, "one", "administrator")
    two = within(each_console, "two", "administrator")
    gate, refused = threading.Barrier(2), []

    def disable(asker: Asker, name: str) -> None:
        update = _update(each_console, name, disabled=True)
        gate.wait()
        try:
            users.change(asker, update)
        except Refused as error:
            refused.append(error.key)

    threads = [
        threading.Thread(target=disable, args=(one, "two")),
        threading.Thread(target=disable, args=(two, "one")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["users.last_administrator"]
    assert sorted(row_of(each_console, name).disabled for name in ("one", "two")) == [False, True]


def test_who_sees_some_departments_keeps_no_users(console: Console) -> None:
    asker = within(console, "boss", "administrator", ("教育局",))
    with pytest.raises(Forbidden):
        users.listed(asker, users.List())
    with pytest.raises(Forbidden):
        users.create(asker, users.Create("a", "administrator"))


def test_the_list_is_in_pages(console: Console) -> None:
    boss = within(console, "boss", "administrator")
    for number in range(120):
        console.person(f"u{number:03}", "viewer")
    first = users.listed(boss, users.List())
    assert len(first.users) == users.PAGE
    second = users.listed(boss, users.List(after=first.next))
    assert len(first.users) + len(second.users) == 121
    assert second.next == ""
    assert [one.name for one in users.listed(boss, users.List(text="U01")).users] == [
        f"u01{number}" for number in range(10)
    ]
    assert users.listed(boss, users.List(text="%")).users == ()


def test_a_reset_gives_another_initial_password_and_unlocks(console: Console) -> None:
    boss, zhang = within(console, "boss", "administrator"), within(console, "zhang")
    set_user(console, "zhang", failures=5, locked_until=NOW + timedelta(seconds=600))
    made = users.reset_password(boss, users.UserId(zhang.person.id))  # type: ignore[union-attr]
    assert not lasts(zhang, console)
    entered = login.by_password(stranger(console), "zhang", made.password)
    assert entered.stage == "password"
    with pytest.raises(NotFound):
        users.unlock(boss, users.UserId(999))


def test_the_pages_work_without_the_api(console: Console) -> None:
    """As a browser sees them: create, hand over, refuse with what was typed, edit, reset, unlock."""
    client = console.client("administrator")
    typed = {"name": "Bad Name", "role": "viewer", "full_name": "<b>张</b>", "mail": "a@b.cn"}
    refused = client.post("/users", data={**typed, "departments": "教育局", "more": "林业局"})
    assert refused.status_code == 422
    assert 'role="alert"' in refused.text
    for kept in ('value="Bad Name"', "&lt;b&gt;张&lt;/b&gt;", 'value="a@b.cn"', "教育局", "林业局"):
        assert kept in refused.text
    made = client.post("/users", data={**typed, "name": "zhang", "all": "yes"})
    assert made.status_code == 200
    password = made.text.split('id="password">')[1].split("<")[0].replace("&amp;", "&")
    assert console.client(None).post(
        "/login", data={"name": "zhang", "password": password}
    ).headers["location"] == "/profile/password"  # fmt: skip
    number = row_of(console, "zhang").id
    change = {**typed, "version": "1", "all": "yes", "role": "approver"}
    assert client.post(f"/users/{number}", data=change).headers["location"] == "/users"
    late = client.post(f"/users/{number}", data=change)
    assert late.status_code == 409
    set_user(console, "zhang", locked_until=datetime.now(UTC) + timedelta(days=1))
    assert f"/users/{number}/unlock" in client.get(f"/users/{number}").text
    assert client.post(f"/users/{number}/unlock").status_code == 303
    assert client.post(f"/users/{number}/password").status_code == 200
    assert client.get("/users/999").status_code == 404
    assert client.get("/users?text=zha").text.count("/users/") >= 1
