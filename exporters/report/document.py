"""The monthly report as data: what HTML, PDF, XLSX, CSV and JSON are made of (docs/report.md has it as JSON).

Nothing is computed from it but sums that a reader can follow. Units: virtual CPUs, bytes, hours, percent (0 to 100),
money in the currency of the price table. None is not known or not measured: never 0. Words are in both languages.
Names in it come from clouds and files that anybody may have written.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

import msgspec

from rules.model import Text
from rules.usagejudgement import Amount, Judgement


class Source(msgspec.Struct, frozen=True):
    """Where the figures are from. `error` is the largest relative error of quantiles that are estimates, 0 where
    none is; `since` and `until` are what it has at all."""

    kind: Literal["history", "prometheus"]
    name: str  # the file's name, or the address without a password
    since: datetime | None = None
    until: datetime | None = None
    error: float = 0.0


class Scope(msgspec.Struct, frozen=True):
    """What the report is about. `data_hash` is SHA-256 (hex) of what the source and the files told, and of every figure made of
    it, `thresholds` that of the parameters they were judged by; the same data and parameters have the same two. `coverage` is the share
    (percent) of granted vCPU hours of the month of which the use is known: while there are no data at all, what was
    granted is taken to be as it was otherwise. `department` is set in an excerpt: nothing of others is in
    it. `days` are those of the month of which there is anything; `days_in_month` those that it has so far."""

    city: str
    month: str  # 2026-10
    since: datetime
    until: datetime
    zone: str
    made: datetime
    source: Source
    data_hash: str
    thresholds: str
    parameters: Mapping[str, float | int | tuple[float, ...]]
    days: int
    days_in_month: int
    under_way: bool = False
    coverage: float | None = None
    department: str | None = None
    calendar: Text = Text("", "")  # which holidays and hours were taken
    workdays: int = 0
    issuer: str = ""  # who publishes it
    example: bool = False  # all of it is made up, and every file says so


class Figure(msgspec.Struct, frozen=True):
    """One of the five of the summary. `before` is the same of the month before."""

    key: str
    title: Text
    value: float | None
    unit: Literal["percent", "vcpus", "money", "count", "bytes"]
    before: float | None = None
    note: Text = Text("", "")


class Total(msgspec.Struct, frozen=True):
    """A sum, and how many parts of it are not known and not in it."""

    value: float
    unknown: int = 0


class Sums(msgspec.Struct, frozen=True):
    """Of servers and volumes; hosts themselves are in no sum."""

    resources: int = 0
    vcpus: Total = Total(0.0)
    memory: Total = Total(0.0)
    disk: Total = Total(0.0)


class Load(msgspec.Struct, frozen=True):
    """What servers together use, slot by slot: in percent of the vCPUs whose use is known then (`cores` absolutely).
    Quantiles are None where only daily sketches are kept. Slots of which less than half is known of what is known at some
    time of their day are in no quantile and are no peak."""

    average: float | None = None
    p50: float | None = None
    p95: float | None = None
    peak: float | None = None
    peak_at: datetime | None = None
    work: float | None = None
    off: float | None = None
    cores: float | None = None  # average; None where too little is known
    coverage: float | None = None  # percent of granted vCPU hours of the month whose use is known


class Capacity(msgspec.Struct, frozen=True):
    """`physical` is what there is, `usable` what can be granted (overcommitment counted in); from the clouds or from the
    profile (`told_by`). `used` is of what is known, `coverage` percent of what was granted; None where that is less than
    the threshold asks for. `untold` are the clouds for which neither capacity is known, as they did not tell and others
    did."""

    resource: Literal["vcpus", "memory", "disk"]
    physical: float | None
    usable: float | None
    granted: Total
    used: float | None  # average
    told_by: Text = Text("", "")
    coverage: float | None = None
    untold: tuple[str, ...] = ()


class MonthPoint(msgspec.Struct, frozen=True):
    """One month of the trend. Granted are averages over the month's hours. A month of which nothing is known has None."""

    month: str
    granted_vcpus: float | None = None
    granted_memory: float | None = None
    granted_disk: float | None = None
    cpu: float | None = None  # percent used of known
    memory: float | None = None
    coverage: float | None = None
    resources: int | None = None


class DayPoint(msgspec.Struct, frozen=True):
    """One day of the month: average and highest five minutes of all servers together, percent of known vCPUs."""

    day: date
    average: float | None
    peak: float | None
    workday: bool


class Estate(msgspec.Struct, frozen=True):
    """`granted` and `kinds` are of what was held when the month ended, as far as it was seen then; `states` are of all that
    was not given back. `hosts` are machines that are of
    no department: they are what there is to hold, and in no sum of what was granted."""

    capacity: tuple[Capacity, ...]
    granted: Sums
    kinds: Mapping[str, int]
    states: Mapping[str, int]
    load: Load
    trend: tuple[MonthPoint, ...]  # the last twelve, oldest first
    days: tuple[DayPoint, ...]
    due: Sums  # what would come free of what is to be reclaimed or shrunk
    watched: Sums
    hosts: tuple[Judgement, ...] = ()  # machines themselves, in no sum


class Cost(msgspec.Struct, frozen=True):
    """One line of showback: amounts in units of the price (core hours, GiB hours), money where there is a price.
    `unpriced` is the part of `granted` that no price was in force for: then money is of the rest, and None where
    there is no rest. `used_known` is False where the use of a part of it is not known: `used` is then of what is, and
    `used_cost` a part of `known_cost`, what that was granted for. `unsized` are hours of what has this size and nobody
    knows it: they are in no other number, and `granted` is None where nothing else is."""

    item: str  # vcpu, memory, disk, or an item of the table
    title: Text
    unit: Text
    granted: float | None
    used: float | None
    granted_cost: float | None
    used_cost: float | None
    unpriced: float = 0.0
    used_known: bool = True
    prices: tuple[str, ...] = ()  # `0.12/h (2026-01-01 → 2026-06-30)`, as they were in force
    known_cost: float | None = None
    unsized: float = 0.0


class Showback(msgspec.Struct, frozen=True):
    """None as cost where nothing is priced. `complete` is False where something is unpriced, be it that there is no
    price or that a size is not known: of servers with any such for `unsized` hours, of volumes for `unsized_volumes`.
    Hours are of the `days` alone of which there are data, of the month's `days_in_month`. All money is in millionths,
    and that of the estate is the sum of that of its departments, exactly."""

    currency: str
    lines: tuple[Cost, ...]
    granted_cost: float | None
    used_cost: float | None
    reclaimable_cost: float | None  # a month, of what is due
    complete: bool
    unsized: float = 0.0
    known_cost: float | None = None  # of all lines but disks: how full they are nobody knows
    unsized_volumes: float = 0.0
    days: float | None = None  # of 24 hours
    days_in_month: float | None = None


class System(msgspec.Struct, frozen=True):
    """A system of a department; `name` is empty for what belongs to none."""

    name: str
    granted: Sums
    load: Load
    states: Mapping[str, int]
    due: Sums


class Department(msgspec.Struct, frozen=True):
    """`name` is empty for 未归属, which has no rank. Rank 1 wastes most: by `waste`, vCPU hours granted and not used of what
    is known. `reason` says what the change from the month before came from."""

    name: str
    rank: int | None
    rank_before: int | None
    granted: Sums
    granted_core_hours: float
    used_core_hours: float
    known_core_hours: float
    waste: float | None
    load: Load
    cpu_before: float | None  # percent, the month before
    change: float | None  # percentage points
    reason: Text
    memory: float | None  # percent of known GiB hours
    states: Mapping[str, int]
    advice: Mapping[str, int]
    due: Sums
    watched: Sums
    systems: tuple[System, ...]
    resources: tuple[Judgement, ...]
    showback: Showback | None = None  # None: no price table was given


class Held(msgspec.Struct, frozen=True):
    """Something held without use: a stopped server, or a volume attached to nothing, for whatever time."""

    resource: str
    name: str
    kind: str
    department: str
    system: str
    since: datetime
    days: float
    amount: Amount
    due: bool  # for long enough to be reclaimed


class Line(msgspec.Struct, frozen=True):
    """`availability` is percent of known time outside maintenance; hours. `met` is None where nothing is known or
    promised, `down` where nothing is known. `whole` is False where known time is less than the profile asks for."""

    name: str
    site: str
    level: str
    carrier: str
    availability: float | None
    target: float | None
    met: bool | None
    down: float | None
    unknown: float
    maintenance: float
    outages: int | None = None
    longest: float | None = None
    whole: bool = True


class LineLevel(msgspec.Struct, frozen=True):
    """Of lines that are neither `met` nor `missed` nobody says whether the promise was kept. `down` is of those that were
    measured, None where none was."""

    level: str
    lines: int
    measured: int
    availability: float | None  # percent of known time of all its lines
    target: float | None
    met: int
    missed: int
    down: float | None
    unknown: float
    maintenance: float


class Maintenance(msgspec.Struct, frozen=True):
    """A window that was left out. `lines` (* and ? as in a shell) or `levels` it is for; empty: all. `matched` is how many
    lines that were, `hours` what it took of them within the period; windows that overlap tell the same hours twice."""

    since: datetime
    until: datetime
    lines: tuple[str, ...]
    levels: tuple[str, ...]
    reason: str
    approver: str = ""
    matched: int = 0
    hours: float = 0.0


class LinesPart(msgspec.Struct, frozen=True):
    levels: tuple[LineLevel, ...]
    worst: tuple[Line, ...]
    lines: tuple[Line, ...]
    maintenance: tuple[Maintenance, ...]
    source: str = ""


class Outdated(msgspec.Struct, frozen=True):
    """Somebody of whom the only results were made long before the month's end, or after it: none of the month's."""

    name: str
    department: str
    time: datetime  # of the last


class Ipv6Subject(msgspec.Struct, frozen=True):
    name: str
    kind: str
    department: str
    score: float | None  # None: not tested
    before: float | None
    time: datetime | None = None  # when it was tested, where that is told


class Ipv6Department(msgspec.Struct, frozen=True):
    """A subject that was not tested counts as 0 in the mean."""

    name: str
    subjects: int
    tested: int
    score: float | None
    before: float | None


class Ipv6Part(msgspec.Struct, frozen=True):
    score: float | None
    before: float | None
    departments: tuple[Ipv6Department, ...]
    subjects: tuple[Ipv6Subject, ...]
    source: str = ""
    outdated: tuple[Outdated, ...] = ()


class BaselineDepartment(msgspec.Struct, frozen=True):
    """`score` is the mean over hosts that were audited, percent; `failed`, `unknown` and `manual` are rules on them.
    `since` and `until` are when the first and the last of those audits began. `open_hits` were found before the month
    ended; None where nobody knows of any of its hosts."""

    name: str
    hosts: int
    audited: int
    score: float | None
    before: float | None
    failed: int
    unknown: int
    manual: int
    open_hits: int | None
    since: datetime | None = None
    until: datetime | None = None


class OldHit(msgspec.Struct, frozen=True):
    host: str
    department: str
    rule: str
    title: Text
    severity: str
    instance: str
    since: datetime
    days: int
    state: str


class Waiver(msgspec.Struct, frozen=True):
    id: str
    department: str
    reason: str
    owner: str
    expires: date
    days_left: int  # below 0: it has expired
    hits: int | None = None


class BaselinePart(msgspec.Struct, frozen=True):
    departments: tuple[BaselineDepartment, ...]
    oldest: tuple[OldHit, ...]
    waivers: tuple[Waiver, ...]
    source: str = ""
    outdated: tuple[Outdated, ...] = ()


Step = Literal["notified", "confirmed", "carried_out", "reviewed", "declined", "lapsed"]


class FollowUp(msgspec.Struct, frozen=True):
    """One advice on its way 通报 → 确认 → 执行 → 复核 (docs/report.md). `planned` is what would come free, `realised` what did
    by what is held now; None as long as that is not known. `saved_cost` a month."""

    id: str
    resource: str
    name: str
    department: str
    system: str
    advice: str
    step: Step
    notified: str  # the month that first told of it
    months: int  # it was told of
    planned: Amount
    realised: Amount | None
    saved_cost: float | None
    confirmed: date | None = None
    carried_out: date | None = None
    reviewed: date | None = None
    by: str = ""
    note: str = ""


class FollowUps(msgspec.Struct, frozen=True):
    """`rows` are open, or were closed in this month; `steps` are counts of all that there ever were. `realised` of all
    that was reviewed in this month and `realised_total` ever; `saved_cost` is what that costs a month. `note` says
    where the month did not carry the rows on."""

    rows: tuple[FollowUp, ...]
    steps: Mapping[str, int]
    realised: Amount
    realised_total: Amount
    saved_cost: float | None
    note: Text = Text("", "")


class Gap(msgspec.Struct, frozen=True):
    """Something that could not be measured, or not well enough, and why. `examples` are a few names; `count` is of
    resources, lines, hosts or days, as `what` says."""

    code: str
    what: Text
    why: Text
    count: int
    share: float | None = None  # percent of those there are
    examples: tuple[str, ...] = ()
    remedy: Text = Text("", "")


class Exemption(msgspec.Struct, frozen=True):
    """One that is in force when the month ends, ended within it, or ended before and would be needed. `resources` are
    those in its scope then, idle or not; `by_department` are their sums. `departments` are theirs, and those that it
    names."""

    id: str
    reason: str
    owner: str
    approver: str
    expires: date
    days_left: int
    resources: int
    granted: Sums
    departments: tuple[str, ...]
    by_department: Mapping[str, Sums] = {}


class Document(msgspec.Struct, frozen=True):
    """`departments` in order of rank, 未归属 last. A part that was not asked for or given is None, and `gaps` says so."""

    scope: Scope
    summary: tuple[Text, ...]
    figures: tuple[Figure, ...]
    estate: Estate
    departments: tuple[Department, ...]
    showback: Showback | None
    held: tuple[Held, ...]
    exemptions: tuple[Exemption, ...]
    gaps: tuple[Gap, ...]
    follow_ups: FollowUps | None = None
    lines: LinesPart | None = None
    ipv6: Ipv6Part | None = None
    baseline: BaselinePart | None = None
