"""The project of a server in what Nova wrote into its domain: by whichever name it has there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

# What Nova's XML calls a project, with and without the path to it.
_NAME: Final = ("project", "project_name", "project.name", "owner.project")
_ID: Final = ("project_id", "project_uuid", "project.uuid", "owner.project.uuid")


def nova_project(nova: Mapping[str, str]) -> tuple[str, str]:
    """Its id and its name; empty where it is not told."""
    return _first(nova, _ID), _first(nova, _NAME)


def _first(nova: Mapping[str, str], keys: Sequence[str]) -> str:
    return next((nova[key] for key in keys if nova.get(key)), "")
