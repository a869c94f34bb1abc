"""Small villages on the digits, and somebody who listens to them."""

from dataclasses import dataclass, field

import msgspec

from fedtui.learning.trainer import initial
from fedtui.rounds.plan import (
    DeadlinesSection,
    EvaluationSection,
    FederationSection,
    Plan,
    PrivacySection,
    RoundsSection,
    TaskSection,
)
from fedtui.simulation.ground import Setup, survey
from fedtui.simulation.jobs import Failed, Job, Outcome, Trained, TrainJob
from fedtui.simulation.memory import JobKey
from fedtui.simulation.population import Population, traits
from fedtui.simulation.report import NodeReport, RoundReport
from fedtui.simulation.serial_engine import SerialEngine
from fedtui.simulation.village import Listener, Village
from fedtui.simulation.workshop import Workshop


@dataclass
class Told:
    """What a village told."""

    rounds: list[RoundReport] = field(default_factory=list)
    nodes: list[NodeReport] = field(default_factory=list)
    failures: list[tuple[JobKey, Failed]] = field(default_factory=list)

    def on_round(self, report: RoundReport, nodes: list[NodeReport]) -> None:
        self.rounds.append(report)
        self.nodes += nodes

    def on_failure(self, key: JobKey, failed: Failed) -> None:
        self.failures.append((key, failed))

    def timeless(self) -> list[RoundReport]:
        """The reports without what they took of anybody's time."""
        return [msgspec.structs.replace(report, wall_s=0.0) for report in self.rounds]


class Clumsy(Workshop):
    """A workshop in which the training of some nodes fails, or gives huge values."""

    def __init__(self, setup: Setup, fails: tuple[int, ...], huge: tuple[int, ...]) -> None:
        self.ground = survey(setup)
        super().__init__(setup, self.ground)
        self._fails = fails
        self._huge = huge

    def do(self, job: Job, model_D) -> Outcome:
        if isinstance(job, TrainJob) and job.node in self._fails:
            return Failed("it broke", "Traceback: broke on purpose")
        outcome = super().do(job, model_D)
        if isinstance(outcome, Trained) and job.node in self._huge:
            outcome.update_D[-1] = 2000.0
        return outcome


def setup_of(
    *,
    nodes: int,
    rounds: int,
    masked: bool = False,
    evaluator: bool = False,
    start_with: int | None = None,
    minimum: int | None = None,
    update_s: float = 600.0,
    **population,
) -> Setup:
    """A population on the digits; all of them begin together unless a number is said."""
    privacy = PrivacySection(
        updates="masked" if masked else "visible",
        minimum=minimum if masked else None,
    )
    plan = Plan(
        federation=FederationSection(name="village"),
        task=TaskSection(name="digits"),
        rounds=RoundsSection(maximum=rounds, start_with=start_with or nodes),
        deadlines=DeadlinesSection(update_s=update_s),
        evaluation=EvaluationSection(with_evaluator=evaluator),
        privacy=privacy,
    )
    who = Population(nodes=nodes, **population)
    lying = {
        one.index: (one.attack, dict(one.attack_options))
        for one in traits(who, plan.seed)
        if one.attack
    }
    return Setup(plan=plan, population=who, attacks=lying)


def village_of(
    setup: Setup, told: Told, *, fails: tuple[int, ...] = (), huge: tuple[int, ...] = ()
) -> Village:
    """The village, ready to run on the serial engine."""
    workshop = Clumsy(setup, fails, huge)
    engine = SerialEngine(workshop)
    first = initial(setup.task(), seed=setup.plan.seed)
    listener = Listener(told.on_round, told.on_failure)
    village = Village(setup, workshop.ground, first, engine, listener=listener)
    village.engine = engine
    return village
