"""Whose a resource is: a department, system, region and environment, and how that is known.

Names come from servers' metadata and projects' tags, which their holders write: they are bounded,
and characters that steer a terminal or show as nothing are escaped, before anything else sees them.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Literal, get_args

import msgspec

How = Literal["override", "metadata", "project", "nova", "libvirt", "unassigned"]
HOWS: Final[tuple[How, ...]] = get_args(How)  # in their order: what comes first is believed
OwnerField = Literal["department", "system", "region", "environment"]
FIELDS: Final[tuple[OwnerField, ...]] = get_args(OwnerField)

UNASSIGNED: Final = "未归属"  # the department "" for people and in labels
MAX_NAME: Final = 150  # characters

# Said by people who had to write something.
_NOTHING: Final = frozenset(
    ("", "-", "--", "—", "/", "?", "n/a", "na", "none", "null", "nil", "unassigned", "unknown")
) | frozenset(("无", "未知", "未归属", "未填", "待定", "空"))

# Words for environments, as they stand in metadata, and ours.
ENVIRONMENTS: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("prod", "prd", "production", "生产", "生产环境", "正式", "正式环境"), "production"
    ),
    **dict.fromkeys(("test", "testing", "sit", "测试", "测试环境"), "test"),
    **dict.fromkeys(("dev", "development", "开发", "开发环境"), "development"),
    **dict.fromkeys(
        ("staging", "stage", "pre", "uat", "预发布", "预发", "准生产", "预生产", "预发布环境"),
        "staging",
    ),
    **dict.fromkeys(
        ("dr", "recovery", "disaster-recovery", "灾备", "容灾", "灾备环境"), "recovery"
    ),
    **dict.fromkeys(("backup", "备份", "备份环境"), "backup"),
}


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Empty is not known. `environment` is one of ENVIRONMENTS' values, or another word as it was
    told."""

    department: str = ""
    system: str = ""
    region: str = ""
    environment: str = ""


class Conflict(msgspec.Struct, frozen=True, gc=False):
    """A later step says something else than what was believed."""

    how: How
    field: OwnerField
    value: str
    detail: str = ""


class Attribution(msgspec.Struct, frozen=True):
    """`how` is the step that the department comes from, `detail` where that step has it from: a
    line of a file, a key, a tag. `since` is the day (`2026-03-15`) from which the override table
    has said what it says now, by a row that began or one that ended; empty where it always did."""

    owner: Owner = Owner()
    how: How = "unassigned"
    detail: str = ""
    conflicts: tuple[Conflict, ...] = ()
    since: str = ""


def clean(text: str) -> str:
    """A name as it may be told: in one line, without controls, MAX_NAME characters at most. Empty
    where it says nothing (`none`, `无`)."""
    if text.isascii() and text.isprintable() and len(text) <= MAX_NAME:
        text = text.strip()  # nearly all
    else:
        text = _cleaned(text)
    return "" if text.lower() in _NOTHING else text


def _cleaned(text: str) -> str:
    # bounded first: NFC and escapes of a megabyte would be work for nothing
    text = unicodedata.normalize("NFC", text[: 8 * MAX_NAME]).strip()
    if not text.isprintable():
        # lone surrogates, controls, marks of direction and zero-width characters are not printable
        text = "".join(
            one
            if one.isprintable()
            else " "
            if one in "\u3000\u00a0"
            else one.encode("unicode_escape").decode("ascii")
            for one in text
        )
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"
