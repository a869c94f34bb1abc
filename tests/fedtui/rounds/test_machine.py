"""The shape: every machine fits the protocol, every event and effect is frozen."""

import dataclasses
import typing

import pytest

from fedtui.rounds import machine
from fedtui.rounds.coordinator import RoundCoordinator
from fedtui.rounds.evaluation import Evaluating
from fedtui.rounds.federation import Federation
from fedtui.rounds.participant import RoundParticipant

UNIONS = [
    machine.CoordinatorEvent,
    machine.CoordinatorEffect,
    machine.ParticipantEvent,
    machine.ParticipantEffect,
]


@pytest.mark.parametrize("kind", {k for union in UNIONS for k in typing.get_args(union)})
def test_events_and_effects_are_frozen_and_slotted(kind: type) -> None:
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert not hasattr(kind, "__dict__") or "__slots__" in vars(kind)


@pytest.mark.parametrize("kind", [RoundCoordinator, Evaluating, Federation, RoundParticipant])
def test_machines_fit_the_protocol(kind: type) -> None:
    assert isinstance(kind.deadline, property)
    assert callable(kind.handle)
