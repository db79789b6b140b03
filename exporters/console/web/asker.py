"""Who asks, what they may do and see, and what a request is answered from.

Roles follow the separation of duties of GB/T 22239-2019 8.1.5: who administers neither reviews nor reads the audit log.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVarTuple, get_args
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Connection, Select

from exporters.console import auditlog
from exporters.console.database import Database

if TYPE_CHECKING:
    from exporters.console.services import Services

Role = Literal["viewer", "analyst", "approver", "administrator", "auditor"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

# open: nobody need log in; agent: an agent's token, checked by the operation itself; self: anyone who has logged in,
# about themselves; entering: who is between the password and the rest
Permission = Literal[
    "open", "agent", "entering", "self", "view", "review", "approve", "administer", "audit"
]
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)

ALLOWED: Final[Mapping[Role, frozenset[Permission]]] = {
    "viewer": frozenset({"self", "view"}),
    "analyst": frozenset({"self", "view", "review"}),
    "approver": frozenset({"self", "view", "review", "approve"}),
    "administrator": frozenset({"self", "view", "administer"}),
    "auditor": frozenset({"self", "view", "audit"}),
}
ALWAYS: Final[frozenset[Permission]] = frozenset({"open", "agent"})

LANGUAGE: Final = "jianwei_language"  # the cookie with the chosen one

_Columns = TypeVarTuple("_Columns")


def covers(own: Collection[str] | None, names: Collection[str] | None) -> bool:
    """Whether who sees some departments (None: all) sees all of others."""
    return own is None or (names is not None and set(names) <= set(own))


@dataclass(frozen=True)
class Person:
    """A user who has logged in. `departments` are the names of those that they see, None for all."""

    id: int
    name: str
    full_name: str
    role: Role
    departments: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Asker:
    """One request's context. `scope` has the ids of the departments that may be seen, None for all of them."""

    database: Database
    services: Services
    now: datetime  # UTC
    zone: ZoneInfo
    language: str  # zh, en
    person: Person | None = None
    scope: frozenset[int] | None = None
    address: str = ""
    session: str = ""  # the hash of its token
    csrf: str = ""
    stage: str = ""  # of the session: full, or what is missing
    token: str = ""  # a bearer token that is no user's: an agent's
    cookies: Mapping[str, str] = field(default_factory=dict)  # as the browser sent them

    @property
    def name(self) -> str:
        return self.person.name if self.person else ""

    def may(self, permission: Permission) -> bool:
        if permission in ALWAYS:
            return True
        if self.person is None:
            return False
        if self.stage != "full":
            return permission == "entering"
        return permission == "entering" or permission in ALLOWED[self.person.role]

    def scoped(self, statement: Select[*_Columns], department_id: Column[int]) -> Select[*_Columns]:
        """The statement, narrowed to the departments that may be seen. Every query of what belongs to a department
        goes through it."""
        if self.scope is None:
            return statement
        return statement.where(department_id.in_(sorted(self.scope)))

    def sees(self, department_id: int) -> bool:
        return self.scope is None or department_id in self.scope

    def record(
        self,
        connection: Connection,
        action: str,
        subject: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Append to the audit log, in the transaction of the change."""
        auditlog.record(
            connection, self.name, action, subject, detail, now=self.now, address=self.address
        )
