"""CPU times that the kernel takes back a little do not look like a restart."""

from agents.steady import NAME, SteadyCpu
from collectors.model import Family, counter, gauge, sample


def values(families: list[Family]) -> list[float]:
    return [one.value for family in families for one in family.samples]


def cpu(*seconds: float) -> Family:
    samples = (sample(s, cpu=str(i), mode="idle") for i, s in enumerate(seconds))
    return counter(NAME, "CPU.", *samples)


def test_a_small_step_back_is_held_and_a_large_one_is_a_reset() -> None:
    steady = SteadyCpu()
    assert values(steady.hold([cpu(10.0, 20.0)])) == [10.0, 20.0]
    assert values(steady.hold([cpu(9.99, 20.5)])) == [10.0, 20.5]
    assert values(steady.hold([cpu(9.98, 0.1)])) == [10.0, 0.1]
    assert values(steady.hold([cpu(10.01, 0.2)])) == [10.01, 0.2]


def test_a_cpu_that_went_is_forgotten() -> None:
    steady = SteadyCpu()
    steady.hold([cpu(10.0, 20.0)])
    steady.hold([cpu(10.0)])
    assert values(steady.hold([cpu(10.0, 19.0)])) == [10.0, 19.0]


def test_other_families_are_the_same_objects() -> None:
    other = gauge("node_load1", "Load.", sample(1))
    assert SteadyCpu().hold([other]) == [other]
