"""clouds.yaml: which cloud, with errors that name the file, the line and the key.

Format: openstacksdk's configuration guide; it belongs to OpenStack, so that its own keys are left to
openstacksdk. `open_cloud` reads nothing but files.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from collectors.cloud.settings import CloudSource
from collectors.strictyaml import Document, DocumentError, hint, read

if TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

SECRETS = ("password", "secret", "token", "passcode", "key")


class _Clouds(msgspec.Struct):
    """What must be there; each cloud is openstacksdk's."""

    clouds: dict[str, dict[str, Any]]


def open_cloud(source: CloudSource, region: str) -> CloudRegion:
    """A cloud of openstacksdk that has asked nothing yet; raises DocumentError."""
    from keystoneauth1.exceptions import ClientException
    from openstack import config
    from openstack.exceptions import SDKException

    given = os.path.expanduser(source.clouds_file)
    if given:
        _check(given, source.cloud)
    try:
        found = config.OpenStackConfig(
            # without a file of its own: where openstacksdk looks, and its environment variables
            config_files=[given] if given else None,
            secure_files=[os.path.join(os.path.dirname(given), "secure.yaml")] if given else None,
            load_envvars=not given,
            app_name="jianwei",
        )
        path = str(found.config_filename or "clouds.yaml")
        if not given and found.config_filename:
            _check(path, source.cloud)
        chosen: dict[str, Any] = {"region_name": region} if region else {}
        return found.get_one(cloud=source.cloud, **chosen)
    except (SDKException, ClientException) as error:
        # of a password in the file these say nothing, and of its name no more than that it is missing
        path = given or "clouds.yaml"
        raise DocumentError(path, None, f"clouds.{source.cloud}: {_line(error)}") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _check(path: str, cloud: str) -> None:
    document = Document(read(path), path)
    clouds = document.convert(_Clouds).clouds
    if cloud not in clouds:
        raise document.error(("clouds",), f"no cloud {cloud!r}; {hint(cloud, list(clouds))}")
    settings = clouds[cloud]
    if "profile" in settings or "cloud" in settings:
        return  # of a vendor, or of clouds-public.yaml, that openstacksdk adds
    where = ("clouds", cloud)
    auth = settings.get("auth")
    if not isinstance(auth, dict):
        raise document.error(where, "the mapping 'auth' is missing")
    if settings.get("auth_type", "password") != "none" and not auth.get("auth_url"):
        raise document.error((*where, "auth"), "the key 'auth_url' is missing")


def secrets_of(region: CloudRegion) -> tuple[str, ...]:
    """What must never be told."""
    auth = region.config.get("auth") or {}
    return tuple(
        str(value)
        for name, value in auth.items()
        if value and any(word in name for word in SECRETS) and "url" not in name
    )
