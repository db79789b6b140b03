"""Products against malware and intruders that are found on Linux hosts here: by what names they run,
where they are installed, which files hold their signatures.

The makers publish none of this in one place: sites add what they have in the settings of the
collector, and what is not known here is not seen.
"""

from __future__ import annotations

import msgspec


class Engine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`processes` as the kernel names them (15 characters); `paths` and `signatures` are patterns.

    `malware`: looks for malware; `intrusion`: watches the host for intruders.
    """

    name: str
    processes: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    malware: bool = True
    intrusion: bool = False


def _both(name: str, processes: tuple[str, ...], *paths: str) -> Engine:
    return Engine(name, processes, paths, intrusion=True)


def _intrusion(name: str, processes: tuple[str, ...], *paths: str) -> Engine:
    return Engine(name, processes, paths, malware=False, intrusion=True)


ENGINES = (
    Engine(
        "ClamAV",
        ("clamd", "clamonacc"),
        ("/usr/sbin/clamd", "/usr/bin/clamscan"),
        ("/var/lib/clamav/*.cvd", "/var/lib/clamav/*.cld"),
    ),
    Engine("360", ("360entclient", "360entservice"), ("/opt/360*",)),
    Engine("奇安信 QAX", ("qaxsafed", "qaxtray", "qax-agent"), ("/opt/qaxsafe", "/opt/qianxin*")),
    _both("安恒 DAS EDR", ("edrdaemon", "das-edr"), "/opt/das-edr", "/opt/dbapp*"),
    _both("深信服 Sangfor EDR", ("edr_agent", "edr_monitor", "eps_services"), "/sangfor/edr"),
    Engine("火绒 Huorong", ("hrsd", "hrdaemon"), ("/opt/huorong*", "/opt/hrsword*")),
    Engine("瑞星 Rising", ("ravd", "rsavd"), ("/opt/rising*", "/usr/local/rising*")),
    Engine("江民 Jiangmin", ("jmsd", "kvd"), ("/opt/jiangmin*", "/usr/local/jiangmin*")),
    _both("亚信 AsiaInfo DS", ("ds_agent", "ds_am"), "/opt/ds_agent"),
    _both("天融信 Topsec EDR", ("topsec_edr",), "/opt/topsec*"),
    _both("安天 Antiy", ("antiyd", "iepd"), "/opt/antiy*"),
    _both("青藤 Titan", ("titanagent", "titan_monitor"), "/titan/agent"),
    _both("腾讯云镜 YunJing", ("YDService", "YDLive"), "/usr/local/qcloud/YunJing"),
    _both(
        *("阿里云安骑士 Aegis", ("AliYunDun", "AliYunDunMonito", "AliSecGuard")),
        *("/usr/local/aegis",),
    ),
    _both("华为 HSS", ("hostguard", "hostwatch"), "/usr/local/hostguard"),
    _both("天翼云 CloudSec", ("ctcss-agent",), "/opt/ctcss*"),
    Engine("Kaspersky", ("kesl",), ("/opt/kaspersky/kesl",)),
    Engine("ESET", ("eea", "odfeeder"), ("/opt/eset/*",)),
    _both("Microsoft Defender", ("wdavdaemon", "mdatp"), "/opt/microsoft/mdatp"),
    _both("CrowdStrike", ("falcon-sensor",), "/opt/CrowdStrike"),
    _intrusion("Wazuh", ("wazuh-agentd", "wazuh-syscheckd"), "/var/ossec"),
    _intrusion("OSSEC", ("ossec-agentd", "ossec-syscheckd"), "/var/ossec"),
    _intrusion("osquery", ("osqueryd",), "/opt/osquery", "/usr/bin/osqueryd"),
    _intrusion("Falco", ("falco",), "/etc/falco"),
    _intrusion("Samhain", ("samhain",), "/etc/samhain"),
    _intrusion("Elkeid", ("elkeid-agent",), "/etc/elkeid"),
    _intrusion("auditbeat", ("auditbeat",), "/etc/auditbeat"),
)
