"""Epsilons after each round: off the loop, across restarts, and when there is no answer."""

import asyncio
import math
import sys

import dp_accounting
import msgspec
import pytest

from coordinator import spending
from coordinator.spending import Spending
from fedtui.learning.training import TrainingSpec
from fedtui.privacy import accounting
from fedtui.rounds import promised
from fedtui.rounds.history import FederationSnapshot, FinishedRound
from fedtui.rounds.plan import DpSection, FederationSection, Plan, PrivacySection, TaskSection
from fedtui.rounds.records import RoundFinished
from fedtui.status.coordinator import Epsilons

NODES = tuple(bytes([n]) * 32 for n in range(8))
PLAN = Plan(
    federation=FederationSection(name="f"),
    task=TaskSection(name="digits"),
    dp=DpSection(noise=2.0, delta=1e-4, epsilon=9.0),
    training=TrainingSpec(update_clip=1.0),
    privacy=PrivacySection(colluders=2, minimum=6),
)
PLAIN = msgspec.structs.replace(PLAN, dp=None)


def finished(number: int) -> FinishedRound:
    return FinishedRound(number, 1, b"", 0, "", NODES, NODES, {}, 1.0)


def record(number: int) -> RoundFinished:
    return RoundFinished(number, 1, model_digest=b"", checkpoint_name="", sums={}, num_bytes=0)


def right(rounds: int) -> Epsilons:
    sure = promised.guaranteed(PLAN)
    real = promised.realised(PLAN, invited=8, survivors=8)
    both = [
        dp_accounting.get_epsilon_gaussian(noise / math.sqrt(rounds), 1e-4)
        for noise in (sure, real)
    ]
    return Epsilons(round=rounds, delta=1e-4, guaranteed=both[0], realised=both[1], cap=9.0)


def is_near(found: Epsilons | None, wanted: Epsilons) -> bool:
    if found is None or found.guaranteed is None or found.realised is None:
        return False
    near = math.isclose(found.guaranteed, wanted.guaranteed or 0, rel_tol=1e-9)
    return (
        near
        and math.isclose(found.realised, wanted.realised or 0, rel_tol=1e-9)
        and (found.round, found.delta, found.cap) == (wanted.round, wanted.delta, wanted.cap)
    )


async def until(told: Spending, number: int) -> None:
    async with asyncio.timeout(50):
        while told.told is None or told.told.round != number:  # noqa: ASYNC110 - a process does
            await asyncio.sleep(0.01)


async def test_N7_rounds_are_accounted_for_after_their_commit_and_after_a_restart() -> None:
    first = Spending(PLAN, FederationSnapshot(rounds=(finished(0), finished(1))))
    first.start()
    try:
        await until(first, 1)
        assert is_near(first.told, right(1))
        rounds = [finished(0), finished(1), finished(2), finished(3)]
        first.committed([record(2), record(3)], rounds)
        await until(first, 3)
        assert is_near(first.told, right(3))
        assert first.told.realised < first.told.guaranteed
    finally:
        await first.finish()
    again = spending.of_stopped(PLAN, FederationSnapshot(rounds=tuple(rounds)))
    assert again == first.told


async def test_without_dp_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounting, "_COMMAND", ("nothing-of-this-name",))
    silent = Spending(PLAIN, FederationSnapshot(rounds=(finished(0), finished(1))))
    silent.start()
    silent.committed([record(2)], [finished(2)])
    await silent.finish()
    assert silent.told is None
    assert spending.of_stopped(PLAIN, FederationSnapshot(rounds=(finished(1),))) is None


async def test_no_answer_is_said_and_the_next_round_asks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    works = accounting._COMMAND
    monkeypatch.setattr(accounting, "_COMMAND", (sys.executable, "-I", "-S", "-c", "raise"))
    rounds = [finished(0), finished(1)]
    told = Spending(PLAN, FederationSnapshot(rounds=tuple(rounds)))
    told.start()
    try:
        await until(told, 1)
        assert "dp-accounting ended" in told.told.wrong
        assert told.told.text().startswith("epsilon is not known: ")
        snapshot = FederationSnapshot(rounds=tuple(rounds))
        assert spending.of_stopped(PLAN, snapshot) == told.told
        monkeypatch.setattr(accounting, "_COMMAND", works)
        told.committed([record(2)], [*rounds, finished(2)])
        await until(told, 2)
        assert is_near(told.told, right(2))
    finally:
        await told.finish()


def test_the_line_for_people() -> None:
    one = Epsilons(round=7, delta=1e-5, guaranteed=3.14159, realised=2.5, cap=8.0)
    assert one.text() == (
        "epsilon 3.142 of at most 8 guaranteed, 2.5 realised, by round 7 at delta 1e-05"
    )
    none = Epsilons(round=7, delta=1e-5)
    assert none.text() == (
        "epsilon no bound guaranteed, no bound realised, by round 7 at delta 1e-05"
    )
