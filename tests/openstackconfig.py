"""Configuration of the OpenStack of tests/openstacklab.py: one text for each file its services read.

Formats: the configuration references of Keystone 22, Placement 8, Nova 26, RabbitMQ 3.10.
`cloud_reader` is the read-only role that docs/clouds.md describes; POLICIES are the lines it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

PASSWORD = "lab-secret-jw7"  # of every account of the lab: it listens on loopback only
DATABASES = ("keystone", "placement", "nova_api", "nova", "nova_cell0")
ROLE = "cloud_reader"

# Each service's own default, and the role: an override replaces what it overrides.
POLICIES: Mapping[str, Mapping[str, str]] = {
    "keystone": {
        "identity:list_projects": "rule:admin_required or (role:reader and system_scope:all)"
        " or (role:reader and domain_id:%(target.domain_id)s) or role:cloud_reader",
    },
    "placement": {
        f"placement:resource_providers:{name}": "rule:system_reader_api or role:cloud_reader"
        for name in ("list", "inventories:list", "usages")
    },
    "nova": {
        "os_compute_api:servers:detail:get_all_tenants": f"rule:context_is_admin or role:{ROLE}",
        "os_compute_api:os-extended-server-attributes": f"rule:context_is_admin or role:{ROLE}",
        "os_compute_api:os-simple-tenant-usage:list": f"rule:context_is_admin or role:{ROLE}",
        "os_compute_api:os-services:list": f"rule:context_is_admin or role:{ROLE}",
        "os_compute_api:os-quota-sets:detail": f"rule:project_reader_or_admin or role:{ROLE}",
    },
}


class Ports(NamedTuple):
    database: int
    rabbit: int
    distribution: int
    epmd: int
    keystone: int
    placement: int
    nova: int
    glance: int
    neutron: int
    cinder: int

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{getattr(self, service)}"


def files(folder: Path, ports: Ports, computes: int) -> dict[str, str]:
    """The text of each file by its path below `folder`."""
    texts = {
        "rabbit/rabbitmq.conf": _rabbit(ports),
        "keystone/keystone.conf": _keystone(folder, ports),
        "placement/placement.conf": _placement(folder, ports),
        "nova/nova.conf": _nova(folder, ports),
        "nova/api-paste.ini": _PASTE,
        "nova/api.py": "from nova.api.openstack.compute.wsgi import init_application\n"
        "application = init_application()\n",
        "nova/compute.py": _COMPUTE,
    }
    for name in ("manage", "conductor", "scheduler"):
        texts[f"nova/{name}.py"] = f"from nova.cmd.{name} import main\nmain()\n"
    for number in range(computes):
        texts[f"nova/{host(number)}.conf"] = f"[DEFAULT]\nhost = {host(number)}\n"
    for service, rules in POLICIES.items():
        lines = (f'"{name}": "{rule}"\n' for name, rule in rules.items())
        texts[f"{service}/policy.yaml"] = "".join(lines)
    return texts


def host(number: int) -> str:
    """The name of a compute; Nova's fake driver treats `compute` in a way of its own."""
    return f"fake-{number:04}"


def _rabbit(ports: Ports) -> str:
    return (
        f"listeners.tcp.1 = 127.0.0.1:{ports.rabbit}\n"
        f"default_user = lab\ndefault_pass = {PASSWORD}\n"
        "disk_free_limit.absolute = 50MB\n"
    )


def _database(ports: Ports, name: str) -> str:
    return f"mysql+pymysql://lab:{PASSWORD}@127.0.0.1:{ports.database}/{name}?charset=utf8"


def _account(ports: Ports, user: str) -> str:
    return f"""auth_type = password
auth_url = {ports.url("keystone")}/v3
www_authenticate_uri = {ports.url("keystone")}
username = {user}
password = {PASSWORD}
project_name = service
user_domain_id = default
project_domain_id = default
region_name = RegionOne
"""


def _keystone(folder: Path, ports: Ports) -> str:
    return f"""[DEFAULT]
log_dir = {folder}/log
[database]
connection = {_database(ports, "keystone")}
[fernet_tokens]
key_repository = {folder}/keystone/keys
[fernet_receipts]
key_repository = {folder}/keystone/keys
[token]
expiration = 36000
[identity]
password_hash_rounds = 4
[cache]
backend = oslo_cache.dict
[oslo_policy]
policy_file = {folder}/keystone/policy.yaml
"""


def _placement(folder: Path, ports: Ports) -> str:
    return f"""[DEFAULT]
log_dir = {folder}/log
[placement_database]
connection = {_database(ports, "placement")}
[api]
auth_strategy = keystone
[keystone_authtoken]
{_account(ports, "placement")}
[oslo_policy]
policy_file = {folder}/placement/policy.yaml
"""


def _nova(folder: Path, ports: Ports) -> str:
    account = _account(ports, "nova")
    stubs = "".join(
        f"[{name}]\n{account}endpoint_override = {ports.url(name)}\n"
        for name in ("glance", "neutron")
    )
    return f"""[DEFAULT]
transport_url = rabbit://lab:{PASSWORD}@127.0.0.1:{ports.rabbit}/
compute_driver = fake.FakeDriver
state_path = {folder}/nova/state
log_dir = {folder}/log
my_ip = 127.0.0.1
osapi_compute_workers = 1
allow_resize_to_same_host = true
reclaim_instance_interval = 0
[api_database]
connection = {_database(ports, "nova_api")}
[database]
connection = {_database(ports, "nova")}
[keystone_authtoken]
{account}
[placement]
{account}
[service_user]
send_service_user_token = true
{account}
{stubs}
[cinder]
catalog_info = volumev3::publicURL
endpoint_template = {ports.url("cinder")}/v3/%(project_id)s
{account}
[oslo_concurrency]
lock_path = {folder}/nova/lock
[oslo_policy]
policy_file = {folder}/nova/policy.yaml
[scheduler]
workers = 1
[conductor]
workers = 1
[vnc]
enabled = false
[wsgi]
api_paste_config = {folder}/nova/api-paste.ini
"""


_PASTE = """[composite:osapi_compute]
use = call:nova.api.openstack.urlmap:urlmap_factory
/: versions
/v2.1: compute

[composite:compute]
use = call:nova.api.auth:pipeline_factory_v21
keystone = faults authtoken context app

[pipeline:versions]
pipeline = faults versions_app

[filter:faults]
paste.filter_factory = nova.api.openstack:FaultWrapper.factory

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory

[filter:context]
paste.filter_factory = nova.api.auth:NovaKeystoneContext.factory

[app:app]
paste.app_factory = nova.api.openstack.compute:APIRouterV21.factory

[app:versions_app]
paste.app_factory = nova.api.openstack.compute.versions:Versions.factory
"""

# A claim reads the allocations of every consumer of its host, which a thousand boots make quadratic;
# here nobody migrates, so that there is nothing to learn from them.
_COMPUTE = """import sys
if "--no-tree" in sys.argv:
    sys.argv.remove("--no-tree")
    from nova.scheduler.client import report
    report.SchedulerReportClient.get_allocations_for_provider_tree = (
        lambda self, context, nodename: {}
    )
from nova.cmd.compute import main
main()
"""
