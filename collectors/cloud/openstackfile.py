"""clouds.yaml: which cloud, with errors that name the file, the line and the key.

Format: openstacksdk's configuration guide; it belongs to OpenStack, so that its own keys are left to
openstacksdk, which takes a wrong one as it comes: which key it was is then found by leaving each out.
`open_cloud` reads nothing but files.
"""

from __future__ import annotations

import copy
import logging
import os
import re
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from collectors.cloud.settings import CloudSource
from collectors.strictyaml import Document, DocumentError, hint, read

if TYPE_CHECKING:
    from openstack.config import OpenStackConfig
    from openstack.config.cloud_region import CloudRegion

SECRETS = ("password", "secret", "token", "passcode", "key")
SHORT = 8  # characters: a secret below that may be in the middle of any word
LOGGERS = ("keystoneauth", "keystoneauth1", "openstack", "urllib3")


class _Clouds(msgspec.Struct):
    """What must be there; each cloud is openstacksdk's."""

    clouds: dict[str, dict[str, Any]]


def silence() -> None:
    """What the libraries log has addresses with passwords in them; what matters is in their exceptions."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not any(isinstance(it, logging.NullHandler) for it in logger.handlers):
            logger.addHandler(logging.NullHandler())


def open_cloud(source: CloudSource, region: str) -> CloudRegion:
    """A cloud of openstacksdk with its session, that has asked nothing yet; raises DocumentError."""
    from keystoneauth1.exceptions import ClientException
    from openstack import config
    from openstack.exceptions import SDKException

    given = os.path.expanduser(source.clouds_file)
    path = given or "clouds.yaml"
    secure = os.path.join(os.path.dirname(given), "secure.yaml") if given else ""
    document = _check(given, source.cloud) if given else None
    if os.path.exists(secure):
        Document(read(secure), secure)
    found: OpenStackConfig | None = None
    chosen = {"region_name": region} if region else {}
    try:
        found = config.OpenStackConfig(
            # without a file of its own: where openstacksdk looks, and its environment variables
            config_files=[given] if given else None,
            secure_files=[secure] if given else None,
            load_envvars=not given,
            app_name="jianwei",
        )
        if not given and found.config_filename:
            path = str(found.config_filename)
            document = _check(path, source.cloud)
        return _opened(found, source.cloud, chosen)
    except DocumentError:
        raise
    except Exception as error:
        settings = _settings(found, source.cloud)
        place = _wrong(found, source.cloud, chosen, error) if found else ()
        # of a password these say nothing; what others say may quote any value
        told = isinstance(error, (SDKException, ClientException))
        why = " ".join(str(error).split())[:300] if told else "openstacksdk cannot use it"
        words = hidden(f"{why}{_meant(settings, place)}", secrets_of(settings))
        at = ("clouds", source.cloud, *place)
        if document is None or not _written(document, at):
            raise DocumentError(path, None, f"{'.'.join(at)}: {words}") from error
        raise document.error(at, words) from error


def _opened(found: OpenStackConfig, cloud: str, chosen: Mapping[str, Any]) -> CloudRegion:
    region = found.get_one(cloud=cloud, **chosen)
    region.get_session()
    return region


def _settings(found: OpenStackConfig | None, cloud: str) -> dict[str, Any]:
    """What is written of a cloud, in all files."""
    clouds = found.cloud_config.get("clouds") if found else None
    settings = clouds.get(cloud) if isinstance(clouds, dict) else None
    return settings if isinstance(settings, dict) else {}


def _wrong(
    found: OpenStackConfig, cloud: str, chosen: Mapping[str, Any], error: Exception
) -> tuple[str, ...]:
    """The key without which the cloud opens, or fails in another way; () if that is not one alone."""
    settings, whole = _settings(found, cloud), found.cloud_config
    opens, differs = [], []
    for place in _places(settings):
        found.cloud_config = copy.deepcopy(whole)
        inner = found.cloud_config["clouds"][cloud]
        del (inner["auth"] if len(place) > 1 else inner)[place[-1]]
        try:
            _opened(found, cloud, chosen)
        except Exception as other:  # noqa: BLE001  # any of them is an answer
            if (type(other), str(other)) != (type(error), str(error)):
                differs.append(place)
        else:
            opens.append(place)
    found.cloud_config = whole
    best = opens or differs
    if len(best) > 1:
        best = [place for place in best if repr(place[-1]) in str(error)]
    return best[0] if len(best) == 1 else ()


def _places(settings: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    auth = settings.get("auth")
    inner = auth if isinstance(auth, dict) else {}
    yield from (("auth", key) for key in inner if isinstance(key, str))
    yield from ((key,) for key in settings if key != "auth" and isinstance(key, str))


def _meant(settings: Mapping[str, Any], place: tuple[str, ...]) -> str:
    """Of a key of `auth` that its kind does not have: those that it has."""
    from keystoneauth1 import loading

    if len(place) != 2:
        return ""
    try:
        loader: Any = loading.get_plugin_loader(settings.get("auth_type", "password"))
    except Exception:  # noqa: BLE001  # the kind itself is wrong, which was told
        return ""
    known = [option.dest for option in loader.get_options()]
    return "" if place[1] in known else f"; {hint(place[1], known)}"


def _written(document: Document, place: tuple[str, ...]) -> bool:
    """Whether a key is in this file, and not in secure.yaml."""
    value: Any = document.convert(_Clouds).clouds
    for key in place[1:]:
        if not isinstance(value, dict) or key not in value:
            return False
        value = value[key]
    return True


def _check(path: str, cloud: str) -> Document:
    document = Document(read(path), path)
    clouds = document.convert(_Clouds).clouds
    if cloud not in clouds:
        raise document.error(("clouds",), f"no cloud {cloud!r}; {hint(cloud, list(clouds))}")
    settings = clouds[cloud]
    if "profile" in settings or "cloud" in settings:
        return document  # of a vendor, or of clouds-public.yaml, that openstacksdk adds
    where = ("clouds", cloud)
    auth = settings.get("auth")
    if not isinstance(auth, dict):
        raise document.error(where, "the mapping 'auth' is missing")
    if settings.get("auth_type", "password") != "none" and not auth.get("auth_url"):
        raise document.error((*where, "auth"), "the key 'auth_url' is missing")
    return document


def secrets_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What must never be told, of the settings of a cloud."""
    auth = settings.get("auth")
    auth = auth if isinstance(auth, dict) else {}
    named = (
        str(value)
        for name, value in auth.items()
        if value and any(word in str(name) for word in SECRETS) and "url" not in str(name)
    )
    addresses = (it for it in (*settings.values(), *auth.values()) if isinstance(it, str))
    return (*named, *(part for address in addresses for part in _userinfo(address)))


def _userinfo(address: str) -> Iterator[str]:
    """The user and password in an address, together and the password alone, as written and as meant."""
    scheme, _, rest = address.partition("://")
    info, at, _ = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")
    if scheme and at and info:
        password = info.partition(":")[2]
        for part in (info, password):
            yield from {it for it in (part, urllib.parse.unquote(part)) if it}


def hidden(text: str, secrets: Iterable[str]) -> str:
    """In one line and without the secrets; a short one is hidden where it is a word of its own, as "e"
    is in the middle of most."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) < SHORT:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
        else:
            text = text.replace(secret, "***")
    return " ".join(text.split())
