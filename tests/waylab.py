"""What can be wrong with a way over IPv6, on the routers of a lab of `tests.pathlab.chain`."""

from __future__ import annotations

from tests import netlab


def narrow(lab: netlab.Lab, one: str, other: str, mtu: int) -> None:
    """The cable between two namespaces takes packets of `mtu` bytes at most."""
    for name, peer in ((one, other), (other, one)):
        lab.run(name, "ip", "link", "set", f"to-{peer}", "mtu", str(mtu))


def drop_icmpv6(lab: netlab.Lab, name: str, kind: int, code: int | None = None) -> None:
    """A namespace neither sends, takes nor forwards ICMPv6 of a type (and code)."""
    match = f"icmpv6 type {kind}" + (f" icmpv6 code {code}" if code is not None else "")
    table = f"drop{kind}x{'' if code is None else code}"
    chains = "".join(
        f"chain {hook} {{ type filter hook {hook} priority 0; {match} drop; }};\n"
        for hook in ("input", "output", "forward")
    )
    lab.nft(name, f"table ip6 {table} {{\n{chains}}}\n")


def black_hole(lab: netlab.Lab, one: str, other: str, mtu: int) -> None:
    """A narrow cable whose ends drop what is too large without a word."""
    narrow(lab, one, other, mtu)
    for name in (one, other):
        drop_icmpv6(lab, name, 2)


def silent(lab: netlab.Lab, name: str) -> None:
    """A namespace that takes no IPv6 packet but those of neighbour discovery."""
    neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept;"
    rule = f"type filter hook input priority 0; {neighbours} drop;"
    lab.nft(name, f"table ip6 silent {{\nchain i {{ {rule} }}\n}}\n")
