"""How hosts are reached over SSH; read by ssh/source.py, part of the agent's configuration."""

from __future__ import annotations

from typing import Annotated

import msgspec

from collectors.strictyaml import Duration, Secret

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class SshSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Empty keys are taken from `config_file` (ssh_config(5)), then as ssh(1) has them.

    known_hosts: files in the format of sshd(8); a host key that is not in one is never accepted.
    jump: `user@host:port`, several with commas, the first is connected to first.
    deadline: for all answers of one call, the connection apart.
    sudo: run those commands through `sudo -n` that the host's sudoers file allows.
    """

    user: str = ""
    port: Port | None = None
    known_hosts: tuple[str, ...] = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
    config_file: str = "~/.ssh/config"
    key_file: str = ""
    key_passphrase: Secret | None = None
    password: Secret | None = None
    use_agent: bool = True
    jump: str = ""
    sudo: bool = False
    connect_timeout: Duration = Duration(10)
    deadline: Duration = Duration(60)
