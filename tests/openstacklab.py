"""A real OpenStack on loopback: Keystone, Placement and Nova with its fake driver, from Debian packages.

MariaDB and RabbitMQ are real too; Glance, Neutron and Cinder are the stubs of tests/openstackstubs.py. It
needs root and the packages of tests/openstack-packages.txt. Everything lives in one folder and ends with
this process, even when that is killed: tests/processgroups.py.
"""

from __future__ import annotations

import base64
import os
import secrets
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from tests.openstackadmin import Administrator
from tests.openstackconfig import DATABASES, PASSWORD, ROLE, Ports, files, host
from tests.openstackstubs import Cinder, Stub, glance, neutron
from tests.processgroups import ProcessGroups, free_ports, listens

PYTHON = "/usr/bin/python3"  # the packages are built for it
PACKAGES = Path(__file__).parent / "openstack-packages.txt"
NEEDED = (
    "/usr/sbin/mariadbd",
    "/usr/bin/uwsgi_python3",
    "/usr/lib/rabbitmq/bin/rabbitmq-server",
    "/usr/bin/keystone-manage",
    "/usr/bin/placement-manage",
    "/usr/lib/python3/dist-packages/nova/cmd/compute.py",
)


def unavailable() -> str:
    """Why this machine cannot run it, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    if missing := [path for path in NEEDED if not os.path.exists(path)]:
        return f"needs {missing[0]}, of the packages in {PACKAGES.name}"
    return ""


class OpenStackLab(Administrator):
    """`computes` hosts of Nova's fake driver. `clouds_file` has one entry for each user:

    admin; `watcher` with the roles reader and cloud_reader; `reader` with reader in a project;
    `system` with reader of the system; `wrong` with a wrong password.
    """

    def __init__(self, computes: int = 1, many: bool = False) -> None:
        self.processes = ProcessGroups("jw-openstack-")
        self.folder = self.processes.folder
        super().__init__(Ports(*free_ports(len(Ports._fields))))
        self.cinder = Cinder(self.ports.url("keystone"), self.ports.url("cinder"))
        self.clouds_file = self.folder / "clouds.yaml"
        self._computes, self._many = computes, many
        self._stubs: list[Stub] = []
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> OpenStackLab:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- its life ---------------------------------------------------------------------------

    def _start(self) -> None:
        texts = files(self.folder, self.ports, self._computes)
        for name in (*texts, "keystone/keys/0", "log/x", "nova/state/x", "nova/lock/x", "rabbit/x"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        for key in "01":
            path = self.folder / "keystone/keys" / key
            path.write_bytes(base64.urlsafe_b64encode(secrets.token_bytes(32)))
        with ThreadPoolExecutor(4) as pool:
            broker = pool.submit(self._broker)
            self._database()
            done = [pool.submit(it) for it in (self._keystone, self._placement, self._cell)]
            for one in (*done, broker):
                one.result()
        self._stubs = [
            Stub(self.ports.glance, glance),
            Stub(self.ports.neutron, neutron),
            Stub(self.ports.cinder, self.cinder.answer),
        ]
        self.uwsgi("placement", "/usr/bin/placement-api", "OS_PLACEMENT_CONFIG_DIR")
        self.uwsgi("nova", str(self.folder / "nova/api.py"), "OS_NOVA_CONFIG_DIR")
        for name in ("conductor", "scheduler"):
            self.processes.spawn(name, self._nova(name))
        for number in range(self._computes):
            config = str(self.folder / "nova" / f"{host(number)}.conf")
            tail = ("--no-tree",) if self._many else ()
            self.processes.spawn(
                host(number), (*self._nova("compute"), "--config-file", config, *tail)
            )
        for name in ("placement", "nova"):
            self.until_answers(name)
        self.processes.until(self._discovered, "computes", 90)
        self._write_clouds()

    def _database(self) -> None:
        data = self.folder / "database"
        self.processes.run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--user=root",
        )
        self.processes.spawn(
            "database",
            (
                "/usr/sbin/mariadbd",
                "--no-defaults",
                "--user=root",
                f"--datadir={data}",
                f"--socket={self.folder}/database.sock",
                f"--pid-file={self.folder}/database.pid",
                "--bind-address=127.0.0.1",
                f"--port={self.ports.database}",
                "--skip-name-resolve",
                "--skip-log-bin",
                "--innodb-flush-log-at-trx-commit=0",
                "--max-connections=400",
            ),
        )
        self.processes.until(lambda: listens(self.ports.database), "database", 30)
        create = "".join(f"CREATE DATABASE {name} CHARACTER SET utf8mb3;" for name in DATABASES)
        sql = f"{create} GRANT ALL ON *.* TO lab@127.0.0.1 IDENTIFIED BY '{PASSWORD}'"
        self.processes.run(
            "mariadb", "--no-defaults", f"--socket={self.folder}/database.sock", "-e", sql
        )

    def _broker(self) -> None:
        folder, ports = self.folder / "rabbit", self.ports
        environment = {
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(ports.epmd),
            "RABBITMQ_NODENAME": "lab@localhost",
            "RABBITMQ_DIST_PORT": str(ports.distribution),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        # in the foreground: one that RabbitMQ starts would leave its process group
        self.processes.spawn(
            "epmd", ("epmd", "-address", "127.0.0.1", "-port", str(ports.epmd)), environment
        )
        self.processes.until(lambda: listens(ports.epmd), "epmd", 10)
        self.processes.spawn("rabbit", ("/usr/lib/rabbitmq/bin/rabbitmq-server",), environment)
        self.processes.until(lambda: listens(ports.rabbit), "rabbit", 60)

    def _keystone(self) -> None:
        config = str(self.folder / "keystone/keystone.conf")
        manage = ("keystone-manage", "--config-file", config)
        url = self.ports.url("keystone") + "/v3"
        self.processes.run(*manage, "db_sync")
        self.processes.run(
            *manage,
            "bootstrap",
            f"--bootstrap-password={PASSWORD}",
            f"--bootstrap-public-url={url}",
            f"--bootstrap-internal-url={url}",
            f"--bootstrap-admin-url={url}",
            "--bootstrap-region-id=RegionOne",
        )
        self.uwsgi("keystone", "/usr/bin/keystone-wsgi-public", "OS_KEYSTONE_CONFIG_DIR")
        self.until_answers("keystone")
        service = self.project("service")
        for name in ("nova", "placement"):
            self.user(name, {service: ("admin", "service")})
        for name, kind, path in (
            ("nova", "compute", "/v2.1"),
            ("placement", "placement", ""),
            ("glance", "image", ""),
            ("neutron", "network", ""),
            ("cinder", "volumev3", "/v3/%(project_id)s"),
        ):
            body = {"service": {"name": name, "type": kind}}
            it = self.ask("POST", "keystone", "/v3/services", body)["service"]["id"]
            endpoint = {
                "service_id": it,
                "interface": "public",
                "url": self.ports.url(name) + path,
                "region_id": "RegionOne",
            }
            self.ask("POST", "keystone", "/v3/endpoints", {"endpoint": endpoint})
        monitoring = self.project("monitoring")
        self.user("watcher", {monitoring: ("reader", ROLE)})
        self.user("reader", {monitoring: ("reader",)})
        system = self.user("system", {})
        role = self.role("reader")
        self.ask("PUT", "keystone", f"/v3/system/users/{system}/roles/{role}")

    def _placement(self) -> None:
        config = str(self.folder / "placement/placement.conf")
        self.processes.run("placement-manage", "--config-file", config, "db", "sync")

    def _cell(self) -> None:
        manage = self._nova("manage")
        self.processes.run(*manage, "api_db", "sync")
        self.processes.run(*manage, "cell_v2", "map_cell0")
        self.processes.run(*manage, "db", "sync")
        self.processes.run(*manage, "cell_v2", "create_cell", "--name", "cell1")

    def _discovered(self) -> bool:
        services = self.ask("GET", "nova", "/v2.1/os-services?binary=nova-compute")["services"]
        if len(services) < self._computes:
            return False
        self.processes.run(*self._nova("manage"), "cell_v2", "discover_hosts", "--by-service")
        hypervisors = self.ask("GET", "nova", "/v2.1/os-hypervisors")["hypervisors"]
        return len(hypervisors) >= self._computes

    def close(self) -> None:
        """End every process, and wait for it."""
        for stub in self._stubs:
            stub.close()
        self.processes.close()

    # --- processes --------------------------------------------------------------------------

    def _nova(self, name: str) -> tuple[str, ...]:
        program = str(self.folder / "nova" / f"{name}.py")
        return (PYTHON, program, "--config-file", str(self.folder / "nova/nova.conf"))

    def uwsgi(self, name: str, program: str, variable: str) -> None:
        """Serve one API; connections end with each answer, which uWSGI would cut at any time."""
        self.processes.spawn(
            name,
            (
                "uwsgi_python3",
                "--master",
                "--die-on-term",
                "--lazy-apps",
                "--need-app",
                "--enable-threads",
                "--threads=1",
                "--processes=2",
                "--buffer-size=65535",
                "--add-header=Connection: close",
                f"--http-socket=127.0.0.1:{getattr(self.ports, name)}",
                f"--wsgi-file={program}",
            ),
            {variable: str(self.folder / name)},
        )

    def restart_nova(self) -> None:
        self.uwsgi("nova", str(self.folder / "nova/api.py"), "OS_NOVA_CONFIG_DIR")
        self.until_answers("nova")

    def until_answers(self, name: str) -> None:
        def answers() -> bool:
            try:
                with urllib.request.urlopen(self.ports.url(name), timeout=10):
                    return True
            except urllib.error.HTTPError as error:
                return error.code < 500
            except OSError:
                return False

        self.processes.until(answers, name, 90)

    def _write_clouds(self) -> None:
        def entry(user: str, password: str = PASSWORD, **scope: str) -> dict[str, Any]:
            auth = {
                "auth_url": self.ports.url("keystone") + "/v3",
                "username": user,
                "password": password,
                "user_domain_id": "default",
                **scope,
            }
            return {"auth": auth, "region_name": "RegionOne"}

        def inside(name: str) -> dict[str, str]:
            return {"project_name": name, "project_domain_id": "default"}

        clouds = {
            "admin": entry("admin", **inside("admin")),
            "watcher": entry("watcher", **inside("monitoring")),
            "reader": entry("reader", **inside("monitoring")),
            "system": entry("system", system_scope="all"),
            "wrong": entry("admin", "not-the-secret-x9", **inside("admin")),
        }
        self.clouds_file.write_text(yaml.safe_dump({"clouds": clouds}), encoding="utf-8")
