"""Availability: the same answers in any order, changes where they were announced, right shares."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.simulation.availability import Availability
from fedtui.simulation.population import AvailabilitySection, Population

TIMES = st.lists(st.floats(0, 5e4), min_size=1, max_size=20)


@st.composite
def sections(draw: st.DrawFn) -> AvailabilitySection:
    return AvailabilitySection(
        kind=draw(st.sampled_from(["sessions", "daily"])),
        online_s=draw(st.floats(10, 1e4)),
        offline_s=draw(st.floats(10, 1e4)),
        share=draw(st.floats(0.01, 0.99)),
        day_s=draw(st.floats(60, 1e5)),
    )


def population(section: AvailabilitySection, nodes: int = 7) -> Population:
    return Population(nodes=nodes, availability=section)


@given(sections(), st.integers(0, 2**53), TIMES)
def test_the_order_of_asking_does_not_matter(
    section: AvailabilitySection, seed: int, times: list[float]
) -> None:
    def ask(order: list[tuple[int, float]]) -> dict[tuple[int, float], tuple[bool, float]]:
        one = Availability(population(section), seed)
        return {q: (one.is_on(*q), one.next_change(*q)) for q in order}

    questions = [(index, time) for time in times for index in range(3)]
    forward, backward = ask(questions), ask(questions[::-1])
    assert forward == backward
    assert all(
        ask([question])[question] == answer for question, answer in list(forward.items())[:5]
    )


@given(sections(), st.integers(0, 2**53), st.integers(0, 6), st.floats(0, 5e4))
def test_a_node_changes_exactly_when_it_was_said_to(
    section: AvailabilitySection, seed: int, index: int, now: float
) -> None:
    nodes = Availability(population(section), seed)
    for _ in range(70):  # more than two blocks of stays
        before, change = nodes.is_on(index, now), nodes.next_change(index, now)
        assert change > now
        if change == math.inf:
            return
        between = (now + change) / 2
        assert nodes.is_on(index, between) == nodes.is_on(index, math.nextafter(change, 0))
        assert nodes.is_on(index, between) == before
        assert nodes.next_change(index, between) == change or between == change
        assert nodes.is_on(index, change) != before
        now = change


@given(sections(), st.integers(0, 2**53), TIMES)
def test_more_nodes_change_nothing_for_the_first(
    section: AvailabilitySection, seed: int, times: list[float]
) -> None:
    few, many = (Availability(population(section, n), seed) for n in (3, 30))
    for index, time in zip(range(3), times, strict=False):
        assert few.next_change(index, time) == many.next_change(index, time)


@pytest.mark.parametrize(
    "section",
    [
        AvailabilitySection(kind="sessions", online_s=300, offline_s=900),
        AvailabilitySection(kind="daily", share=0.25, day_s=3600),
    ],
)
def test_at_any_time_the_right_share_is_online(section: AvailabilitySection) -> None:
    num = 2000
    nodes = Availability(population(section, num), 5)
    deviation = math.sqrt(num * 0.25 * 0.75)
    for now in (0.0, 1.0, 777.0, 20_000.0):
        online = sum(nodes.is_on(index, now) for index in range(num))
        assert online == pytest.approx(num * section.online_share, abs=5 * deviation)


def test_stays_are_exponential_with_their_means() -> None:
    section = AvailabilitySection(kind="sessions", online_s=100, offline_s=400)
    nodes = Availability(population(section, 20), 1)
    stays: dict[bool, list[float]] = {True: [], False: []}
    for index in range(20):
        now = 0.0
        while len(stays[True]) < 100 * (index + 1):
            change = nodes.next_change(index, now)
            stays[nodes.is_on(index, now)].append(change - now)
            now = change
    for online, mean in ((True, 100), (False, 400)):
        lengths = np.array(stays[online])
        assert len(np.unique(lengths.round(6))) == len(lengths), "a block was drawn twice"
        tolerance = 5 * mean / math.sqrt(len(lengths))
        assert lengths.mean() == pytest.approx(mean, abs=tolerance)
        assert lengths.std() == pytest.approx(mean, abs=2 * tolerance)


def test_a_day_has_its_share_and_every_node_its_own_hour() -> None:
    section = AvailabilitySection(kind="daily", share=0.3, day_s=1000)
    nodes = Availability(population(section, 500), 1)
    comings = []
    for index in range(500):
        now = nodes.next_change(index, 0.0)
        if nodes.is_on(index, now) is False:
            now = nodes.next_change(index, now)
        going = nodes.next_change(index, now)
        assert going - now == pytest.approx(300)
        assert nodes.next_change(index, going) - going == pytest.approx(700)
        comings.append(now % 1000)
    assert np.histogram(comings, 10, (0, 1000))[0].min() > 50 - 5 * math.sqrt(50 * 0.9)


def test_who_is_always_there_never_changes() -> None:
    nodes = Availability(population(AvailabilitySection()), 1)
    assert all(nodes.is_on(3, now) for now in (0.0, 1e6, 3.0))
    assert nodes.next_change(3, 17.0) == math.inf


def test_little_is_kept_of_each_node() -> None:
    section = AvailabilitySection(kind="sessions", online_s=1, offline_s=1)
    nodes = Availability(population(section), 1)
    nodes.is_on(0, 50_000.0)
    assert sum(block.ends.nbytes for block in nodes._blocks.values()) < 1000
