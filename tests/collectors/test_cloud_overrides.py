"""The override table and the registry of systems: what is taken, and that every mistake is told."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cloud import overrides, ownerfiles, systems
from collectors.cloud.attribution import Attributor
from collectors.cloud.glob import matches
from collectors.cloud.life import changes
from collectors.cloud.looserows import loose_rows
from collectors.cloud.migration import Migration, migration
from collectors.cloud.model import CloudView, Part, Problem, Project, Resource
from collectors.cloud.override import Override, dated
from collectors.cloud.overrides import OverrideErrors, Overrides
from collectors.cloud.owners import Attribution
from collectors.cloud.ownersettings import Aliases, AttributionSettings
from collectors.cloud.spans import Key, Span, joined
from collectors.cloud.systems import Registry, System, SystemErrors
from collectors.strictyaml import DocumentError

PROJECTS = {"p1": Project("p1", "财政-生产")}


def table(text: str, path: str = "owners.csv") -> Overrides:
    return overrides.parse(text.encode(), path)


def whose(found: Overrides, day: date, name: str = "web-01", **more: str) -> Attribution:
    project = more.get("project", "")
    resource = Resource(more.get("id", "id-1"), "server", name, "active", project=project)
    return Attributor(PROJECTS, AttributionSettings(), found).of(resource, day)


def told(text: str, path: str = "owners.csv") -> list[str]:
    with pytest.raises(OverrideErrors) as error:
        table(text, path)
    return str(error.value).splitlines()


def test_a_resource_that_moves_mid_month() -> None:
    found = table(
        "资源,部门,系统,区域,环境,生效日期,失效日期\n"
        "id-1,市财政局,预算,金平区,生产,,2026/3/14\n"
        "id-1,市审计局,审计,,,2026年3月15日,\n"
    )
    before, after = (whose(found, date(2026, 3, day)) for day in (14, 15))
    assert (before.owner.department, before.detail, before.since) == (
        "市财政局",
        "owners.csv:2",
        "",
    )
    assert whose(found, date(2026, 4, 1)).since == "2026-03-15"
    assert (before.owner.region, before.owner.environment) == ("金平区", "production")
    assert (after.owner.department, after.detail) == ("市审计局", "owners.csv:3")
    assert (after.owner.region, after.since) == ("", "2026-03-15")


def test_since_when_the_table_says_so() -> None:
    found = table(
        "资源,名称,部门,生效日期,失效日期\n"
        "id-1,,甲,2026-03-01,2026-03-09\n"
        "id-1,,甲,2026-03-10,2026-03-19\n"
        ",web-*,乙,,2026-03-29\n"
    )
    days = {1: "2026-03-01", 10: "2026-03-01", 19: "2026-03-01", 20: "2026-03-20", 29: "2026-03-20"}
    for day, since in days.items():
        assert whose(found, date(2026, 3, day)).since == since
    assert whose(found, date(2026, 2, 1)).since == ""
    ended = whose(found, date(2026, 3, 31))
    assert (ended.how, ended.since) == ("unassigned", "2026-03-30")


def test_a_table_as_a_chinese_excel_saves_it(tmp_path: Path) -> None:
    path = tmp_path / "归属表.csv"
    text = "云主机名称;项目;类型;部门;备注\r\n财政-*;;云主机;市财政局;口头确认\r\n;财政-生产;;市国库;\r\n"
    for encoding in ("gb18030", "utf-8-sig", "utf-16"):
        path.write_bytes(text.encode(encoding))
        found = Overrides.load(str(path))
        assert whose(found, date(2026, 3, 1), "财政-数据库").owner.department == "市财政局"
        assert whose(found, date(2026, 3, 1), project="p1").owner.department == "市国库"
        assert whose(found, date(2026, 3, 1)).how == "unassigned"


def test_the_same_in_yaml() -> None:
    found = table(
        "aliases:\n"
        "  departments: {财政局: 市财政局}\n"
        "overrides:\n"
        "  - {name: 'web-?1', department: 财政局, valid_from: 2026-03-15, kind: 虚拟机}\n"
        "  - {resource: id-1, department: 市审计局, valid_to: 20260314}\n",
        "owners.yaml",
    )
    assert found.aliases == Aliases({"财政局": "市财政局"})
    assert whose(found, date(2026, 3, 14)).owner.department == "市审计局"
    after = whose(found, date(2026, 3, 15))
    assert (after.owner.department, after.detail) == ("市财政局", "owners.yaml:4")
    assert whose(found, date(2026, 3, 15), "web-1").how == "unassigned"


def test_rows_on_one_line_are_rows() -> None:
    found = table("overrides: [{name: a, department: 甲}, {name: b, department: 乙}]", "o.yaml")
    assert whose(found, date(2026, 3, 1), "a").owner.department == "甲"
    assert whose(found, date(2026, 3, 1), "b").owner.department == "乙"


def test_what_is_nearer_is_believed() -> None:
    rows = [
        "*,,,,最远",
        "web-*,,,,前缀",
        "*-01,,,,后缀",
        "*eb-0*,,,,中间",
        "web-0?,,,,近",
        "web-0?,财政-*,,,近且项目",
        "web-01,,,,整名",
        "web-01,,server,,整名且类型",
        "web-01,p1,,,整名且项目",
        ",,,id-1,标识",
    ]
    for count in range(1, len(rows) + 1):
        text = "name,project,kind,resource,department\n" + "\n".join(rows[:count])
        found = whose(table(text), date(2026, 3, 1), project="p1")
        expected = rows[count - 1].rpartition(",")[2]
        nearer = {"后缀": "前缀", "中间": "前缀"}  # they fix as much, or less
        assert found.owner.department == nearer.get(expected, expected)


def test_two_patterns_that_are_as_near_are_told() -> None:
    found = table("name,department,valid_from\nweb-*,甲,\n*b-01,乙,2026-03-01\n")
    one = whose(found, date(2026, 3, 2))
    assert one.owner.department == "乙"  # it began later
    assert [(it.how, it.value, it.detail) for it in one.conflicts] == [
        ("override", "甲", "owners.csv:2")
    ]
    assert whose(found, date(2026, 2, 2)).conflicts == ()


def test_rows_that_say_the_same_twice_are_taken() -> None:
    found = table("资源,部门,生效日期\nid-1,市财政局,\nid-1,市财政局,\nid-1,市财政局,2026-03-01\n")
    one = whose(found, date(2026, 3, 2))
    assert (one.owner.department, one.conflicts) == ("市财政局", ())
    text = "aliases: {departments: {财政局: 市财政局}}\noverrides:\n"
    text += "".join(
        f"  - {{resource: id-1, department: {name}}}\n" for name in ("财政局", "市财政局")
    )
    assert whose(table(text, "o.yaml"), date(2026, 3, 2)).owner.department == "市财政局"


UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.mark.parametrize(("written", "seen"), [(UUID.upper(), UUID), (UUID, UUID.upper())])
def test_uuids_in_large_letters(written: str, seen: str) -> None:
    day = date(2026, 3, 1)
    assert whose(table(f"资源,部门\n{written},甲\n"), day, id=seen).how == "override"
    for id in (written, written.replace("-", "")):
        project = seen.replace("-", "") if "-" not in id else seen
        found = table(f"项目,部门\n{id},甲\n")
        assert whose(found, day, project=project).how == "override"
    twice = told(f"资源,部门\n{UUID},甲\n{UUID.upper()},乙\n")
    assert "line 2" in twice[0]
    # any other id is as it is written
    assert whose(table("资源,部门\nID-1,甲\n"), day, id="id-1").how == "unassigned"


def test_rows_that_fit_nothing() -> None:
    found = table(
        "资源,名称,项目,类型,部门,失效日期\n"
        "id-1,,,,甲,\n"
        "id-2,,,,甲,\n"
        ",web-?1,,,甲,\n"
        ",db-*,,,甲,\n"
        ",,财政-*,,甲,\n"
        ",,nova-p,,甲,\n"
        ",node-*,,物理机,甲,\n"
        "id-3,,,,甲,2026-02-01\n"
        ",,p2,,甲,\n"
    )
    server = Resource("id-1", "server", "web-01", "active")
    domain = Resource("d", "server", "x", "active", nova={"project": "nova-p"})
    view = CloudView("gov", "openstack", 0, 1, (server,), tuple(PROJECTS.values()))
    kvm = CloudView("kvm", "libvirt", 0, 1, (domain,))
    day = date(2026, 3, 1)
    assert loose_rows([view, kvm], found, day) == [3, 5, 10]
    assert loose_rows([view], found, date(2026, 1, 1)) == [3, 5, 7, 9, 10]
    parts: tuple[Part, ...] = ("servers", "all")
    for part in parts:  # they may be of what was not seen
        blind = CloudView("b", "libvirt", 0, 1, problems=(Problem(part, "no"),))
        assert loose_rows([view, kvm, blind], found, day) == []


def test_every_mistake_is_told_at_once() -> None:
    assert told(
        "资源,名称,类型,部门,生效日期,失效日期,数量\n"
        "id-1,,,甲,2026-03-01,2026-02-01,\n"
        "id-2,,,甲,,2026-03-31,\n"
        "id-2,,,乙,2026-03-15,,\n"
        "id-3,,,,,,\n"
        "id-4,,,无,,,\n"
        "id-5,,,甲,去年,2026-02-30,\n"
        ",,,甲,,,\n"
        "id-6,,机柜,甲,,,\n"
        "id-7,,,甲,,,\n"
        "id-7,,,乙,,,\n"
        f"id-8,,,{'长' * 151},,,\n"
        "id-9,,,甲\u202e\u2028乙,,,\n"
    ) == [
        "owners.csv:1: unknown column '数量'; there are: resource, name, project, kind, department, "
        "system, region, environment, valid_from, valid_to, note",
        "owners.csv:2: 失效日期: 2026-02-01 is before valid_from, 2026-03-01; exchange them",
        "owners.csv:4: 资源: is of the same resource as line 3, on the same days, with another owner; "
        "end the earlier one with valid_to 2026-03-14",
        "owners.csv:5: 部门: is missing",
        "owners.csv:6: 部门: '无' is no department; leave the row out",
        "owners.csv:7: 生效日期: '去年' is no date; write for example 2026-03-15",
        "owners.csv:7: 失效日期: '2026-02-30' is no date; write for example 2026-03-15",
        "owners.csv:8: 资源: is missing; write an id, or a name or a project",
        "owners.csv:9: 类型: '机柜' is not one of: server, volume, host, container",
        "owners.csv:11: 资源: is of the same resource as line 10, on the same days, with another "
        "owner; give them days that do not overlap, or leave one out",
        "owners.csv:12: 部门: is longer than 150 characters",
        "owners.csv:13: 部门: '甲\\u202e\\u2028乙' has a control character",
    ]


def test_every_mistake_of_yaml_is_told_at_once() -> None:
    assert told(
        "aliases: {departments: {a: b, b: c}}\n"
        "override: []\n"
        "overrides:\n"
        "  - {name: x, departement: 甲}\n"
        "  - {name: y, department: ''}\n"
        "  - {name: 7, department: 甲}\n"
        "  - {name: z, department: 甲, valid_from: 2026-03-15 08:00:00}\n"
        "  - nothing\n",
        "o.yaml",
    ) == [
        "o.yaml:1: aliases: departments: 'a' → 'b', which is an alias of 'c'; an official name is "
        "no alias",
        "o.yaml:2: override: unknown key; did you mean 'overrides'?",
        "o.yaml:4: overrides[0].departement: unknown key; did you mean 'department'?",
        "o.yaml:4: overrides[0].department: is missing",
        "o.yaml:5: overrides[1].department: is empty",
        "o.yaml:6: overrides[2].name: expected text, got int; put it in quotes: '7'",
        "o.yaml:7: overrides[3].valid_from: '2026-03-15 08:00:00' is no date; write for example "
        "2026-03-15",
        "o.yaml:8: overrides[4]: expected a mapping such as {name: …, department: …}",
    ]


@pytest.mark.parametrize(
    ("text", "path", "error"),
    [
        ("名称,系统\na,b\n", "o.csv", "o.csv:1: there is no column 'department'"),
        ("名称,部门\n", "o.csv", "o.csv: there is no row below the heads"),
        ("", "o.csv", "o.csv: is empty; the first row names the columns"),
        ("- a\n", "o.yaml", "o.yaml:1: document: expected a mapping with the key overrides"),
        ("{}", "o.yaml", "o.yaml:1: overrides: there is no override"),
    ],
)
def test_what_is_no_table(text: str, path: str, error: str) -> None:
    with pytest.raises(DocumentError) as raised:
        table(text, path)
    assert str(raised.value) == error


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        Overrides.load("/nonexistent/owners.csv")


@pytest.mark.parametrize(
    "text", ["2026-03-15", "2026/3/15", "2026.3.15", "2026年3月15日", "20260315", "2026/3/15 0:00"]
)
def test_dates_as_people_write_them(text: str) -> None:
    assert dated(text) == "2026-03-15"
    assert dated(date(2026, 3, 15)) == date(2026, 3, 15)


DATES = st.one_of(st.none(), st.dates(date(2026, 1, 1), date(2026, 1, 9)))


@given(st.lists(st.tuples(DATES, DATES, st.sampled_from("甲乙")), min_size=1, max_size=4))
def test_on_no_day_has_a_resource_two_owners(
    rows: list[tuple[date | None, date | None, str]],
) -> None:
    text = "resource,department,valid_from,valid_to\n" + "".join(
        f"id-1,{name},{since or ''},{until or ''}\n" for since, until, name in rows
    )
    days = [date(2026, 1, day) for day in range(1, 10)] + [date(2025, 1, 1), date(2027, 1, 1)]
    on_day = [{n for s, u, n in rows if (s or date.min) <= day <= (u or date.max)} for day in days]
    wrong = any(s and u and u < s for s, u, _ in rows) or any(len(it) > 1 for it in on_day)
    try:
        found = table(text)
    except OverrideErrors:
        assert wrong
        return
    assert not wrong
    for day, names in zip(days, on_day, strict=True):
        assert {whose(found, day).owner.department} - {""} == names


@settings(deadline=None)
@given(st.lists(st.tuples(DATES, DATES, st.sampled_from("甲乙"), st.booleans()), max_size=4))
def test_what_is_written_down_later_is_dated_as_what_was_seen(
    rows: list[tuple[date | None, date | None, str, bool]],
) -> None:
    """Somebody who looks every day, and somebody who looks on the first and the last."""
    made = Overrides(
        (
            n,
            Override(
                resource="id-1" if by_id else None,
                name=None if by_id else "web-*",
                department=name,
                valid_from=since,
                valid_to=until,
            ),
        )
        for n, (since, until, name, by_id) in enumerate(rows)
    )
    server = Resource("id-1", "server", "web-01", "active")

    def look(known: dict[Key, Span], day: int) -> dict[Key, Span]:
        at = datetime(2026, 1, day, tzinfo=UTC).timestamp()
        view = CloudView("gov", "openstack", at, 1, (server,))
        attribution = whose(made, date(2026, 1, day))
        return joined(known, changes(known, view, {"id-1": attribution}, at))

    daily: dict[Key, Span] = {}
    for day in range(1, 11):
        daily = look(daily, day)
    twice = look(look({}, 1), 10)
    if whose(made, date(2026, 1, 1)).owner == whose(made, date(2026, 1, 10)).owner:
        return  # if it was away in between, only the first has seen it
    assert twice["id-1", "owner"].since == daily["id-1", "owner"].since


@given(st.binary(max_size=300), st.sampled_from(["o.csv", "o.yaml", "o"]))
def test_any_bytes_are_a_table_or_an_error(content: bytes, path: str) -> None:
    with contextlib.suppress(DocumentError):
        overrides.parse(content, path)
    with contextlib.suppress(DocumentError):
        systems.parse(content, path, Aliases())


CELL = st.text(st.sampled_from("ab*?,;\n\"'：=甲2026-03/年月日 \x00\u202e"), max_size=8)


@given(st.lists(st.lists(CELL, min_size=5, max_size=5), max_size=4))
def test_any_cells_are_rows_or_mistakes(rows: list[list[str]]) -> None:
    text = "资源,名称,部门,生效日期,上云\n" + "\n".join(",".join(row) for row in rows)
    with contextlib.suppress(OverrideErrors):
        table(text.replace(",上云", ",失效日期"))
    with contextlib.suppress(SystemErrors):
        systems.parse(text.replace("资源", "系统").encode(), "s.csv", Aliases())


@given(st.text("ab*?\n", max_size=8), st.text("ab\n", max_size=8))
def test_globs_are_those_of_the_shell(pattern: str, text: str) -> None:
    expression = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern)
    assert matches(pattern, text) == bool(re.fullmatch(expression, text, re.DOTALL))


@given(st.lists(st.tuples(st.text("ab*?", min_size=1, max_size=4), st.sampled_from("甲乙丙"))))
def test_rows_are_found_wherever_they_are_kept(rows: list[tuple[str, str]]) -> None:
    made = Overrides(
        [(n, Override(name=name, department=dept)) for n, (name, dept) in enumerate(rows)]
    )
    for name in ("a", "ab", "aba", "bb", "b"):
        resource = Resource("id", "server", name, "active")
        found = Attributor({}, AttributionSettings(), made).of(resource, date(2026, 1, 1))
        departments = {dept for pattern, dept in rows if matches(pattern, name)}
        assert bool(found.owner.department) == bool(departments)
        assert departments >= {found.owner.department} - {""}


REGISTRY = """系统名称,部门,区域,是否上云,上云日期
预算,财政局,,是,2026/3/15
审计,市审计局,金平区,否,
学籍,市教育局,,计划,
阅卷,市教育局,,,
档案,市档案局,,已上云,
"""


def registry() -> Registry:
    return systems.parse(REGISTRY.encode(), "s.csv", Aliases({"财政局": "市财政局"}))


def test_a_registry() -> None:
    found = registry()
    assert found.systems[0] == System("预算", "市财政局", "", "yes", date(2026, 3, 15))
    assert [one.on_cloud for one in found.systems] == ["yes", "no", "planned", None, "yes"]
    text = "systems:\n  - {system: 预算, department: 市财政局, on_cloud: yes, since: 2026-03-15}\n"
    assert systems.parse(text.encode(), "s.yaml", Aliases()).systems == found.systems[:1]


def test_mistakes_of_a_registry() -> None:
    with pytest.raises(SystemErrors) as error:
        systems.parse(
            (REGISTRY + "预算,市财政局,,也许,昨天\n审计,市审计局,,,\n,市水务局,,,\n").encode(),
            "s.csv",
            Aliases(),
        )
    assert str(error.value).splitlines() == [
        "s.csv:7: 是否上云: '也许' is not one of: yes, no, planned",
        "s.csv:7: 上云日期: '昨天' is no date; write for example 2026-03-15",
        "s.csv:8: 系统名称: '审计' of '市审计局' is on line 3 already; leave one of the two out",
        "s.csv:9: 系统名称: is missing",
    ]


def test_the_migration_rate() -> None:
    found = registry()
    nothing = migration(found, [], date(2026, 3, 14))
    assert nothing == Migration(5, 1, 2, (("市档案局", "档案"),))
    assert nothing.ratio == 0.2
    holding = [
        ("市财政局", "预算"),
        ("市审计局", "审计"),  # of which the registry says no
        ("", "学籍"),  # whose holder nobody knows, of the only department with one
        ("市水务局", "水情"),
        ("市档案局", ""),
    ]
    assert migration(found, holding, date(2026, 3, 15)) == Migration(
        5, 3, 0, (("市审计局", "审计"), ("市档案局", "档案")), (("市水务局", "水情"),)
    )
    assert migration(Registry(), holding, date(2026, 3, 15)).ratio is None


def test_a_city_of_46_systems_in_23_departments() -> None:
    rows = [f"系统{n},部门{n % 23},{'是' if n % 2 else ''}" for n in range(46)]
    text = "系统,部门,上云\n" + "\n".join(rows)
    found = systems.parse(text.encode("gb18030"), "s.csv", Aliases())
    holding = [(f"部门{n % 23}", f"系统{n}") for n in range(0, 20, 2)]
    moved = migration(found, holding, date(2026, 3, 1))
    assert (moved.systems, moved.on_cloud) == (46, 33)
    assert len({one.department for one in found.systems}) == 23


def test_the_files_that_settings_name(tmp_path: Path) -> None:
    nothing = ownerfiles.load(AttributionSettings())
    assert (nothing.table.rows, nothing.registry) == ((), Registry())
    (tmp_path / "o.yaml").write_text("aliases: {departments: {财政局: 市财政局}}")
    (tmp_path / "s.csv").write_text(REGISTRY)
    named = AttributionSettings(str(tmp_path / "o.yaml"), str(tmp_path / "s.csv"))
    assert ownerfiles.load(named).registry.systems[0].department == "市财政局"
    wrong = AttributionSettings(str(tmp_path / "o.yaml"), aliases=Aliases({"市财政局": "财政"}))
    with pytest.raises(DocumentError, match=r"o\.yaml: aliases, with those of the settings: dep"):
        ownerfiles.load(wrong)


def test_the_examples_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs/attribution.md").read_text(encoding="utf-8")
    sheets = re.findall(r"(?m)(?:^    .*\n)+", text)
    found = table("".join(line[4:] for line in sheets[0].splitlines(True)))
    id = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    assert whose(found, date(2026, 3, 14), id=id).owner.department == "市财政局"
    assert whose(found, date(2026, 3, 15), id=id).owner.department == "市审计局"
    assert whose(found, date(2026, 3, 15), "oa-01").owner.department == "市政府办"
    registered = "".join(line[4:] for line in sheets[1].splitlines(True))
    assert len(systems.parse(registered.encode(), "s.csv", Aliases()).systems) == 3
    (yaml,) = re.findall(r"(?s)```yaml\n(.*?)```", text)
    found = table(yaml, "o.yaml")
    assert whose(found, date(2026, 3, 14), "oa-01").owner.system == "协同办公"
    heads = re.findall(r"(?m)^\| `([^|]*?)` \|", text)
    named = {name for cell in heads for name in re.findall(r"[a-z_]+", cell)}
    assert named == {*overrides.COLUMNS, *AttributionSettings.__struct_fields__}
