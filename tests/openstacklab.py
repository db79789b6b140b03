"""A real OpenStack on loopback: Keystone, Placement and Nova with its fake driver, from Debian packages.

MariaDB and RabbitMQ are real too; Glance, Neutron and Cinder are the stubs of tests/openstackstubs.py. It
needs root and the packages of tests/openstack-packages.txt. Everything lives in one folder and ends with
this process, even when that is killed: a watcher reads a pipe that then closes, and ends every
process group.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.openstackconfig import DATABASES, PASSWORD, ROLE, Ports, files, host
from tests.openstackstubs import IMAGE, Cinder, Stub, glance, neutron

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
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

# Kills what is left when the test run is; each line is a process group.
WATCHER = """
groups=""
while read -r group; do groups="$groups $group"; done
for group in $groups; do kill -KILL -- "-$group"; done 2>/dev/null
rm -rf "$1"
"""


def unavailable() -> str:
    """Why this machine cannot run it, or nothing."""
    if os.geteuid() != 0:
        return "needs root"
    if missing := [path for path in NEEDED if not os.path.exists(path)]:
        return f"needs {missing[0]}, of the packages in {PACKAGES.name}"
    return ""


class Failed(Exception):
    """The lab could not be started; what the service said is in it."""


class OpenStackLab:
    """`computes` hosts of Nova's fake driver. `clouds_file` has one entry for each user:

    admin; `watcher` with the roles reader and cloud_reader; `reader` with reader in a project;
    `system` with reader of the system; `wrong` with a wrong password.
    """

    def __init__(self, computes: int = 1, many: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="jw-openstack-"))
        self.ports = Ports(*_free_ports(len(Ports._fields)))
        self.cinder = Cinder(self.ports.url("keystone"), self.ports.url("cinder"))
        self.clouds_file = self.folder / "clouds.yaml"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._computes, self._many = computes, many
        self._stubs: list[Stub] = []
        self._token = ""
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCHER, "watcher", str(self.folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
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
            self._spawn(name, self._nova(name))
        for number in range(self._computes):
            config = str(self.folder / "nova" / f"{host(number)}.conf")
            tail = ("--no-tree",) if self._many else ()
            self._spawn(host(number), (*self._nova("compute"), "--config-file", config, *tail))
        for name in ("placement", "nova"):
            self.until_answers(name)
        self.until(self._discovered, "computes", 90)
        self._write_clouds()

    def _database(self) -> None:
        data = self.folder / "database"
        self._run(
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--user=root",
        )
        service = self._spawn(
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
        self.until(lambda: _listens(self.ports.database), "database", 30, service)
        create = "".join(f"CREATE DATABASE {name} CHARACTER SET utf8mb3;" for name in DATABASES)
        sql = f"{create} GRANT ALL ON *.* TO lab@127.0.0.1 IDENTIFIED BY '{PASSWORD}'"
        self._run("mariadb", "--no-defaults", f"--socket={self.folder}/database.sock", "-e", sql)

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
        self._spawn(
            "epmd", ("epmd", "-address", "127.0.0.1", "-port", str(ports.epmd)), environment
        )
        self.until(lambda: _listens(ports.epmd), "epmd", 10)
        service = self._spawn("rabbit", ("/usr/lib/rabbitmq/bin/rabbitmq-server",), environment)
        self.until(lambda: _listens(ports.rabbit), "rabbit", 60, service)

    def _keystone(self) -> None:
        config = str(self.folder / "keystone/keystone.conf")
        manage = ("keystone-manage", "--config-file", config)
        url = self.ports.url("keystone") + "/v3"
        self._run(*manage, "db_sync")
        self._run(
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
        role = self._role("reader")
        self.ask("PUT", "keystone", f"/v3/system/users/{system}/roles/{role}")

    def _placement(self) -> None:
        config = str(self.folder / "placement/placement.conf")
        self._run("placement-manage", "--config-file", config, "db", "sync")

    def _cell(self) -> None:
        manage = self._nova("manage")
        self._run(*manage, "api_db", "sync")
        self._run(*manage, "cell_v2", "map_cell0")
        self._run(*manage, "db", "sync")
        self._run(*manage, "cell_v2", "create_cell", "--name", "cell1")

    def _discovered(self) -> bool:
        services = self.ask("GET", "nova", "/v2.1/os-services?binary=nova-compute")["services"]
        if len(services) < self._computes:
            return False
        self._run(*self._nova("manage"), "cell_v2", "discover_hosts", "--by-service")
        hypervisors = self.ask("GET", "nova", "/v2.1/os-hypervisors")["hypervisors"]
        return len(hypervisors) >= self._computes

    def close(self) -> None:
        """End every process, and wait for it."""
        for stub in self._stubs:
            stub.close()
        for process in self.processes.values():
            _signal(process, signal.SIGKILL)  # what they have is thrown away
        for process in self.processes.values():
            process.wait(30)
        assert self._watcher.stdin
        self._watcher.kill()  # not to end groups of which the numbers are free again
        self._watcher.stdin.close()
        self._watcher.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- processes --------------------------------------------------------------------------

    def _nova(self, name: str) -> tuple[str, ...]:
        program = str(self.folder / "nova" / f"{name}.py")
        return (PYTHON, program, "--config-file", str(self.folder / "nova/nova.conf"))

    def _run(self, *argv: str) -> None:
        done = subprocess.run(
            argv,
            env=ENVIRONMENT,
            cwd=self.folder,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{argv[:4]}: {(done.stdout + done.stderr)[-2000:].decode()}")

    def _spawn(
        self, name: str, argv: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self.folder / "log" / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                argv,
                env={**ENVIRONMENT, **(environment or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.processes[name] = process
        assert self._watcher.stdin
        self._watcher.stdin.write(b"%d\n" % process.pid)
        self._watcher.stdin.flush()
        return process

    def uwsgi(self, name: str, program: str, variable: str) -> None:
        """Serve one API; connections end with each answer, which uWSGI would cut at any time."""
        self._spawn(
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

    def kill(self, name: str) -> None:
        """End one service at once; `restart` brings an API back."""
        _signal(self.processes[name], signal.SIGKILL)
        self.processes[name].wait(10)

    def restart_nova(self) -> None:
        self.uwsgi("nova", str(self.folder / "nova/api.py"), "OS_NOVA_CONFIG_DIR")
        self.until_answers("nova")

    def until(
        self,
        true: Callable[[], bool],
        name: str,
        seconds: float,
        process: subprocess.Popen[bytes] | None = None,
    ) -> None:
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end or (process and process.poll() is not None):
                log = self.folder / "log" / f"{name}.out"
                said = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise Failed(f"{name} is not ready after {seconds:g} s: {said}")
            time.sleep(0.1)

    def until_answers(self, name: str) -> None:
        def answers() -> bool:
            try:
                with urllib.request.urlopen(self.ports.url(name), timeout=10):
                    return True
            except urllib.error.HTTPError as error:
                return error.code < 500
            except OSError:
                return False

        self.until(answers, name, 60, self.processes[name])

    # --- what is in it ----------------------------------------------------------------------

    def ask(self, method: str, service: str, path: str, body: Any = None) -> Any:
        """The JSON that the administrator gets; raises Failed for an error."""
        if not self._token:
            self._token = self._login()
        headers = {
            "X-Auth-Token": self._token,
            "Content-Type": "application/json",
            "OpenStack-API-Version": "compute 2.93" if service == "nova" else "placement 1.39",
        }
        _, content = self._http(method, service, path, body, headers)
        return msgspec.json.decode(content) if content else None

    def _login(self) -> str:
        user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": scope}}
        reply, _ = self._http("POST", "keystone", "/v3/auth/tokens", body, {})
        return reply["X-Subject-Token"]

    def _http(
        self, method: str, service: str, path: str, body: Any, headers: Mapping[str, str]
    ) -> tuple[Mapping[str, str], bytes]:
        request = urllib.request.Request(
            self.ports.url(service) + path,
            method=method,
            headers={"Content-Type": "application/json", **headers},
            data=None if body is None else msgspec.json.encode(body),
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                raise Failed(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error

    def project(self, name: str, **fields: Any) -> str:
        body = {"project": {"name": name, "domain_id": "default", **fields}}
        made: str = self.ask("POST", "keystone", "/v3/projects", body)["project"]["id"]
        return made

    def user(self, name: str, roles: Mapping[str, Sequence[str]]) -> str:
        body = {"user": {"name": name, "domain_id": "default", "password": PASSWORD}}
        user: str = self.ask("POST", "keystone", "/v3/users", body)["user"]["id"]
        for project, names in roles.items():
            for role in names:
                path = f"/v3/projects/{project}/users/{user}/roles/{self._role(role)}"
                self.ask("PUT", "keystone", path)
        return user

    def _role(self, name: str) -> str:
        found = self.ask("GET", "keystone", f"/v3/roles?name={name}")["roles"]
        if not found:
            body = {"role": {"name": name}}
            found = [self.ask("POST", "keystone", "/v3/roles", body)["role"]]
        role: str = found[0]["id"]
        return role

    def flavor(self, name: str, vcpus: int, ram: int, disk: int) -> str:
        body = {"flavor": {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}}
        made: str = self.ask("POST", "nova", "/v2.1/flavors", body)["flavor"]["id"]
        return made

    def boot(
        self, project: str, names: Sequence[str], flavor: str, metadata: Mapping[str, str]
    ) -> dict[str, str]:
        """Servers of a project by name; they are not yet active."""
        token = self._as_member(project)
        made = {}
        for name in names:
            server = {
                "name": name,
                "flavorRef": flavor,
                "imageRef": IMAGE,
                "networks": "none",
                "metadata": dict(metadata),
            }
            headers = {"X-Auth-Token": token, "OpenStack-API-Version": "compute 2.93"}
            _, content = self._http("POST", "nova", "/v2.1/servers", {"server": server}, headers)
            made[name] = msgspec.json.decode(content)["server"]["id"]
        return made

    def _as_member(self, project: str) -> str:
        """A token of the administrator in another project."""
        user = self.ask("GET", "keystone", "/v3/users?name=admin")["users"][0]["id"]
        role = self._role("admin")
        self.ask("PUT", "keystone", f"/v3/projects/{project}/users/{user}/roles/{role}")
        identity = {
            "methods": ["password"],
            "password": {"user": {"id": user, "password": PASSWORD}},
        }
        body = {"auth": {"identity": identity, "scope": {"project": {"id": project}}}}
        reply, _ = self._http("POST", "keystone", "/v3/auth/tokens", body, {})
        return reply["X-Subject-Token"]

    def act(self, server: str, body: Mapping[str, Any]) -> None:
        self.ask("POST", "nova", f"/v2.1/servers/{server}/action", body)

    def status(self, server: str) -> str:
        found: str = self.ask("GET", "nova", f"/v2.1/servers/{server}")["server"]["status"]
        return found

    def statuses(self) -> dict[str, str]:
        """Of the servers of all projects."""
        found: dict[str, str] = {}
        marker = ""
        while True:
            path = f"/v2.1/servers/detail?all_tenants=1&limit=1000{marker}"
            page = self.ask("GET", "nova", path)["servers"]
            found.update({server["id"]: server["status"] for server in page})
            if len(page) < 1000:
                return found
            marker = f"&marker={page[-1]['id']}"

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


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
