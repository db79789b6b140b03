"""`python -m tests.openstackrecord`: the answers of a real OpenStack as a fixture, for tests without one.

A small city of tests/openstackcity.py is looked at with two servers a page, and with as many as there are. Addresses are replaced by `{service}`;
there are no tokens and no passwords in bodies. tests/openstackreplay.py serves them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from collectors.cloud.openstack import OpenStackCloud
from collectors.cloud.openstackask import Asker
from collectors.cloud.settings import CloudSource, CloudsSettings
from tests.openstackcity import build
from tests.openstackconfig import PASSWORD, Ports
from tests.openstacklab import OpenStackLab
from tests.openstackreplay import FILE, key

if TYPE_CHECKING:
    from requests import Response

PAGE = 2


def record(lab: OpenStackLab) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    services = {port: name for name, port in lab.ports._asdict().items()}
    original = Asker._body

    def body(asker: Asker, response: Response) -> bytes:
        content = original(asker, response)
        host, _, path = (response.url or "").removeprefix("http://").partition("/")
        service = services[int(host.rpartition(":")[2])]
        answers[key(service, "/" + path)] = json.loads(content)
        return content

    source = CloudSource("gov", "openstack", cloud="admin", clouds_file=str(lab.clouds_file))
    with mock.patch.object(Asker, "_body", body):
        for settings in (CloudsSettings(page=PAGE), CloudsSettings()):
            view = OpenStackCloud(source, settings).gather(300)
            assert view.problems == (), view.problems
    for service, path in (("keystone", "/v3"), ("nova", "/v2.1"), ("cinder", "/v3/")):
        answers[key(service, path)] = lab.ask("GET", service, path)
    answers["token"] = lab.token()
    text = json.dumps(answers, ensure_ascii=False)
    for name in Ports._fields:
        text = text.replace(lab.ports.url(name), f"{{{name}}}")
    assert PASSWORD not in text
    scrubbed: dict[str, Any] = json.loads(text)
    return scrubbed


def main() -> None:
    with OpenStackLab() as lab:
        build(lab, bureau=5, tax=2)
        answers = record(lab)
    path = Path(FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(answers, ensure_ascii=False, indent=1, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path}: {len(answers)} answers, {len(text) >> 10} KiB")


if __name__ == "__main__":
    main()
