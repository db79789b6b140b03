"""Attribution: every step of the order, what falls through, and what text from outside may do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cloud import overrides
from collectors.cloud.attribution import NO_OVERRIDES, Attributor, attributions
from collectors.cloud.model import CloudView, Project, Resource
from collectors.cloud.overrides import Overrides
from collectors.cloud.owners import MAX_NAME, Attribution, Conflict, Owner, clean
from collectors.cloud.ownersettings import AttributionSettings
from collectors.strictyaml import DocumentError, loads

DAY = date(2026, 3, 10)
TOP = Project("top", "市卫健局")
MIDDLE = Project("mid", "信息中心", parent="top")
PROJECTS = {
    one.id: one
    for one in (
        TOP,
        MIDDLE,
        Project("p1", "oa-prod", parent="top"),
        Project("p2", "hospital", parent="mid"),
        Project(
            "tagged", "t", tags=("dept:市教育局", "system=学籍", "区县：金平区", "env=prod", "x")
        ),
        Project("below", "b", parent="tagged"),
        Project("lone", "lone"),
        Project("admin", "admin"),
        Project("of-admin", "x", parent="admin"),
    )
}


def settings(text: str = "") -> AttributionSettings:
    return loads(text, AttributionSettings)


def server(project: str = "", **more: object) -> Resource:
    return msgspec.structs.replace(
        Resource("id-1", "server", "web-01", "active", project=project), **more
    )


def of(
    resource: Resource,
    text: str = "",
    table: Overrides = NO_OVERRIDES,
    domain: Resource | None = None,
    projects: Mapping[str, Project] = PROJECTS,
    at: date = DAY,
) -> Attribution:
    return Attributor(projects, settings(text), table).of(resource, at, domain)


def table(*rows: str) -> Overrides:
    return overrides.parse("\n".join(rows).encode(), "owners.csv")


WHOLE = server(
    "tagged",
    metadata={"department": "市财政局", "system": "预算"},
    nova={"project": "nova-project", "project_id": "elsewhere"},
)
DOMAIN = server(metadata={"owner.dept": "市档案局"})
TABLE = table("资源,部门,系统", "id-1,市审计局,审计")


def test_the_order_and_each_fall_through() -> None:
    found = of(WHOLE, table=TABLE, domain=DOMAIN)
    assert (found.owner.department, found.owner.system) == ("市审计局", "审计")
    assert (found.how, found.detail) == ("override", "owners.csv:2")
    found = of(WHOLE, domain=DOMAIN)
    assert (found.owner.department, found.how, found.detail) == (
        "市财政局",
        "metadata",
        "department",
    )
    found = of(server("tagged", nova=WHOLE.nova), domain=DOMAIN)
    assert (found.owner.department, found.how) == ("市教育局", "project")
    assert found.detail == "tag dept:市教育局 of t"
    found = of(server("unheard", nova=WHOLE.nova), domain=DOMAIN)
    assert (found.owner.department, found.how) == ("nova-project", "nova")
    assert found.detail == "project nova-project"
    found = of(server("unheard"), domain=DOMAIN)
    assert (found.owner.department, found.how, found.detail) == (
        "市档案局",
        "libvirt",
        "owner.dept",
    )
    found = of(server("unheard"))
    assert found == Attribution(Owner(), "unassigned")


def test_what_later_steps_say_otherwise_is_told() -> None:
    found = of(WHOLE, table=TABLE, domain=DOMAIN)
    assert found.conflicts == (
        Conflict("metadata", "department", "市财政局", "department"),
        Conflict("project", "department", "市教育局", "tag dept:市教育局 of t"),
        Conflict("libvirt", "department", "市档案局", "owner.dept"),
    )


def test_another_departments_step_gives_nothing() -> None:
    found = of(server("tagged", metadata={"dept": "市财政局"}))
    assert found.owner == Owner("市财政局")  # not with the system of the education bureau


def test_a_step_without_a_department_gives_the_rest() -> None:
    found = of(server("tagged", metadata={"系统": "阅卷"}))
    assert found.owner == Owner("市教育局", "阅卷", "金平区", "production")
    assert (found.how, found.conflicts[0].value) == ("project", "学籍")


def test_the_same_department_gives_the_rest() -> None:
    found = of(
        server("tagged", metadata={"dept": "教育局"}), "aliases: {departments: {教育局: 市教育局}}"
    )
    assert found.owner == Owner("市教育局", "学籍", "金平区", "production")
    assert not found.conflicts


@pytest.mark.parametrize(
    ("project", "text", "department", "detail"),
    [
        ("p1", "", "市卫健局", "parent 市卫健局"),
        ("p2", "", "信息中心", "parent 信息中心"),
        ("p2", "parent: top", "市卫健局", "parent 市卫健局"),
        ("p2", "parent: none", "", ""),
        ("below", "", "市教育局", "tag dept:市教育局 of t"),
        ("lone", "", "", ""),
        ("lone", "project_name: department", "lone", "project lone"),
        ("admin", "project_name: department", "", ""),
        ("of-admin", "", "", ""),
        ("p1", "projects: {oa-prod: {department: 市委办}}", "市委办", "projects oa-prod"),
        ("p1", "projects: {p1: {department: 市委办}}", "市委办", "projects p1"),
        ("tagged", "projects: {t: {department: 市委办}}", "市委办", "projects t"),
        ("unheard", "projects: {unheard: {department: 市委办}}", "市委办", "projects unheard"),
    ],
)
def test_what_a_project_says(project: str, text: str, department: str, detail: str) -> None:
    found = of(server(project), text)
    assert (found.owner.department, found.detail) == (department, detail)
    assert found.how == ("project" if department else "unassigned")
    # and whose its quota is
    if project in PROJECTS:
        whose = Attributor(PROJECTS, settings(text)).project(PROJECTS[project], DAY)
        assert whose.owner.department == department


def test_the_projects_name_as_the_system() -> None:
    found = of(server("p1"), "project_name: system")
    assert found.owner == Owner("市卫健局", "oa-prod")
    assert not found.conflicts  # a name that is taken for want of better contradicts nobody


def test_a_name_is_believed_only_where_nothing_tells_one() -> None:
    found = of(server("p1", metadata={"dept": "市财政局"}, nova={"project": "oa-prod"}))
    assert found.owner == Owner("市财政局")
    assert not found.conflicts


def test_a_projects_name_is_believed_before_what_later_steps_say() -> None:
    """The order is that of docs/attribution.md; `nova_project_name: nothing` leaves the name out."""
    domain = server(
        nova={"project_name": "proj-17"}, metadata={"department": "税务局", "system": "电子税务局"}
    )
    found = of(domain, domain=domain)
    assert (found.owner, found.how) == (Owner("proj-17"), "nova")
    assert found.conflicts == (Conflict("libvirt", "department", "税务局", "department"),)
    found = of(domain, "nova_project_name: nothing", domain=domain)
    assert (found.owner, found.conflicts) == (Owner("税务局", "电子税务局"), ())


def test_projects_in_a_circle() -> None:
    circle = {"a": Project("a", "甲", parent="b"), "b": Project("b", "乙", parent="a")}
    assert of(server("a"), projects=circle).owner.department == "乙"
    own = {"a": Project("a", "甲", parent="a")}
    assert of(server("a"), projects=own).how == "unassigned"


def test_novas_project_is_known_by_its_id() -> None:
    domain = server(nova={"project_id": "tagged", "project": "t"})
    found = of(domain, domain=domain)
    assert (found.owner.department, found.owner.system, found.how) == ("市教育局", "学籍", "nova")
    # libvirt has the project from Nova's XML too
    domain = msgspec.structs.replace(domain, project="tagged")
    assert of(domain, domain=domain) == found
    unheard = server("p9", nova={"project_id": "p9", "project_name": "市民政局"})
    found = of(unheard, domain=unheard)
    assert (found.owner.department, found.how) == ("市民政局", "nova")
    text = "projects: {市民政局: {department: 民政, system: 救助}}"
    found = of(unheard, text, domain=unheard)
    assert (found.owner, found.how) == (Owner("民政", "救助"), "nova")


def test_metadata_of_a_domain_is_not_a_servers() -> None:
    found = of(DOMAIN, domain=DOMAIN)
    assert (found.owner.department, found.how) == ("市档案局", "libvirt")


def test_views_of_nova_and_libvirt_are_joined() -> None:
    nova = CloudView("gov", "openstack", 0, 1, (server("tagged"),), tuple(PROJECTS.values()))
    domain = server(metadata={"项目": "x", "area": "龙湖区"}, name="instance-0001")
    other = server(id="id-2", metadata={"部门": "市水务局"})
    host = CloudView("kvm-1", "libvirt", 0, 1, (domain, other))
    found = attributions([host, nova], settings(), NO_OVERRIDES, DAY)
    assert (found["id-1"].how, found["id-1"].owner.region) == ("project", "金平区")
    assert (found["id-2"].how, found["id-2"].owner.department) == ("libvirt", "市水务局")
    assert found["p1"].owner.department == "市卫健局"
    unseen = msgspec.structs.replace(nova, projects=())
    assert attributions([unseen], settings(), NO_OVERRIDES, DAY)["id-1"].how == "unassigned"


def test_which_keys_mean_what() -> None:
    found = of(server(metadata={" Department ": "甲", "单位": "乙", "APP": "丙", "环境": "测试"}))
    assert found.owner == Owner("甲", "丙", "", "test")  # what stands first is believed first
    text = "keys: {department: [billing], system: []}"
    assert of(server(metadata={"billing": "甲", "app": "丙"}), text).owner == Owner("甲")
    with pytest.raises(DocumentError, match="is of region and of department"):
        settings("keys: {department: [where], region: [Where]}")


def test_words_that_say_nothing_are_no_department() -> None:
    for word in ("", " ", "无", "N/A", "none", "-", "未归属", "Unassigned"):
        assert of(server("tagged", metadata={"department": word})).how == "project"


def test_the_clouds_region_is_the_last_resort() -> None:
    assert of(server("p1", region="RegionOne")).owner.region == "RegionOne"
    text = "aliases: {regions: {RegionOne: 市本级}}"
    assert of(server("p1", region="RegionOne"), text).owner.region == "市本级"
    assert of(server("tagged", region="RegionOne"), text).owner.region == "金平区"
    assert of(server("p1", region="RegionOne"), "cloud_region: false").owner.region == ""


def test_one_department_by_all_its_names() -> None:
    text = "aliases: {departments: {财政局: 市财政局, 市财局: 市财政局}, systems: {oa: 协同办公}}"
    for name in ("财政局", "市财局", "市财政局"):
        found = of(server(metadata={"部门": name, "app": "oa"}), text)
        assert found.owner == Owner("市财政局", "协同办公")
    with pytest.raises(DocumentError, match="an official name is no alias"):
        settings("aliases: {departments: {a: b, b: c}}")


def test_aliases_of_the_table_are_joined_to_those_of_the_settings() -> None:
    theirs = overrides.parse(b"aliases: {departments: {b: c}}", "o.yaml")
    assert of(server(metadata={"dept": "b"}), table=theirs).owner.department == "c"
    with pytest.raises(ValueError, match="official name"):
        of(server(), "aliases: {departments: {a: b}}", theirs)


def test_names_are_bounded_and_steer_nothing() -> None:
    hostile = "\x1b[2J财政局\u202e\nx\u2028" + "长" * 10_000
    found = of(server(metadata={"department": hostile, "系统": "\ud800"}))
    assert len(found.owner.department) == MAX_NAME
    assert found.owner.department.isprintable()
    assert found.owner.system == "\\ud800"
    key = of(server(metadata={"\x1b[31m.department": "甲"}))
    assert key.detail.isprintable()


@given(st.text())
def test_a_clean_name_stays_as_it_is(text: str) -> None:
    name = clean(text)
    assert name.isprintable()
    assert len(name) <= MAX_NAME
    assert clean(name) == name


@given(
    st.dictionaries(
        st.sampled_from(["department", "system", "部门", "env", "x.app", "y"]), st.text()
    ),
    st.lists(st.text()),
    st.dictionaries(st.sampled_from(["project", "project_id", "department"]), st.text()),
)
def test_nothing_that_a_holder_writes_breaks_it(
    metadata: dict[str, str], tags: list[str], nova: dict[str, str]
) -> None:
    projects = {"p": Project("p", "p", parent="p", tags=tuple(tags))}
    resource = server("p", metadata=metadata, nova=nova)
    found = Attributor(projects, AttributionSettings(), TABLE).of(resource, DAY, resource)
    assert (found.how == "unassigned") == (not found.owner.department)
    assert all(part.isprintable() for part in msgspec.structs.astuple(found.owner))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Attribution) == found
