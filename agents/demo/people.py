"""The people of the example city, and what they have done in the console this month."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final

import bcrypt

from agents.demo import city
from exporters.console.database import Database
from exporters.console.schema import user
from exporters.console.services import Services
from exporters.console.web.asker import Role

# name, what people call them, role, departments (None: all)
USERS: Final[tuple[tuple[str, str, Role, tuple[str, ...] | None], ...]] = (
    ("admin", "系统管理员", "administrator", None),
    ("chenjing", "陈静", "analyst", None),
    ("liumin", "刘敏", "approver", None),
    ("zhaolei", "赵磊", "viewer", (city.REGRESSED, city.IDLE)),
    ("wangfang", "王芳", "auditor", None),
)


def write(database: Database, services: Services) -> str:
    """Make them; returns the password that all of them have."""
    password = secrets.token_urlsafe(9) + "-Lj7"
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()
    now = datetime.now(UTC)
    with database.writing() as connection:
        for name, full_name, role, departments in USERS:
            connection.execute(
                user.insert().values(
                    name=name,
                    full_name=full_name,
                    role=role,
                    departments=None if departments is None else list(departments),
                    password_hash=hashed,
                    password_changed=now,
                    created=now,
                )
            )
    return password
