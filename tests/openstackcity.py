"""A small city in the OpenStack of tests/openstacklab.py: departments, 20 servers, quotas, volumes.

The first server of each kind of change is stopped, paused, resized or deleted, so that the states of
allocation are there. Keys of metadata are ASCII in Nova, values are not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.openstacklab import OpenStackLab

GIBIBYTE = 1 << 30
DISTRICT, BUREAU, TAX, EMPTY = "金平区", "金平区大数据局", "汕头市税务局", "濠江区"
METADATA = {"department": "大数据局", "system": "一网通办", "env": "生产"}


class City(NamedTuple):
    """Ids by name; `gone` is a server that was deleted."""

    lab: OpenStackLab
    projects: dict[str, str]
    servers: dict[str, str]
    gone: str
    domain: str


def build(lab: OpenStackLab, bureau: int = 12, tax: int = 9) -> City:
    """`bureau` and `tax` servers of two projects, of which one is deleted again."""
    domain = lab.ask("POST", "keystone", "/v3/domains", {"domain": {"name": "政务云"}})
    outer: str = domain["domain"]["id"]
    district = lab.project(DISTRICT, tags=["区县:金平", "level:district"], description="区级")
    projects = {
        DISTRICT: district,
        BUREAU: lab.project(BUREAU, parent_id=district, tags=["dept:大数据局"]),
        TAX: lab.project(TAX, domain_id=outer),
        EMPTY: lab.project(EMPTY, enabled=False),
    }
    small = lab.flavor("gov.small", 1, 512, 1)
    large = lab.flavor("gov.large", 4, 8192, 40)
    for project, cores in ((BUREAU, 64), (TAX, -1)):
        quota = {"quota_set": {"cores": cores, "instances": 50, "ram": 131072}}
        lab.ask("PUT", "nova", f"/v2.1/os-quota-sets/{projects[project]}", quota)
    servers = lab.boot(projects[BUREAU], [f"oa-{n:02}" for n in range(bureau)], small, METADATA)
    servers |= lab.boot(projects[TAX], [f"税务-{n:02}" for n in range(tax)], large, {"env": "测试"})
    _until(lab, servers.values(), "ACTIVE")
    lab.act(servers["oa-00"], {"os-stop": None})
    lab.act(servers["oa-01"], {"pause": None})
    lab.act(servers["oa-02"], {"resize": {"flavorRef": large}})
    gone = servers.pop(f"oa-{bureau - 1:02}")
    lab.ask("DELETE", "nova", f"/v2.1/servers/{gone}")
    _until(lab, [servers["oa-00"]], "SHUTOFF")
    _until(lab, [servers["oa-01"]], "PAUSED")
    _until(lab, [servers["oa-02"]], "VERIFY_RESIZE")
    lab.act(servers["oa-02"], {"confirmResize": None})
    _until(lab, [servers["oa-02"]], "ACTIVE")
    lab.processes.until(lambda: gone not in lab.statuses(), "deletion", 30)
    lab.cinder.volumes = [
        _volume("a", projects[BUREAU], "in-use", 100, servers["oa-03"]),
        _volume("b", projects[BUREAU], "available", 500),
        _volume("c", projects[TAX], "error_deleting", 1),
    ]
    lab.cinder.quotas = {projects[BUREAU]: (2000, 600)}
    return City(lab, projects, servers, gone, outer)


def _until(lab: OpenStackLab, servers: Any, status: str) -> None:
    wanted = set(servers)

    def reached() -> bool:
        found = lab.statuses()
        if "ERROR" in {found.get(server) for server in wanted}:
            raise AssertionError(f"a server failed: {lab.folder / 'log'}")
        return all(found.get(server) == status for server in wanted)

    lab.processes.until(reached, status, 90)


def _volume(letter: str, project: str, status: str, size: int, server: str = "") -> dict[str, Any]:
    return {
        "id": letter * 8 + "-0000-4000-8000-" + letter * 12,
        "name": f"数据盘-{letter}",
        "status": status,
        "size": size,
        "created_at": "2026-11-01T08:00:00.000000",
        "volume_type": "ssd",
        "metadata": {},
        "attachments": [{"server_id": server, "device": "/dev/vdb"}] if server else [],
        "os-vol-tenant-attr:tenant_id": project,
    }
