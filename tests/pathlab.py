"""Networks to trace: chains of routers, a diamond of two equal ways. Both families everywhere."""

from __future__ import annotations

from tests import netlab


def four(link: int, host: int) -> str:
    return f"198.51.{link}.{host}"


def six(link: int, host: int) -> str:
    return f"2001:db8:{link}::{host}"


def joined(lab: netlab.Lab, link: int, one: str, other: str) -> None:
    """A cable: `one` has host 1 on it, `other` host 2."""
    lab.link(
        one,
        other,
        [
            (f"{four(link, 1)}/24", f"{four(link, 2)}/24"),
            (f"{six(link, 1)}/64", f"{six(link, 2)}/64"),
        ],
    )


def chain(lab: netlab.Lab, names: str) -> None:
    """n0 — n1 — n2 — …: cable k joins number k and k + 1; everything is routed along it."""
    for name in names:
        lab.namespace(name, router=name not in (names[0], names[-1]))
    for link in range(len(names) - 1):
        joined(lab, link + 1, names[link], names[link + 1])
    last = len(names) - 1
    for number, name in enumerate(names):
        for link in range(1, last + 1):
            if link > number + 1:  # further on
                toward(lab, name, link, number + 1, 2)
            elif link < number:  # back
                toward(lab, name, link, number, 1)


def toward(lab: netlab.Lab, name: str, link: int, over: int, host: int) -> None:
    """Cable `link` is reached over `host` on cable `over`."""
    lab.route(name, f"{four(link, 0)}/24", "via", four(over, host))
    lab.route(name, f"{six(link, 0)}/64", "via", six(over, host))


def diamond(lab: netlab.Lab) -> None:
    """a — r, then over u (cables 2, 4) or d (cables 3, 5) alike, to t — b on cable 6.

    r and t choose by addresses and ports.
    """
    lab.namespace("a")
    for name in "rudt":
        lab.namespace(name, router=True)
    lab.namespace("b")
    for link, ends in ((1, "ar"), (2, "ru"), (3, "rd"), (4, "ut"), (5, "dt"), (6, "tb")):
        joined(lab, link, *ends)
    for link in range(2, 7):
        toward(lab, "a", link, 1, 1 + 1)
    for link in range(1, 6):
        toward(lab, "b", link, 6, 1)
    for name, over, back in (("u", 4, 2), ("d", 5, 3)):
        toward(lab, name, 6, over, 2)
        toward(lab, name, 1, back, 1)
    for name, link, ways in (("r", 6, ((2, 2), (3, 2))), ("t", 1, ((4, 1), (5, 1)))):
        lab.sysctl(
            name, "net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1"
        )
        for prefix, address in ((f"{four(link, 0)}/24", four), (f"{six(link, 0)}/64", six)):
            hops = [w for way in ways for w in ("nexthop", "via", address(*way))]
            lab.route(name, prefix, *hops)
