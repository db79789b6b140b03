"""Fields of what an excerpt carries over as it is: what comes to be in them later may be of others."""

from __future__ import annotations

import msgspec
import pytest

from exporters.report.document import (
    BaselineDepartment,
    Cost,
    Department,
    Exemption,
    FollowUp,
    FollowUps,
    Gap,
    Held,
    Ipv6Department,
    Ipv6Subject,
    Load,
    OldHit,
    Scope,
    Showback,
    Source,
    Sums,
    System,
    Total,
    Waiver,
)
from rules.usagejudgement import Amount, Exempted, Figures, Judgement, Reason

DECIDED: dict[type[msgspec.Struct], str] = {
    Scope: (
        "city month since until zone made source data_hash thresholds parameters days "
        "days_in_month under_way coverage department calendar workdays issuer example"
    ),
    Source: ("kind name since until error"),
    Department: (
        "name rank rank_before granted granted_core_hours used_core_hours known_core_hours "
        "waste load cpu_before change reason memory states advice due watched systems "
        "resources showback"
    ),
    System: ("name granted load states due"),
    Load: ("average p50 p95 peak peak_at work off cores coverage"),
    Sums: ("resources vcpus memory disk"),
    Total: ("value unknown"),
    Showback: (
        "currency lines granted_cost used_cost reclaimable_cost complete unsized known_cost "
        "unsized_volumes days days_in_month"
    ),
    Cost: (
        "item title unit granted used granted_cost used_cost unpriced used_known prices known_cost "
        "unsized"
    ),
    Held: ("resource name kind department system since days amount due"),
    Exemption: (
        "id reason owner approver expires days_left resources granted departments by_department"
    ),
    Gap: ("code what why count share examples remedy"),
    FollowUps: ("rows steps realised realised_total saved_cost note"),
    FollowUp: (
        "id resource name department system advice step notified months planned realised "
        "saved_cost confirmed carried_out reviewed by note"
    ),
    Ipv6Department: ("name subjects tested score before"),
    Ipv6Subject: ("name kind department score before time"),
    BaselineDepartment: (
        "name hosts audited score before failed unknown manual open_hits since until"
    ),
    OldHit: ("host department rule title severity instance since days state"),
    Waiver: ("id department reason owner expires days_left hits"),
    Judgement: (
        "resource name kind month state found advice months reasons department system region "
        "environment attribution project granted target free figures measured exemption seen"
    ),
    Figures: ("average p50 p95 peak peak_at work off coverage estimated"),
    Amount: ("vcpus memory disk"),
    Exempted: ("id reason owner approver expires days_left in_force"),
    Reason: ("code value limit text estimated"),
}


@pytest.mark.parametrize("struct", DECIDED, ids=lambda it: it.__name__)
def test_no_field_is_carried_over_before_somebody_has_decided_so(
    struct: type[msgspec.Struct],
) -> None:
    """Whoever adds a field looks at exporters/report/excerpt.py whether it may be told there, and names it here."""
    assert {it.name for it in msgspec.structs.fields(struct)} == set(DECIDED[struct].split())
