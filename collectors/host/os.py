"""The distribution and its version: os-release(5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, ParseError, gauge, malformed, sample

ETC = File("/etc/os-release")
USR = File("/usr/lib/os-release")

LABELS = (
    *("build_id", "id", "id_like", "image_id", "image_version", "name", "pretty_name"),
    *("variant", "variant_id", "version", "version_codename", "version_id"),
)


class OsCollector(Collector, frozen=True):
    """Which distribution this is; `node_os_version` only where the version is a number."""

    name: ClassVar[str] = "os"

    def readings(self) -> tuple[File, ...]:
        return (ETC, USR)

    def parse(self, answers: Answers) -> Iterable[Family]:
        text = answers.maybe(ETC)
        release = parse_os_release(answers.text(USR) if text is None else text)
        if not release:
            raise ParseError("os-release: no assignment")
        labels = {label: release.get(label.upper(), "") for label in LABELS}
        yield gauge(
            "node_os_info", "Always 1; labels tell what os-release says.", sample(1.0, **labels)
        )
        if number := re.match(r"\d+(\.\d+)?", labels["version_id"]):
            yield gauge(
                "node_os_version",
                "Version of the distribution, as far as it is a number.",
                sample(
                    float(number[0]),
                    id=labels["id"],
                    id_like=labels["id_like"],
                    name=labels["name"],
                ),
            )
        if end := release.get("SUPPORT_END"):
            with malformed("os-release: SUPPORT_END"):
                moment = datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp()
            yield gauge(
                "node_os_support_end_timestamp_seconds",
                "When support of this version ends, in Unix time.",
                sample(moment),
            )


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of os-release(5), quotes and escapes undone."""
    values = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if not equals or key.startswith("#"):
            continue
        if value[:1] in ("'", '"') and value[-1:] == value[:1] and len(value) > 1:
            value = value[1:-1]
        values[key] = re.sub(r"\\(.)", r"\1", value) if "\\" in value else value
    return values
