"""The list of hits and the page of one: what they show, and to whom."""

from __future__ import annotations

from tests.consolelab import Console
from tests.reviewlab import fill, places, told


def test_the_list_leads_to_the_hit(each_console: Console) -> None:
    places(each_console.database)
    fill(each_console.database, [told(n, n % 5 + 1, instance=f"用户{n}") for n in range(1, 9)])
    client = each_console.client("viewer")
    page = client.get("/hits")
    assert page.status_code == 200, page.text
    assert "用户3" in page.text
    assert "共 8 条" in page.text
    one = client.get("/hits/1")
    assert one.status_code == 200, one.text
    assert "/etc/ssh/sshd_config:12" in one.text
    assert "GB/T 22239-2019 8.1.4" in one.text


def test_every_filter_and_order_answers(each_console: Console) -> None:
    places(each_console.database)
    fill(each_console.database, [told(n, n % 5 + 1, instance=f"用户{n}") for n in range(1, 9)])
    client = each_console.client("viewer")
    for query, expected in (
        ("severity=high", 8),
        ("severity=low", 0),
        ("clause=8.1.4", 8),
        ("clause=8.1.4.1.a", 2),
        ("pack=pack-1", 4),
        ("department=审计局&department=-", 4),
        ("system=system-1", 3),
        ("region=region-1", 4),
        ("host=machine-0003", 1),
        ("host=服务器-3", 2),
        ("rule=linux.rule-1.1", 1),
        ("owner=me", 0),
        ("owner=none", 8),
        ("min_age=1", 8),
        ("max_age=0", 0),
        ("text=口令", 8),
        ("text=用户3", 1),
        ("text=%25", 0),
        ("ticket=INC-1", 0),
        ("verdict=unknown", 0),
        ("verdict=fail", 8),
        ("verdict=pass", 0),
        ("state=fixed", 0),
        ("state=all", 8),
    ):
        for sort in ("severity", "age", "last_seen", "host", "rule", "changed"):
            answer = client.get(f"/api/v1/hits?{query}&sort={sort}")
            assert answer.status_code == 200, (query, sort, answer.text)
            found = answer.json()
            assert len(found["hits"]) == expected, (query, sort)
            assert found["count"] == {"number": expected, "exact": True}, (query, sort)
        for group in ("rule", "host"):
            answer = client.get(f"/api/v1/hits/groups?{query}&group={group}").json()
            assert sum(one["hits"] for one in answer["groups"]) == expected, (query, group)
        assert client.get(f"/hits?{query}").status_code == 200
        assert client.get(f"/hits?{query}&group=rule").status_code == 200
