"""Series that the monthly report asks a time-series database for: those that agents serve, and those that the
recording rules of deploy/prometheus make of them every five minutes.

A recorded value at time t is of the five minutes up to t, and counts for the slot that is nearest to those. Recorded series have the label `resource` alone: whose a
resource is changes, what it used does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# By the metrics of a history (exporters/history/units.py), in their units.
RECORDED: Final[Mapping[str, str]] = {
    "cpu": "jianwei:resource_cpu:percent",
    "memory": "jianwei:resource_memory:percent",
    "steal": "jianwei:resource_steal:percent",
    "net_rx": "jianwei:resource_net_rx:bytes_per_second",
    "net_tx": "jianwei:resource_net_tx:bytes_per_second",
}

# Facts, by the agent that looks at clouds; label `resource` in all of them.
INFO: Final = "jianwei_resource_info"  # cloud department environment how kind name region system
STATE: Final = "jianwei_resource_state"  # 1; label state
VCPUS: Final = "jianwei_resource_vcpus"
MEMORY: Final = "jianwei_resource_memory_bytes"
DISK: Final = "jianwei_resource_disk_bytes"
ATTACHED: Final = "jianwei_resource_attachments"  # of a volume: servers that it is attached to
CREATED: Final = "jianwei_resource_created_timestamp_seconds"
PHYSICAL: Final = "jianwei_estate_physical"  # label resource: vcpus, memory_bytes, disk_bytes
USABLE: Final = "jianwei_estate_usable"
COMPLETE: Final = "jianwei_estate_complete"  # label part: 1 where all clouds told all of it

# Lines of the extranet; label `line`. Recorded as a history keeps them (exporters/history/units.py).
LINE_INFO: Final = "jianwei_line_info"  # carrier level peer role site
LINE_UP: Final = "jianwei:line_up:percent"
LINE_KNOWN: Final = "jianwei:line_known:percent"

# Readiness and audits, by agents.
IPV6_SCORE: Final = "jianwei_ipv6_score"  # layer subject; 0 to 100
PACK_SCORE: Final = "jianwei_pack_score_ratio"  # instance pack; 0 to 1
PACK_VERDICTS: Final = "jianwei_pack_verdicts"  # instance pack verdict
AUDITED: Final = "jianwei_audit_timestamp_seconds"  # instance
HITS: Final = "jianwei_hits"  # instance severity state
OLDEST_HIT: Final = "jianwei_hit_oldest_open_seconds"  # instance severity
