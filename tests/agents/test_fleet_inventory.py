"""The inventory: precedence, ranges, tables, secrets, and what is wrong told by file, line and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agents.fleet import inventory
from agents.fleet.inventory import MAX_HOSTS
from agents.fleet.inventoryranges import Ranged, RangeError
from agents.fleet.model import FleetHost
from tests.agents.fleetinventories import hosts, mistakes

DEPLOY = Path(__file__).parents[2] / "deploy/fleet"


def test_the_example_is_right() -> None:
    found = {host.name: host for host in inventory.load(str(DEPLOY / "example.yaml"))}
    assert len(found) == 15
    twelfth, db, front = found["vm-012"], found["db-01"], found["医保-前置机"]
    assert (twelfth.address, twelfth.agent) == ("ssh://192.0.2.12", "192.0.2.12:9808")
    assert (twelfth.department, twelfth.region, twelfth.ssh.user) == ("财政局", "金平区", "deploy")
    assert (db.level, db.agent, db.scheme) == ("city", "db-01.example.gov.cn:9443", "https")
    assert db.variables == {"console": "https://jianwei.example.gov.cn", "role": "database"}
    assert front.groups == ("health", "db")
    assert front.labels == {"rack": "b", "tier": "silver"}
    assert front.ssh.jump == "ops@jump.example.gov.cn,ops@198.51.100.7:2222"
    assert (front.agent, front.rise) == ("", "sudo")


def test_a_host_that_says_nothing_else(tmp_path: Path) -> None:
    found = hosts(tmp_path, "hosts: [{name: a, host: 'ssh://[2001:db8::1]'}, {name: b, host: c}]")
    assert found["a"] == FleetHost(
        name="a", address="ssh://[2001:db8::1]", agent="[2001:db8::1]:9808"
    )
    assert found["b"].address == "ssh://c"


WORDS = st.sampled_from(["a", "b", "c", ""])
SAID = st.fixed_dictionaries(
    {},
    optional={
        "department": WORDS,
        "owner": WORDS,
        "user": st.sampled_from(["x", "y"]),
        "port": st.integers(1, 65535),
        "labels": st.dictionaries(st.sampled_from(["l1", "l2", "l3"]), WORDS),
        "variables": st.dictionaries(st.sampled_from(["v1", "v2", "v3"]), st.integers(0, 5)),
    },
)


def nearest_first(layers: Sequence[Mapping[str, Any]], key: str, name: str = "") -> Any:
    """What counts, found the other way round than by merging."""
    for layer in layers:
        value = layer.get(key)
        if name:
            value = (value or {}).get(name)
        if value is not None:
            return value
    return None


@given(defaults=SAID, groups=st.lists(SAID, max_size=4), host=SAID, data=st.data())
def test_what_is_nearer_to_the_host_counts(
    tmp_path_factory: pytest.TempPathFactory,
    defaults: dict[str, Any],
    groups: list[dict[str, Any]],
    host: dict[str, Any],
    data: st.DataObject,
) -> None:
    names = [f"g{number}" for number in range(len(groups))]
    order = data.draw(st.permutations(names))
    chosen = order[: data.draw(st.integers(0, len(names)))]
    document = {
        "defaults": defaults,
        "groups": dict(zip(names, groups, strict=True)),
        "hosts": [{"name": "h", "host": "ssh://h", "groups": chosen, **host}],
    }
    path = tmp_path_factory.getbasetemp() / "precedence.yaml"
    path.write_text(yaml.safe_dump(document))
    (found,) = inventory.load(str(path))
    layers = [host, *(groups[names.index(name)] for name in reversed(chosen)), defaults]
    assert found.department == (nearest_first(layers, "department") or "")
    assert found.owner == (nearest_first(layers, "owner") or "")
    assert found.ssh.user == (nearest_first(layers, "user") or "")
    assert found.ssh.port == nearest_first(layers, "port")
    for key, said in (("labels", found.labels), ("variables", found.variables)):
        wanted = {
            name: nearest_first(layers, key, name) for n in "123" for name in [f"{key[0]}{n}"]
        }
        assert said == {name: str(it) for name, it in wanted.items() if it is not None}


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("vm-[001:003]", ["vm-001", "vm-002", "vm-003"]),
        ("vm-[8:10]", ["vm-8", "vm-9", "vm-10"]),
        ("[1:9:4]", ["1", "5", "9"]),
        ("r[a:c]", ["ra", "rb", "rc"]),
        ("[A:C:2]-[0:1]", ["A-0", "A-1", "C-0", "C-1"]),
        ("ssh://[2001:db8::[1:2]]:22", ["ssh://[2001:db8::1]:22", "ssh://[2001:db8::2]:22"]),
        ("ssh://[::1]", ["ssh://[::1]"]),
    ],
)
def test_ranges(text: str, made: list[str]) -> None:
    assert Ranged(text).all() == made
    assert Ranged(text).count == len(made)


@pytest.mark.parametrize("text", ["[9:1]", "[01:100]", "[1:2:0]", "[c:a]"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(RangeError):
        Ranged(text)


@given(st.text(alphabet="[]:ab019-"))
def test_any_text_is_ranges_or_an_error(text: str) -> None:
    try:
        ranged = Ranged(text)
    except RangeError:
        return
    if ranged.count < 1000:
        assert len(ranged.all()) == ranged.count


def test_ranges_of_hosts(tmp_path: Path) -> None:
    found = hosts(
        tmp_path,
        "hosts:\n- {name: 'vm-[001:120]', host: 'ssh://10.0.1.[1:120]', agent: 'a[1:120]:1'}\n",
    )
    assert len(found) == 120
    assert (found["vm-120"].address, found["vm-120"].agent) == ("ssh://10.0.1.120", "a120:1")


TABLE = """名称,地址,组,系统,级别,标签,提权,跳板机,密码
前置-[1:2],ssh://root@10.0.0.[1:2]:2222,金融；db,预算一体化,区县,"rack=a；tier=gold",是,"j@a;b",!env JW_TEST_SECRET
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    monkeypatch.setenv("JW_TEST_SECRET", "s")
    path = tmp_path / "hosts.csv"
    path.write_bytes(TABLE.encode(encoding))
    one, two = inventory.load(str(path))
    assert (one.name, two.name) == ("前置-1", "前置-2")
    assert two.address == "ssh://root@10.0.0.2:2222"
    assert (two.groups, two.system, two.level) == (("金融", "db"), "预算一体化", "county")
    assert (two.labels, two.rise, two.ssh.jump) == ({"rack": "a", "tier": "gold"}, "sudo", "j@a,b")
    assert two.ssh.password
    assert two.ssh.password.reveal() == "s"


def test_a_table_in_english_beside_its_groups(tmp_path: Path) -> None:
    (tmp_path / "hosts.csv").write_text(
        "name\thost\tgroups\tvariables\tsudo\nb\tssh://b\tweb;db\tx=1;y=2\tfalse\n"
    )
    text = "groups: {web: {variables: {x: 0, z: true}}, db: }\nimport: hosts.csv\n"
    found = hosts(tmp_path, text + "hosts: [{name: a, host: ssh://a}]\n")
    assert list(found) == ["a", "b"]
    assert found["b"].variables == {"x": "1", "y": "2", "z": "true"}
    assert hosts(tmp_path, text).keys() == {"b"}


def test_paths_are_of_the_file_that_names_them(tmp_path: Path) -> None:
    for name in ("key", "agent.yaml", "sub/key"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub/hosts.csv").write_text("name,host,key_file\nb,ssh://b,key\n")
    found = hosts(
        tmp_path,
        "defaults: {key_file: key, config: agent.yaml, known_hosts: known}\n"
        "import: sub/hosts.csv\nhosts: [{name: a, host: ssh://a}]\n",
    )
    assert found["a"].ssh.key_file == f"{tmp_path}/key"
    assert found["b"].ssh.key_file == f"{tmp_path}/sub/key"
    assert found["a"].config == f"{tmp_path}/agent.yaml"
    assert found["a"].ssh.known_hosts == (f"{tmp_path}/known",)
    (tmp_path / "key").unlink()
    path = str(tmp_path / "hosts.yaml")
    assert mistakes(path) == [f"1: defaults.key_file: no such key file: {tmp_path}/key"]
    assert len(inventory.outline(path)) == 2


def test_a_jump_host_makes_another_address(tmp_path: Path) -> None:
    text = (
        "groups: {a: {jump: [x@j1, 'j2:2222']}, b: {jump: j3}}\nhosts:\n"
        "- {name: a, host: ssh://10.0.0.1, groups: a}\n"
        "- {name: b, host: ssh://10.0.0.1, groups: b, agent: none}\n"
        "- {name: c, host: ssh://10.0.0.2, groups: [a, b], jump: none}\n"
        "- {name: d, host: ssh://10.0.0.3, groups: [a, b]}\n"
    )
    found = hosts(tmp_path, text)
    jumps = [found[name].ssh.jump for name in "abcd"]
    assert jumps == ["x@j1,j2:2222", "j3", "none", "j3"]
    assert found["b"].agent == ""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("large") / "hosts.yaml"
    with path.open("w") as file:
        file.write("defaults: {user: d}\ngroups: {a: {level: city}}\nhosts:\n")
        for n in range(4000):
            where = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}"
            file.write(
                f"- {{name: vm-{n:05}, host: 'ssh://{where}', groups: [a], system: s{n % 50}}}\n"
            )
        file.write(
            "- {name: 'far-[1:64]-[1:250]', host: 'ssh://10.9.[1:64].[1:250]', system: s7}\n"
        )
    return str(path)


def test_a_province_is_loaded(large: str) -> None:
    found = inventory.load(large, ["system=s7"])
    assert len(found) == 4000 // 50 + MAX_HOSTS - 4000
    assert (found[1].name, found[-1].name) == ("vm-00057", "far-64-250")
    with open(large, "a") as file:
        file.write("- {name: one-more, host: ssh://one-more}\n")
    assert mistakes(large) == [
        "4005: hosts[4001].name: an inventory has 20000 hosts at most; make it two"
    ]
