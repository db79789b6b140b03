"""Columns that several tables of use have: whose it is, amounts, sums with what is unknown in them, and load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from exporters.report.columns import Column, gib, local, total
from exporters.report.document import Load, Sums
from exporters.usage.amounts import department
from rules.usagejudgement import Amount


def named(of: Callable[[Any], str]) -> Column[Any]:
    return Column("department", "text", lambda it, language: department(of(it), language))


def amounts(prefix: str, of: Callable[[Any], Amount], disk: bool = True) -> tuple[Column[Any], ...]:
    adds = prefix != "target"
    parts: tuple[Column[Any], ...] = (
        Column(f"{prefix}_vcpus", "amount", lambda it, _: of(it).vcpus, adds),
        Column(f"{prefix}_memory", "amount", lambda it, _: gib(of(it).memory), adds),
        Column(f"{prefix}_disk", "amount", lambda it, _: gib(of(it).disk), adds),
    )
    return parts if disk else parts[:2]


def sums(prefix: str, of: Callable[[Any], Sums], added: bool = True) -> tuple[Column[Any], ...]:
    return (
        Column(f"{prefix}_vcpus", "amount", lambda it, _: total(of(it).vcpus), added),
        Column(f"{prefix}_memory", "amount", lambda it, _: gib(total(of(it).memory)), added),
        Column(f"{prefix}_disk", "amount", lambda it, _: gib(total(of(it).disk)), added),
        Column(f"{prefix}_vcpus_unknown", "count", lambda it, _: of(it).vcpus.unknown, added),
        Column(f"{prefix}_memory_unknown", "count", lambda it, _: of(it).memory.unknown, added),
        Column(f"{prefix}_disk_unknown", "count", lambda it, _: of(it).disk.unknown, added),
    )


def load(of: Callable[[Any], Load]) -> tuple[Column[Any], ...]:
    return (
        Column("cpu_average", "percent", lambda it, _: of(it).average),
        Column("cpu_p50", "percent", lambda it, _: of(it).p50),
        Column("cpu_p95", "percent", lambda it, _: of(it).p95),
        Column("cpu_peak", "percent", lambda it, _: of(it).peak),
        Column("cpu_peak_at", "moment", lambda it, _: local(of(it).peak_at)),
        Column("cpu_work", "percent", lambda it, _: of(it).work),
        Column("cpu_off", "percent", lambda it, _: of(it).off),
        Column("cpu_cores", "amount", lambda it, _: of(it).cores),
        Column("coverage", "percent", lambda it, _: of(it).coverage),
    )
