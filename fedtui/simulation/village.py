"""Village: a simulated federation of a whole population, with real training on an engine."""

from collections.abc import Callable
from dataclasses import dataclass

from fedtui.crypto.keystream import processor_has_aes
from fedtui.learning.params import Params, Vector
from fedtui.rounds import choices, strategic
from fedtui.rounds.machine import (
    Aggregate,
    Aggregated,
    AggregationFailed,
    ParticipantEffect,
)
from fedtui.simulation.bookkeeping import Bookkeeper, OnRound
from fedtui.simulation.engine import Engine
from fedtui.simulation.federation import Setting, SimulatedFederation
from fedtui.simulation.ground import Ground, Setup
from fedtui.simulation.habits import Habits
from fedtui.simulation.hands import Hands, OnFailure
from fedtui.simulation.memory import Forgetful, Memory
from fedtui.simulation.network import Link
from fedtui.simulation.node_host import NodeHost
from fedtui.simulation.population import BYTES_PER_MBIT, Population, Traits, traits
from fedtui.strategies.base import State

KEPT = 4
"""How much of the past a node keeps: models, journal and ledger entries."""


def _ignore(*_: object) -> None:
    """What a village tells if nobody listens."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told of finished rounds and failed jobs; `wall` reads a clock, in seconds."""

    on_round: OnRound = _ignore
    on_failure: OnFailure = _ignore
    wall: Callable[[], float] = float


class Village(SimulatedFederation):
    """All nodes of a population around one coordinator."""

    def __init__(
        self,
        setup: Setup,
        ground: Ground,
        initial: Params,
        engine: Engine,
        *,
        memory: Memory | None = None,
        listener: Listener = Listener(),
    ) -> None:
        """Nothing happens before `run`."""
        plan, population = setup.plan, setup.population
        self.traits = traits(population, plan.seed)
        self.memory = memory or Forgetful()
        self.books = Bookkeeper(listener.on_round, listener.wall)
        self.hands = Hands(
            engine,
            self.memory,
            manifest=initial.manifest,
            plan=plan,
            on_failure=listener.on_failure,
        )
        setting = Setting(
            seed=plan.seed,
            plan=plan,
            manifest=initial.manifest,
            work=self.hands,
            links=_links(self.traits, population),
            kept=KEPT,
            aes=processor_has_aes(),
        )
        super().__init__(setting, self.books)
        self.books.village = self
        self.hands.models = lambda: self.coordinator.models
        self._habits = Habits(self, population, population.seed_or(plan.seed))
        self.coordinator.create(initial.vector_D)
        for one in self.traits:
            num_examples = len(ground.share(one.index)) if ground.num_nodes else 1
            seconds = _passes(setup, num_examples) / one.examples_per_s
            said = tuple(choices.told(plan, dict(one.declared)).items())
            node = self.admit(num_examples=num_examples, train_s=seconds, declared=said)
            self._habits.begin(node)
        if plan.evaluation.with_evaluator:
            self._admit_evaluator(setup, ground)

    def _admit_evaluator(self, setup: Setup, ground: Ground) -> None:
        num = len(ground.test) if ground.test is not None else 1
        seconds = num / setup.population.speed.examples_per_s
        node = self.admit(role="evaluator", num_examples=num, train_s=seconds)
        self.connect_soon(node.name)

    def strikes(self, node: NodeHost, effect: ParticipantEffect) -> bool:
        return self._habits.strike(node, effect)

    def remembered(self, effect: Aggregate) -> Aggregated | AggregationFailed | None:
        return self.memory.sum(effect)

    def kept_model(self, digest: bytes) -> tuple[Vector, State] | None:
        model_D, kept = self.memory.model(digest), self.memory.state(digest)
        return None if model_D is None or kept is None else (model_D, kept)

    def counted(self, node: NodeHost, number: int, *, yes: bool = True) -> None:
        self.memory.holding.counted(node.index, number, yes=yes)

    def combined(self, effect: Aggregate, answer: Aggregated | AggregationFailed) -> None:
        self.memory.sum_done(effect, answer)

    def why_stuck(self) -> str | None:
        """Why this federation will never come to an end by itself; None if it may."""
        failures = self.books.failures
        if self.halted:
            first = f"the first one so: {failures[0]}; " if failures[0] != failures[-1] else ""
            said = f"{first}the last one so: {failures[-1]}"
            return f"{len(failures)} attempts in a row failed, {said}"
        if self.clock.next_at is None:
            return "nothing is left to happen: all nodes are away for good"
        return None


def _links(who: list[Traits], population: Population) -> dict[int, Link]:
    """Each node's link; the evaluator, who comes after them, has that of the median node."""
    net = population.network
    median = Link(
        latency_s=net.latency_ms / 1000,
        jitter_s=net.jitter_ms / 1000,
        up_bytes_per_s=net.up_mbit * BYTES_PER_MBIT,
        down_bytes_per_s=net.down_mbit * BYTES_PER_MBIT,
    )
    return {**{one.index: one.link for one in who}, len(who): median}


def _passes(setup: Setup, num_examples: int) -> float:
    """Examples that go through the model in one round's training."""
    training, times = setup.plan.training, strategic.trainings(setup.plan)
    if training.steps is not None:
        return float(times * training.steps * min(training.batch_size, num_examples))
    held_out = setup.plan.evaluation.held_out if num_examples > 1 else 0.0
    return times * training.epochs * max(1.0, num_examples * (1 - held_out))
