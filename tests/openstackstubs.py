"""Stubs of Glance, Neutron and Cinder for the OpenStack of tests/openstacklab.py: NOT the real services.

Nova asks the first two when a server boots and is shown: one image that always exists, no networks. Cinder v3 is a
stub of what a collector reads: its versions, volumes, quotas; volumes are what the test says. As the real one it
tells who is no administrator the volumes of one project, whatever was asked. Tokens are looked up in the real Keystone, so that who is denied is denied here too.
Formats: Image API v2, Networking API v2.0, Block Storage API v3.
"""

from __future__ import annotations

import http.server
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any

Reply = tuple[int, Any]
Answer = Callable[[str, dict[str, str], dict[str, str]], Reply]  # path, query, headers

IMAGE = "11111111-2222-3333-4444-555555555555"
IMAGE_SHOWN: dict[str, Any] = {
    "id": IMAGE,
    "name": "lab",
    "status": "active",
    "visibility": "public",
    "container_format": "bare",
    "disk_format": "raw",
    "min_disk": 0,
    "min_ram": 0,
    "size": 1,
    "owner": "lab",
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "tags": [],
}


class Stub:
    """One HTTP server on a loopback port, on threads of this process."""

    def __init__(self, port: int, answer: Answer) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, body = answer(path, dict(urllib.parse.parse_qsl(query)), headers)
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def glance(path: str, query: dict[str, str], headers: dict[str, str]) -> Reply:
    if path.rstrip("/") == "":
        link = {"rel": "self", "href": f"http://{headers['host']}/v2/"}
        version = {"id": "v2.9", "status": "CURRENT", "links": [link]}
        return 300, {"versions": [version]}
    if path.endswith("/v2/images"):
        return 200, {"images": [IMAGE_SHOWN], "first": "/v2/images", "schema": "/v2/schemas/images"}
    if path.endswith("/schemas/image"):
        properties = {name: {"type": "string"} for name in ("id", "name", "status")}
        return 200, {"name": "image", "properties": properties}
    if path.endswith(f"/images/{IMAGE}"):
        return 200, IMAGE_SHOWN
    return 404, {"error": {"message": "no such image", "code": 404}}


def neutron(path: str, query: dict[str, str], headers: dict[str, str]) -> Reply:
    name = path.rstrip("/").rpartition("/")[2].removesuffix(".json")
    return 200, {name.replace("-", "_"): []}


class Cinder:
    """The state of the stub: `volumes` in the API's own form, `quotas` (limit, used) in GB by project."""

    def __init__(self, keystone: str, url: str) -> None:
        self.volumes: list[dict[str, Any]] = []
        self.quotas: dict[str, tuple[int, int]] = {}
        self._keystone, self._url = keystone, url

    def answer(self, path: str, query: dict[str, str], headers: dict[str, str]) -> Reply:
        parts = path.strip("/").split("/")
        if len(parts) == 1:
            version = {
                "id": "v3.0",
                "status": "CURRENT",
                "version": "3.70",
                "min_version": "3.0",
                "links": [{"rel": "self", "href": f"{self._url}/v3/"}],
            }
            return (300 if parts == [""] else 200), {"versions": [version]}
        token = self._token(headers.get("x-auth-token", ""))
        if token is None:
            return 401, {"error": {"code": 401, "message": "no such token"}}
        roles = {role["name"] for role in token["roles"]}
        own = token.get("project", {}).get("id", "")
        if parts[2:] == ["volumes", "detail"]:
            everything = "admin" in roles and query.get("all_tenants") == "1"
            owner = "os-vol-tenant-attr:tenant_id"
            shown = [it for it in self.volumes if everything or it[owner] == own]
            return self._page(shown, query)
        if parts[2:3] == ["os-quota-sets"]:
            if not roles & {"admin", "cloud_reader"} and parts[3] != own:
                message = "Policy doesn't allow volume_extension:quotas:show to be performed."
                return 403, {"forbidden": {"code": 403, "message": message}}
            limit, used = self.quotas.get(parts[3], (1000, 0))
            gigabytes = {"limit": limit, "in_use": used, "reserved": 0}
            volumes = {"limit": 10, "in_use": int(used > 0), "reserved": 0}
            quotas = {"id": parts[3], "gigabytes": gigabytes, "volumes": volumes}
            return 200, {"quota_set": quotas}
        return 404, {"itemNotFound": {"code": 404, "message": "not in this stub"}}

    def _page(self, volumes: list[dict[str, Any]], query: dict[str, str]) -> Reply:
        limit, marker = int(query.get("limit", 1000)), query.get("marker")
        ids = [volume["id"] for volume in volumes]
        first = ids.index(marker) + 1 if marker else 0
        page = volumes[first : first + limit]
        reply: dict[str, Any] = {"volumes": page}
        if first + limit < len(volumes):
            more = urllib.parse.urlencode({**query, "marker": page[-1]["id"]})
            link = {"rel": "next", "href": f"{self._url}/v3/volumes/detail?{more}"}
            reply["volumes_links"] = [link]
        return 200, reply

    def _token(self, token: str) -> dict[str, Any] | None:
        request = urllib.request.Request(
            f"{self._keystone}/v3/auth/tokens",
            headers={"X-Auth-Token": token, "X-Subject-Token": token},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                found: dict[str, Any] = json.load(reply)["token"]
                return found
        except urllib.error.URLError:
            return None
