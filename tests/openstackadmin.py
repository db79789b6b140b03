"""What the administrator asks of the OpenStack of tests/openstacklab.py: projects, users, flavors, servers."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.openstackconfig import PASSWORD, Ports
from tests.openstackstubs import IMAGE
from tests.processgroups import Failed


class Administrator:
    """Raw JSON over HTTP: the client under test is not used to set up what it then looks at."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports
        self._token = ""

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
        headers, _ = self._log_in()
        return headers["X-Subject-Token"]

    def token(self) -> Any:
        """What Keystone says of a token of the administrator, with the catalog."""
        return msgspec.json.decode(self._log_in()[1])

    def _log_in(self) -> tuple[Mapping[str, str], bytes]:
        user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": scope}}
        return self._http("POST", "keystone", "/v3/auth/tokens", body, {})

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
                path = f"/v3/projects/{project}/users/{user}/roles/{self.role(role)}"
                self.ask("PUT", "keystone", path)
        return user

    def role(self, name: str) -> str:
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
        self,
        project: str,
        names: Sequence[str],
        flavor: str,
        metadata: Mapping[str, str],
        count: int = 1,
    ) -> dict[str, str]:
        """Servers of a project by name, of each `count`; they are not yet active."""
        token = self._as_member(project)
        made = {}
        for name in names:
            server = {
                "name": name,
                "flavorRef": flavor,
                "imageRef": IMAGE,
                "networks": "none",
                "metadata": dict(metadata),
                "min_count": count,
                "max_count": count,
            }
            headers = {"X-Auth-Token": token, "OpenStack-API-Version": "compute 2.93"}
            _, content = self._http("POST", "nova", "/v2.1/servers", {"server": server}, headers)
            made[name] = msgspec.json.decode(content)["server"]["id"]
        return made

    def _as_member(self, project: str) -> str:
        """A token of the administrator in another project."""
        user = self.ask("GET", "keystone", "/v3/users?name=admin")["users"][0]["id"]
        role = self.role("admin")
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
