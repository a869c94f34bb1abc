"""What an operator allows: decided without waiting, by one answer of dp-accounting."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from a_plan import PLAN

from fedtui.privacy import accounting
from fedtui.privacy.accounting import AccountingError
from fedtui.rounds import promised
from fedtui.rounds.plan import DpSection, PrivacySection
from fedtui.status import NodeStatus
from node.allowance import Allowance
from node.board import Board
from node.budget import Budget

NOISY = msgspec.structs.replace(
    PLAN,
    privacy=PrivacySection(updates="visible"),
    dp=DpSection(mechanism="local", noise=2.0, delta=1e-5),
)
Z = promised.guaranteed(NOISY)


class Telling(Board):
    """Says when something was posted."""

    def __init__(self) -> None:
        super().__init__(NodeStatus(), clock=lambda: 1.0)
        self.posted = asyncio.Event()

    def post(self, event) -> None:
        super().post(event)
        self.posted.set()


def allowance(tmp_path: Path, cap: float) -> tuple[Allowance, Telling]:
    budget = Budget(tmp_path / "b.jsonl", federation_id=b"f" * 32, clock=lambda: 1.0)
    board = Telling()
    return Allowance(budget, NOISY, cap, board), board


async def known(one: Allowance, board: Telling) -> None:
    one.start()
    await board.posted.wait()
    assert board.status.budget is not None


async def test_D4_a_round_that_would_pass_the_cap_is_refused(tmp_path: Path) -> None:
    """Against dp-accounting's own: rounds fit as long as its epsilon of them is within the cap."""
    cap = accounting.epsilon_now([accounting.Release(Z, 3)], 1e-5) * 1.0001
    assert accounting.epsilon_now([accounting.Release(Z, 4)], 1e-5) > cap
    one, board = allowance(tmp_path, cap)
    assert "works out" in one.refuses(), "nothing is allowed while nothing is known"
    await known(one, board)
    for left in (3, 2, 1):
        assert (one.refuses(), one.rounds_left) == (None, left)
        one.spend(4 - left, 1)
    assert one.rounds_left == 0
    assert "is used up" in one.refuses()
    assert "is used up" in one.refuses()
    (alarm,) = board.status.alarms
    assert "[privacy] epsilon" in alarm.remedy
    one.close()
    again, board = allowance(tmp_path, cap)
    await known(again, board)
    assert "is used up" in again.refuses(), "a restart forgets nothing"
    assert board.status.budget.num_releases == 3
    assert board.status.budget.epsilon == pytest.approx(cap, rel=1e-3)
    again.allow(0.0)
    assert (again.refuses(), again.rounds_left) == (None, None)
    again.close()


async def test_without_a_cap_all_is_allowed_and_told(tmp_path: Path) -> None:
    one, board = allowance(tmp_path, 0.0)
    assert one.refuses() is None
    one.spend(1, 1)
    await known(one, board)
    assert board.status.budget.words().startswith("epsilon ")
    assert board.status.budget.words().endswith("; no cap")
    one.close()


async def test_what_is_not_known_is_not_allowed(tmp_path: Path, monkeypatch) -> None:
    def fails(*_: object) -> float:
        raise AccountingError("dp-accounting is not installed")

    monkeypatch.setattr(accounting, "noise_now", fails)
    one, board = allowance(tmp_path, 4.0)
    one.start()
    await board.posted.wait()
    assert "dp-accounting is not installed" in one.refuses()
    assert one.rounds_left is None
    one.close()
