"""What people do to hits: whose they are, two at once, many at once; and what their departments keep from them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from starlette.testclient import TestClient

from exporters.console.schema import hit, hit_event, hit_tally, host_tally, log
from tests.consolelab import Console
from tests.reviewlab import DEPARTMENTS, fill, places, told

AUDIT = DEPARTMENTS[1]  # of hosts 1, 5; the second department


def filled(console: Console) -> None:
    """Hit n is of host n (1 to 8) and of rule n % 5 + 1."""
    places(console.database)
    states = {3: 4, 7: 3}  # regressed, fixed
    rows = [told(n, n % 5 + 1, instance=f"用户{n}", state=states.get(n, 0)) for n in range(1, 9)]
    fill(console.database, rows)


def row(console: Console, identity: int) -> Any:
    with console.database.reading() as connection:
        return connection.execute(select(hit).where(hit.c.id == identity)).one()


def tallies_are_right(console: Console) -> None:
    with console.database.reading() as connection:
        for table in (hit_tally, host_tally):
            names = [column.name for column in table.primary_key]
            columns = [hit.c[name] for name in names]
            counted = connection.execute(select(*columns, func.count()).group_by(*columns)).all()
            kept = connection.execute(select(table).where(table.c.hits != 0)).all()
            assert sorted(map(tuple, kept)) == sorted(map(tuple, counted))


def test_one_is_acknowledged_and_the_second_editor_is_told(each_console: Console) -> None:
    filled(each_console)
    first, second = (each_console.client("analyst", name=name) for name in ("zhang", "wang"))
    done = first.post("/hits/1", data={"action": "acknowledge", "version": 1, "note": "已报修"})
    assert (done.status_code, done.headers["location"]) == (303, "/hits/1")
    late = second.post("/hits/1", data={"action": "assign", "version": 1, "to": "wang"})
    assert late.status_code == 409
    assert "其他人刚刚改动了它" in late.text
    late = second.post("/api/v1/hits/1/acknowledge", json={"version": 1})
    assert late.json()["error"]["code"] == "conflict"
    now = row(each_console, 1)
    assert (now.state, now.by, now.note, now.version, now.owner_id) == (
        1,
        "zhang",
        "已报修",
        2,
        None,
    )
    tallies_are_right(each_console)
    events = first.get("/api/v1/hits/1/events").json()["events"]
    assert [(one["kind"], one["actor"], one["after"]) for one in events] == [
        ("state", "zhang", "acknowledged")
    ]
    assert first.post("/api/v1/hits/1/acknowledge", json={"version": 2, "undo": True}).json() == {
        "version": 3
    }
    assert row(each_console, 1).state == 0
    tallies_are_right(each_console)


def test_what_does_not_apply_is_refused(console: Console) -> None:
    filled(console)
    client = console.client("analyst")
    assert client.post("/api/v1/hits/7/acknowledge", json={"version": 1}).status_code == 422
    assert client.post("/api/v1/hits/1/assign", json={"version": 1, "to": "x"}).status_code == 422
    assert client.post("/hits/1", data={"action": "comment", "note": " "}).status_code == 422
    assert client.post("/hits/1", data={"action": "comment", "note": "a\0b"}).status_code == 422
    assert client.post("/api/v1/hits/99/comments", json={"text": "x"}).status_code == 404
    assert client.get("/hits?cursor=nonsense").status_code == 422
    assert client.get("/hits?text=%00").status_code == 422


def test_chosen_ones_all_or_none(each_console: Console) -> None:
    filled(each_console)
    client = each_console.client("analyst")
    form = {"action": "acknowledge", "chosen": ["1:1", "2:9"], "note": ""}
    assert client.post("/hits/bulk", data=form).status_code == 409
    assert row(each_console, 1).state == 0
    done = client.post("/hits/bulk", data={**form, "chosen": ["1:1", "3:1", "7:1"]})
    assert done.status_code == 303
    assert [row(each_console, n).state for n in (1, 3, 7)] == [1, 1, 3]
    tallies_are_right(each_console)
    with each_console.database.reading() as connection:
        logged = connection.execute(
            select(log.c.detail).where(log.c.action == "hits.acknowledge")
        ).scalars()
        (detail,) = logged
    assert '"changed": 2' in detail
    assert '"count": 3' in detail


def test_all_that_match_but_not_one_more_than_was_said(each_console: Console) -> None:
    filled(each_console)
    client = each_console.client("analyst")
    form = {"action": "assign", "everything": "true", "query": "?host=服务器-2", "to": "me"}
    asked = client.post("/hits/bulk", data=form)
    assert asked.status_code == 200
    assert "全部 1 条" in asked.text  # hit 2; that of host 7 is fixed
    more = told(2, 5, instance="another")
    fill_more(each_console, more)
    refused = client.post("/hits/bulk", data={**form, "count": "1"})
    assert refused.status_code == 409
    assert row(each_console, 2).owner_id is None
    done = client.post("/hits/bulk", data={**form, "count": "2"})
    assert done.status_code == 303
    assert client.get("/api/v1/hits?owner=me").json()["count"]["number"] == 2
    assert client.get("/api/v1/hits?owner=analyst&host=服务器-2").json()["count"]["number"] == 2


def fill_more(console: Console, one: dict[str, Any]) -> None:
    one["department_id"] = one["host_id"] % 4 + 1
    with console.database.writing() as connection:
        connection.execute(hit.insert(), one)
        for table in (hit_tally, host_tally):
            key = {column.name: one[column.name] for column in table.primary_key}
            insert = console.database.upsert(table).values(**key, hits=1)
            names = list(key)
            added = {"hits": table.c.hits + 1}
            connection.execute(insert.on_conflict_do_update(index_elements=names, set_=added))


def test_a_department_sees_and_changes_its_own_alone(each_console: Console) -> None:
    filled(each_console)
    client = each_console.client("analyst", (AUDIT,), name="of-audit")
    listed = client.get("/api/v1/hits?state=all").json()
    assert [one["department"] for one in listed["hits"]] == [AUDIT, AUDIT]
    everywhere = f"/api/v1/hits?state=all&department={DEPARTMENTS[2]}&department={AUDIT}"
    assert client.get(everywhere).json()["count"]["number"] == 2
    assert client.get("/api/v1/hits?state=all&host=machine-0002").json()["hits"] == []
    for group in ("rule", "host"):
        found = client.get(f"/api/v1/hits/groups?group={group}&state=all").json()["groups"]
        assert sum(one["hits"] for one in found) == 2
    for path in ("/hits/2", "/api/v1/hits/2", "/api/v1/hits/2/events"):
        assert client.get(path).status_code == 404
    for action, body in (
        ("acknowledge", {"version": 1}),
        ("assign", {"version": 1, "to": "me"}),
        ("comments", {"text": "x"}),
    ):
        assert client.post(f"/api/v1/hits/2/{action}", json=body).status_code == 404
    ticket = {"version": 1, "ticket": "x"}
    assert client.put("/api/v1/hits/2/ticket", json=ticket).status_code == 404
    taken = client.post("/hits/bulk", data={"action": "acknowledge", "chosen": ["1:1", "2:1"]})
    assert taken.status_code == 409
    everything = {"action": "acknowledge", "query": "", "count": 8}
    assert client.post("/api/v1/hits/bulk", json=everything).json() == {"changed": 2, "of": 2}
    with each_console.database.reading() as connection:
        changed = connection.execute(select(hit.c.id).where(hit.c.version > 1)).scalars()
        assert sorted(changed) == [1, 5]
    csv = client.get("/hits.csv?state=all").content.decode("utf-8-sig")
    assert csv.count("\r\n") == 3
    assert len(client.get("/hits.ocsf?state=all").content.splitlines()) == 2
    assert client.get(f"/assessment/sheet?department={DEPARTMENTS[2]}").status_code == 404


def test_who_may_not_see_a_hit_cannot_own_it(console: Console) -> None:
    filled(console)
    console.person("of-audit", "analyst", (AUDIT,))
    client = console.client("analyst")
    assign = {"version": 1, "to": "of-audit"}
    assert client.post("/api/v1/hits/1/assign", json=assign).status_code == 200
    console.person("reader", "viewer")
    of_none = None
    for name in ("nobody", "of-audit", "reader"):  # which it is is not told
        answer = client.post("/api/v1/hits/2/assign", json={"version": 1, "to": name})
        assert answer.status_code == 422
        refused = answer.json()["error"]
        assert refused["code"] == "review.no_such_owner"
        of_none = of_none or refused["message"]
        assert refused["message"].replace(name, "nobody") == of_none
    page = client.get("/hits?owner=of-audit").text
    assert "用户1" in page
    assert "用户2" not in page


def test_views_are_saved_shared_and_taken_away(each_console: Console) -> None:
    filled(each_console)
    own, other = each_console.client("analyst"), each_console.client("viewer")
    saved = own.post(
        "/hits/views", data={"action": "save", "name": "高危", "query": "?severity=high&cursor=x"}
    )
    assert saved.headers["location"] == "/hits?severity=high"
    again = own.post("/hits/views", data={"action": "save", "name": "高危", "query": ""})
    assert again.status_code == 409
    assert "高危" not in views_of(other)
    (view,) = own.get("/api/v1/views").json()["views"]
    shared = own.put(f"/api/v1/views/{view['id']}", json={"shared": True, "name": "高危的"})
    assert shared.status_code == 200
    assert views_of(other) == ["高危的"]
    assert "高危的" in other.get("/hits").text
    assert other.delete(f"/api/v1/views/{view['id']}").status_code == 404
    assert own.delete(f"/api/v1/views/{view['id']}").status_code == 200
    assert views_of(own) == []


def test_a_shared_view_is_for_who_sees_all_that_its_owner_sees(each_console: Console) -> None:
    filled(each_console)
    query = "?host=secret-host&ticket=INC-9"
    narrow = each_console.client("analyst", (AUDIT,), name="narrow")
    whole = each_console.client("analyst", name="whole")
    for client, name in ((narrow, "of-audit"), (whole, "of-all")):
        saved = client.post("/api/v1/views", json={"name": name, "query": query, "shared": True})
        assert saved.status_code == 200
    same = each_console.client("viewer", (AUDIT, DEPARTMENTS[0]), name="same")
    other = each_console.client("viewer", (DEPARTMENTS[0],), name="other")
    assert views_of(whole) == views_of(each_console.client("viewer")) == ["of-all", "of-audit"]
    assert views_of(same) == views_of(narrow) == ["of-audit"]
    assert views_of(other) == []
    assert "secret-host" not in other.get("/hits").text
    # who only looks keeps theirs for themselves
    assert other.post("/api/v1/views", json={"name": "x", "shared": True}).status_code == 403
    kept = other.post("/api/v1/views", json={"name": "x"}).json()
    assert other.put(f"/api/v1/views/{kept['id']}", json={"shared": True}).status_code == 403
    assert views_of(each_console.client("viewer")) == ["of-all", "of-audit"]
    assert 'name="shared"' not in other.get("/hits").text


def views_of(client: TestClient) -> list[str]:
    return [one["name"] for one in client.get("/api/v1/views").json()["views"]]


def test_a_waiver_is_asked_for_with_the_rule_and_the_hosts(console: Console) -> None:
    filled(console)
    client = console.client("analyst")
    chosen = client.post("/hits/bulk", data={"action": "waive", "chosen": ["1:1", "2:1"]})
    assert chosen.headers["location"] == "/waivers/new?ids=1&ids=2"
    every = {"action": "waive", "everything": "true", "query": "?host=machine-0001"}
    assert client.post("/hits/bulk", data=every).status_code == 422  # of no rule
    every["query"] = "?host=machine-0001&rule=linux.rule-2.2"
    location = client.post("/hits/bulk", data=every).headers["location"]
    assert location == "/waivers/new?rule=linux.rule-2.2&hosts=machine-0001"
    back = client.post("/hits/bulk", data={"action": "unwaive", "chosen": ["1:1"]})
    assert 'name="ids" value="1"' in back.text


def test_every_change_is_an_event(console: Console) -> None:
    filled(console)
    client = console.client("analyst")
    client.post("/hits/1", data={"action": "comment", "note": "第一行\r\n第二行"})
    client.post("/hits/1", data={"action": "ticket", "ticket": "INC-7", "version": 1})
    client.post("/hits/1", data={"action": "assign", "to": "me", "version": 2})
    with console.database.reading() as connection:
        kinds = connection.execute(select(hit_event.c.kind, hit_event.c.text, hit_event.c.after))
        assert sorted(map(tuple, kinds)) == [
            ("assign", "", "analyst"),
            ("comment", "第一行\n第二行", ""),
            ("ticket", "", "INC-7"),
        ]
    assert client.get("/api/v1/hits?ticket=INC-7").json()["count"]["number"] == 1
