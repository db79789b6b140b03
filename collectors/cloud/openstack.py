"""An OpenStack cloud: projects, quotas, capacity, servers, volumes, what was allocated, what is used.

APIs asked, GET alone: Identity `/v3/projects`; Placement `/resource_providers`, their inventories and usages; Compute
`/servers/detail?all_tenants`, `/os-services`, `/os-quota-sets/ID/detail`, `/os-simple-tenant-usage`, `/servers/ID/diagnostics`; Block
Storage `/volumes/detail`, `/os-quota-sets/ID`. docs/clouds.md says which role each needs.

A part that is denied or fails costs that part. A cloud without Block Storage has no volumes, which is
no problem. `allocated` is of the current month up to now; months begin at midnight in UTC, as Nova's do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

from collectors.cloud import openstackcells as cells
from collectors.cloud import openstackcompute as compute
from collectors.cloud import openstackparse as parse
from collectors.cloud.model import Allocated, CloudView, Part
from collectors.cloud.openstackask import Asker
from collectors.cloud.openstackfile import open_cloud, silence
from collectors.cloud.openstackfound import Found
from collectors.cloud.openstackrefused import Refused, called
from collectors.cloud.openstackwork import Work
from collectors.cloud.settings import CloudSource, CloudsSettings
from collectors.model import ParseError
from collectors.strictyaml import DocumentError

GIVE_UP = 8  # so many refusals and no answer: who asks may not
DENIED = (401, 403, 404, 501)
EXTRA = "the Python package openstacksdk is missing; install jianwei[openstack]"


class OpenStackCloud:
    """One cloud of the settings. Each look opens it anew."""

    def __init__(self, source: CloudSource, settings: CloudsSettings) -> None:
        self._source, self._settings = source, settings

    def gather(self, deadline: float) -> CloudView:
        return _Look(self._source, self._settings, deadline).run()


class _Look:
    """One look under way; what comes is put together under the lock of its work."""

    def __init__(self, source: CloudSource, settings: CloudsSettings, deadline: float) -> None:
        self._source, self._settings, self._deadline = source, settings, deadline
        self._began, self._start = time.time(), time.monotonic()
        self._month = _month(self._began)
        self._work = Work(settings.concurrency, self._start + deadline)
        self._askers: list[Asker] = []
        self._found = Found()
        # by part, service and region; below 0: refusals alone, of which `_refusals` has the last
        self._answers: dict[tuple[Part, str, str], int] = {}
        self._refusals: dict[tuple[Part, str, str], str] = {}
        self._silent: set[str] = set()  # regions whose Nova does not tell of a cell that is down
        self._without = 0  # regions that have no block storage

    def run(self) -> CloudView:
        late: dict[Part, int] = {}
        try:
            import openstack.config  # noqa: F401
        except ImportError:
            self._fail("all", EXTRA)
        else:
            silence()
            self._work.add("all", self._open)
            late = self._work.wait()
        with self._work.lock:
            cells.doubt(self._found, self._silent, len(self._askers) > 1, late)
            problems = self._found.problems(
                dict.fromkeys(late, f"no answer within {self._deadline:g} s"), self._source.use
            )
            return CloudView(
                cloud=self._source.name,
                kind="openstack",
                began=self._began,
                seconds=time.monotonic() - self._start,
                resources=self._found.resources(problems),
                projects=self._found.projects_with(problems, self._month, self._began),
                capacity=tuple(self._found.capacity),
                uses=tuple(self._found.uses),
                problems=tuple(problems),
                requests=sum(asker.requests for asker in self._askers),
                api_seconds=sum(asker.seconds for asker in self._askers),
                regions=tuple(asker.region for asker in self._askers),
                absent=("volumes",) if 0 < len(self._askers) == self._without else (),
            )

    # --- tasks ------------------------------------------------------------------------------

    def _open(self) -> None:
        settings, askers = self._settings, []
        try:
            for name in self._source.regions or ("",):
                region = open_cloud(self._source, name)
                asker = Asker(region, settings.timeout, settings.concurrency, self._work.left)
                askers.append(asker)
        except DocumentError as error:
            self._fail("all", str(error))
            return
        with self._work.lock:
            self._askers += askers
            self._found.regions = len(askers)
        for asker in askers:
            self._add("all", asker, self._enter)

    def _enter(self, asker: Asker) -> None:
        asker.log_in()
        if asker is self._askers[0]:  # the projects are those of all regions
            self._add("projects", asker, self._get_projects)
        self._add("servers", asker, self._get_servers)
        self._add("capacity", asker, self._get_providers)
        self._add("allocated", asker, self._get_allocated)
        self._add("volumes", asker, self._get_volumes)

    def _add(
        self,
        part: Part,
        asker: Asker,
        task: Callable[[Asker], None],
        resource: str = "",
        service: str = "",
    ) -> None:
        """A task whose failure is a problem of its part, or of one resource in it. `service`: where
        more than one is asked for the part, so that one that refuses says nothing of the other."""
        key = (part, service, asker.region)

        def run() -> None:
            with self._work.lock:
                if resource and self._answers.get(key, 0) <= -GIVE_UP:
                    self._found.skipped[part, self._refusals[key]] += 1
                    return
            try:
                task(asker)
            except (Refused, ParseError) as error:
                denied = isinstance(error, Refused) and error.status in DENIED
                reason = self._reason(asker, error, resource, service)
                with self._work.lock:
                    if resource and denied and self._answers.get(key, 0) <= 0:
                        self._answers[key] = self._answers.get(key, 0) - 1
                        self._refusals[key] = reason
                self._fail(part, reason, resource)
            else:
                with self._work.lock:
                    if resource:
                        self._answers[key] = 1

        self._work.add(part, run)

    def _reason(self, asker: Asker, error: Exception, resource: str = "", service: str = "") -> str:
        reason = asker.clean(str(error))
        if service and called(service) not in reason:
            reason = f"the {called(service)}: {reason}"
        if resource:  # the same words for each, so that they become one
            reason = reason.replace(resource, "…")
        return f"{reason} (region {asker.region})" if len(self._askers) > 1 else reason

    def _fail(self, part: Part, reason: str, resource: str = "") -> None:
        with self._work.lock:
            self._found.failed.setdefault((part, reason), []).append(resource)

    def _get_projects(self, asker: Asker) -> None:
        try:
            found, whole = parse.projects(asker.get("identity", "/projects"))
            if not whole:
                self._fail("projects", "Keystone told a part of the projects (its list_limit)")
            if asker.account().domain:
                self._fail("projects", "a token of a domain is told the projects of it alone")
        except Refused as error:
            if error.status != 403:
                raise
            found, _ = parse.projects(asker.get("identity", "/auth/projects"))
            reason = self._reason(asker, error)
            self._fail("projects", f"only the projects of this account are known: {reason}")
        with self._work.lock:
            self._found.projects = {project.id: project for project in found}
        for one in self._askers:
            self._add("quotas", one, self._get_compute_quotas)
            self._add("quotas", one, self._get_volume_quotas)

    def _get_compute_quotas(self, asker: Asker) -> None:
        asker.compute_version()
        for project in list(self._found.projects):
            task = partial(self._get_quotas, service="compute", project=project)
            self._add("quotas", asker, task, project, "compute")

    def _get_volume_quotas(self, asker: Asker) -> None:
        if self._has_volumes(asker):
            for project in list(self._found.projects):
                task = partial(self._get_quotas, service="block-storage", project=project)
                self._add("quotas", asker, task, project, "block-storage")

    def _get_quotas(self, asker: Asker, service: str, project: str) -> None:
        if service == "compute":
            content = asker.get(service, f"/os-quota-sets/{project}/detail")
        else:
            content = asker.get(service, f"/os-quota-sets/{project}", usage="True")
        found = compute.quotas(content)
        with self._work.lock:
            self._found.add_quotas(project, found)

    def _get_servers(self, asker: Asker) -> None:
        for page in cells.pages(asker, self._settings.page):
            with self._work.lock:
                self._found.servers.update((one.resource.id, one) for one in page)
            if self._source.use:
                for one in page:
                    if one.resource.state == "active":
                        task = partial(self._get_use, server=one.resource.id)
                        self._add("use", asker, task, one.resource.id)
        if not cells.tells(asker):
            with self._work.lock:
                self._silent.add(asker.region)

    def _get_use(self, asker: Asker, server: str) -> None:
        content = asker.get("compute", f"/servers/{server}/diagnostics")
        use = compute.use(content, server, time.time())
        with self._work.lock:
            self._found.uses.append(use)

    def _get_allocated(self, asker: Asker) -> None:
        read = partial(compute.allocated, since=self._month, until=self._began)
        told: dict[str, Allocated] = {}
        for page in asker.pages(
            "compute",
            "/os-simple-tenant-usage",
            read,
            start=_utc(self._month),
            end=_utc(self._began),
            limit=str(self._settings.page),
        ):
            for project, allocated in page:
                told[project] = compute.added(told.get(project), allocated)
        with self._work.lock:
            for project, allocated in told.items():
                known = self._found.allocated.get(project)
                self._found.allocated[project] = compute.added(known, allocated)

    def _get_providers(self, asker: Asker) -> None:
        for provider in parse.providers(asker.get("placement", "/resource_providers")):
            task = partial(self._get_provider, provider=provider)
            self._add("capacity", asker, task, provider.name or provider.uuid)

    def _get_provider(self, asker: Asker, provider: parse.Provider) -> None:
        path, name = f"/resource_providers/{provider.uuid}", provider.name or provider.uuid
        if len(self._askers) > 1:
            name = f"{asker.region}/{name}"
        content = asker.get("placement", f"{path}/inventories")
        used: dict[str, float] = {}
        try:
            used = parse.usages(asker.get("placement", f"{path}/usages"))
        finally:  # what is there is known even where its use is not
            found = parse.inventories(content, name, used)
            with self._work.lock:
                self._found.capacity += found

    def _has_volumes(self, asker: Asker) -> bool:
        if asker.has("block-storage"):
            return True
        if (
            not asker.account().project
        ):  # addresses with the id of a project are left out of its catalog
            raise Refused("a token that is of no project is not told where the block storage is")
        return False

    def _get_volumes(self, asker: Asker) -> None:
        if not self._has_volumes(asker):
            with self._work.lock:
                self._without += 1
            return
        own, _, admin = asker.account()
        read = partial(parse.volumes, region=asker.region)
        limit = str(self._settings.page)
        path = "/volumes/detail"
        for page in asker.pages("block-storage", path, read, all_tenants="1", limit=limit):
            admin = admin or any(volume.project not in ("", own) for volume in page)
            with self._work.lock:
                self._found.volumes.update((volume.id, volume) for volume in page)
        with self._work.lock:
            self._found.stores += 1
        if not admin:  # Cinder says nothing of what it leaves out
            raise Refused("without the role admin Cinder tells the volumes of one project alone")


def _month(now: float) -> float:
    """When the month began, in UTC: Nova's own clock, whatever the zone of this machine."""
    day = datetime.fromtimestamp(now, UTC)
    return day.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp()


def _utc(moment: float) -> str:
    """As os-simple-tenant-usage takes it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
