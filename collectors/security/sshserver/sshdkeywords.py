"""The keywords of OpenSSH's server: defaults, and how each is read. sshd_config(5), 9.2.

Defaults are those of OpenSSH without a distribution's patches; where one differs (the PermitRootLogin
of CentOS 7 is yes), its configuration file as shipped does not always say so.
"""

from __future__ import annotations

Value = str | int | list[str] | list[int]

DEFAULTS: dict[str, Value] = {
    "addressfamily": "any",
    "allowagentforwarding": "yes",
    "allowstreamlocalforwarding": "yes",
    "allowtcpforwarding": "yes",
    "authenticationmethods": "any",
    "authorizedkeyscommand": "none",
    "authorizedkeysfile": ".ssh/authorized_keys .ssh/authorized_keys2",
    "banner": "none",
    "chrootdirectory": "none",
    "clientalivecountmax": 3,
    "clientaliveinterval": 0,
    "compression": "yes",
    "disableforwarding": "no",
    "exposeauthinfo": "no",
    "forcecommand": "none",
    "gatewayports": "no",
    "gssapiauthentication": "no",
    "hostbasedauthentication": "no",
    "ignorerhosts": "yes",
    "ignoreuserknownhosts": "no",
    "kbdinteractiveauthentication": "yes",
    "kerberosauthentication": "no",
    "logingracetime": 120,
    "loglevel": "INFO",
    "maxauthtries": 6,
    "maxsessions": 10,
    "maxstartups": "10:30:100",
    "passwordauthentication": "yes",
    "permitemptypasswords": "no",
    "permitrootlogin": "prohibit-password",
    "permittty": "yes",
    "permittunnel": "no",
    "permituserenvironment": "no",
    "permituserrc": "yes",
    "port": [22],
    "printlastlog": "yes",
    "printmotd": "yes",
    "pubkeyauthentication": "yes",
    "strictmodes": "yes",
    "syslogfacility": "AUTH",
    "tcpkeepalive": "yes",
    "usedns": "no",
    "usepam": "no",
    "x11forwarding": "no",
    "x11uselocalhost": "yes",
}
# Written several times they add up; who may come in is absent by default.
ADDING = frozenset(
    {"acceptenv", "allowgroups", "allowusers", "denygroups", "denyusers", "hostkey"}
    | {"listenaddress", "port", "subsystem"}
)
# Of these the last value holds, whatever sshd_config(5) says of the first: sshd up to 9.2 and later.
LAST = frozenset({"maxstartups"})
# What no Match block changes.
COMMON = frozenset(
    {"addressfamily", "compression", "hostkey", "ignoreuserknownhosts", "listenaddress"}
    | {"logingracetime", "maxstartups", "permituserenvironment", "port", "printlastlog"}
    | {
        "printmotd",
        "strictmodes",
        "subsystem",
        "syslogfacility",
        "tcpkeepalive",
        "usedns",
        "usepam",
    }
)
NUMBERS = frozenset({"clientalivecountmax", "maxauthtries", "maxsessions"})
TIMES = frozenset({"clientaliveinterval", "logingracetime"})
UPPER = frozenset({"loglevel", "syslogfacility"})
WHOLE = frozenset({"forcecommand", "versionaddendum"})  # the rest of the line as it stands
# Whose value is a word of sshd's and not a name, path or text of the administrator's.
WORDS = frozenset(
    {name for name, value in DEFAULTS.items() if value in ("yes", "no")}
    | {"addressfamily", "permitrootlogin"}
)
ALIASES = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "skeyauthentication": "kbdinteractiveauthentication",
    "hostbasedacceptedkeytypes": "hostbasedacceptedalgorithms",
    "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
}
SYNONYMS = {
    ("permitrootlogin", "without-password"): "prohibit-password",
    ("allowtcpforwarding", "all"): "yes",
    ("allowstreamlocalforwarding", "all"): "yes",
    ("compression", "delayed"): "yes",
}
