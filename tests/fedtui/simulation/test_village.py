"""A whole population learns, at the pace and with the mishaps that its section says."""

from collections import Counter
from dataclasses import replace
from functools import partial

import msgspec
import numpy as np
import pytest
from a_village import Told, setup_of, village_of

from fedtui.learning import metrics
from fedtui.learning.trainer import initial
from fedtui.learning.training import TrainingSpec
from fedtui.rounds import federation, masked_participant, participant
from fedtui.rounds.plan import (
    DpSection,
    EvaluationSection,
    Named,
    SelectionSection,
    WeightsSection,
)
from fedtui.simulation.clock import Clock
from fedtui.simulation.ground import survey
from fedtui.simulation.jobs import Measured, MeasureJob, Trained, TrainJob
from fedtui.simulation.network import Link, PostOffice, Session
from fedtui.simulation.population import (
    AvailabilitySection,
    DropoutSection,
    MaliceSection,
    NetworkSection,
    SpeedSection,
)
from fedtui.simulation.workshop import Workshop

STAYS = {"stays": ["2.*"]}


def test_it_learns_and_tells_every_round() -> None:
    told = Told()
    village = village_of(setup_of(nodes=6, rounds=4), told)
    village.run(seconds=1e6)
    assert village.coordinator.ended == "all 4 rounds done"
    assert [report.round for report in told.rounds] == [1, 2, 3, 4]
    scores = [report.score for report in told.rounds]
    assert scores[-1] > scores[0] > 0.1
    assert all(report.num_counted == 6 for report in told.rounds)
    assert sum(n.num_examples for n in told.nodes if n.round == 1) == told.rounds[0].num_examples


@pytest.mark.parametrize("masked", [False, True])
def test_equal_seeds_give_equal_runs_to_the_last_byte(masked: bool) -> None:
    runs = []
    for _ in range(2):
        told = Told()
        dropout = DropoutSection(training=0.2, uploading=0.1, confirming=0.1)
        setup = setup_of(nodes=8, rounds=3, masked=masked, dropout=dropout)
        village_of(setup, told).run(seconds=1e6)
        runs.append((told.timeless(), told.nodes))
    assert runs[0] == runs[1]
    assert len(runs[0][0]) == 3


@pytest.mark.parametrize(
    ("mechanism", "masked", "spread"),
    [
        ("distributed", True, 0.01 / 2**0.5 * 6**0.5 / 6),  # sums of 3 with 1 colluder
        ("local", True, 0.01 * 6**0.5 / 6),
        ("local", False, 0.01 * 6**0.5 / 6),
        ("central", True, 0.01 / 6),
        ("central", False, 0.01 / 6),
    ],
)
def test_N1_a_population_hides_its_updates_as_real_nodes_do(
    mechanism: str, masked: bool, spread: float
) -> None:
    models = []
    hidden = DpSection(mechanism=mechanism, noise=0.001, delta=0.01)
    for dp in (None, hidden, hidden):
        setup = setup_of(nodes=6, rounds=1, masked=masked)
        plan = msgspec.structs.replace(
            setup.plan,
            dp=dp,
            training=TrainingSpec(update_clip=10.0),  # which no update here is as long as
            weights=WeightsSection(by="equal"),
            evaluation=EvaluationSection(with_evaluator=True),
            privacy=msgspec.structs.replace(setup.plan.privacy, minimum=3, colluders=1),
        )
        village = village_of(replace(setup, plan=plan), Told())
        village.run(seconds=1e6)
        host = village.coordinator
        models.append(host.models[host.machine.model.digest])
    noise_D = models[1].astype(float) - models[0]
    assert abs(noise_D.std() / spread - 1) < 5 / (2 * len(noise_D)) ** 0.5
    assert np.array_equal(models[1], models[2]), "equal seeds, equal noise"


@pytest.mark.parametrize("chosen", [Named(name="ditto"), Named(name="fedper", options=STAYS)])
def test_nodes_measure_the_model_as_they_use_it_after_the_round(chosen: Named) -> None:
    setup, told = setup_of(nodes=4, rounds=1), Told()
    setup = replace(setup, plan=msgspec.structs.replace(setup.plan, strategy=chosen))
    village = village_of(setup, told)
    village.run(seconds=1e6)
    host = village.coordinator
    after_D = host.models[host.machine.model.digest]
    assert after_D is not None
    first_D = initial(setup.task(), seed=setup.plan.seed).vector_D
    workshop, sums = Workshop(setup, survey(setup)), dict[str, float]()
    for node in range(4):
        trained = workshop.do(TrainJob(node, 1, 1, bytes(32)), first_D)
        assert isinstance(trained, Trained)
        measured = workshop.do(MeasureJob(node, 1, bytes(32), trained.held), after_D)
        assert isinstance(measured, Measured)
        sums = metrics.add(sums, measured.sums)
    assert told.rounds[0].score == metrics.score("accuracy", sums)


def test_masks_change_nothing_but_rounding() -> None:
    models = []
    for masked in (False, True):
        village = village_of(setup_of(nodes=5, rounds=2, masked=masked), Told())
        village.run(seconds=1e6)
        host = village.coordinator
        models.append(host.models[host.machine.model.digest])
    visible_D, masked_D = models
    assert visible_D is not None
    assert masked_D is not None
    assert np.abs(visible_D - masked_D).max() < 5e-4
    assert (visible_D != masked_D).any()


def test_the_machines_are_those_of_the_programs() -> None:
    for masked, kind in (
        (False, participant.RoundParticipant),
        (True, masked_participant.MaskedParticipant),
    ):
        village = village_of(setup_of(nodes=4, rounds=1, masked=masked), Told())
        assert type(village.coordinator.machine) is federation.Federation
        assert {type(node.machine) for node in village.nodes.values()} == {kind}


def test_slow_nodes_take_longer_and_virtual_time_costs_none() -> None:
    told = {}
    for examples_per_s in (1000.0, 1.0):
        told[examples_per_s] = Told()
        speed = SpeedSection(examples_per_s=examples_per_s)
        setup = setup_of(nodes=4, rounds=1, speed=speed, update_s=1e6)
        village_of(setup, told[examples_per_s]).run(seconds=1e9)
    fast, slow = told[1000.0].rounds[0], told[1.0].rounds[0]
    assert slow.ended_s > 250 > 10 > fast.ended_s
    assert slow.model == fast.model


@pytest.mark.parametrize("training", [TrainingSpec(), TrainingSpec(steps=20)])
def test_a_model_of_ones_own_takes_as_long_again(training: TrainingSpec) -> None:
    seconds = []
    for name in ("fedavg", "ditto"):
        setup = setup_of(nodes=4, rounds=1)
        plan = msgspec.structs.replace(setup.plan, strategy=Named(name=name), training=training)
        village = village_of(replace(setup, plan=plan), Told())
        seconds.append([node.train_s for node in village.nodes.values()])
    assert seconds[1] == [2 * one for one in seconds[0]]


def test_bytes_go_over_each_nodes_own_link() -> None:
    told = {}
    for mbit in (100.0, 0.1):
        told[mbit] = Told()
        network = NetworkSection(up_mbit=mbit, down_mbit=mbit, latency_ms=0, jitter_ms=0)
        village_of(setup_of(nodes=4, rounds=1, network=network), told[mbit]).run(seconds=1e9)
    fast, slow = told[100.0].rounds[0], told[0.1].rounds[0]
    assert slow.bytes_up == fast.bytes_up == sum(n.bytes_up for n in told[0.1].nodes)
    assert slow.bytes_up > 4 * 4 * 4810  # four updates of the digits' model, float32
    least_s = max(n.bytes_up for n in told[0.1].nodes) / (0.1e6 / 8)
    assert slow.seconds > least_s > fast.seconds


@pytest.mark.parametrize("phase", ["answering", "training", "sharing", "uploading", "confirming"])
def test_nodes_vanish_in_the_phase_that_is_said(phase: str) -> None:
    told = Told()
    dropout = DropoutSection(**{phase: 0.3}, back_after_s=(1.0, 2.0))
    setup = setup_of(nodes=12, rounds=4, masked=True, dropout=dropout, minimum=3)
    village_of(setup, told).run(seconds=1e7)
    dropped = {node.fate for node in told.nodes if node.fate.startswith("dropped")}
    if phase == "confirming":  # what was uploaded is in the sum, whoever vanishes then
        assert not dropped
        assert min(report.num_present for report in told.rounds) < 12
    else:
        assert dropped == {f"dropped: {phase}"}


def test_nodes_come_and_go_with_the_hours() -> None:
    told = Told()
    availability = AvailabilitySection(kind="daily", share=0.5, day_s=100.0)
    speed = SpeedSection(examples_per_s=10.0)
    setup = setup_of(nodes=20, rounds=10, availability=availability, speed=speed, start_with=5)
    village_of(setup, told).run(seconds=1e6)
    present = [report.num_present for report in told.rounds]
    assert 5 <= min(present) < max(present) < 20


def test_who_attacks_is_told_and_spoils_what_it_may() -> None:
    told = Told()
    malice = (MaliceSection(attack="sign_flip", fraction=0.5),)
    village_of(setup_of(nodes=6, rounds=3, malice=malice), told).run(seconds=1e6)
    honest = Told()
    village_of(setup_of(nodes=6, rounds=3), honest).run(seconds=1e6)
    assert Counter(node.attack for node in told.nodes) == {"": 9, "sign_flip": 9}
    assert told.rounds[-1].score < honest.rounds[-1].score


def test_A5_who_does_not_cut_its_update_counts_in_no_round() -> None:
    told = Told()
    malice = (MaliceSection(attack="scaling", fraction=0.5, options={"factor": 10.0}),)
    setup = setup_of(nodes=6, rounds=2, malice=malice)
    training = msgspec.structs.replace(setup.plan.training, update_clip=0.05)
    setup = replace(setup, plan=msgspec.structs.replace(setup.plan, training=training))
    village_of(setup, told).run(seconds=1e6)
    assert [report.num_counted for report in told.rounds] == [3, 3]
    assert {node.attack for node in told.nodes if node.fate == "counted"} == {""}


def test_a_job_that_fails_costs_its_node_and_nothing_else() -> None:
    told = Told()
    village_of(setup_of(nodes=4, rounds=2), told, fails=(1,)).run(seconds=1e6)
    assert [report.num_counted for report in told.rounds] == [3, 3]
    assert {(key.node, key.kind) for key, _ in told.failures} == {(1, "train")}
    assert "on purpose" in told.failures[0][1].traceback


def test_it_says_when_nothing_can_come_of_it() -> None:
    dropout = DropoutSection(training=0.99, back_after_s=(1.0, 2.0))
    village = village_of(setup_of(nodes=4, rounds=2, dropout=dropout), Told())
    while village.why_stuck() is None and village.coordinator.ended is None:
        village.run(seconds=600)
    failures = village.books.failures
    said = village.why_stuck() or village.coordinator.ended
    assert "20 attempts in a row failed" in said
    assert failures[0] in said
    assert failures[-1] in said


def test_what_was_trained_for_an_earlier_attempt_is_told_of_the_later() -> None:
    told = Told()
    dropout = DropoutSection(training=0.4, back_after_s=(1.0, 2.0))
    setup = setup_of(nodes=8, rounds=4, masked=True, dropout=dropout, minimum=6)
    village_of(setup, told).run(seconds=1e7)
    assert max(report.attempt for report in told.rounds) > 1
    counted = [node for node in told.nodes if node.fate == "counted"]
    assert all(node.num_examples and node.loss and node.train_s for node in counted)


def test_updates_out_of_range_are_refused_as_a_coordinator_does() -> None:
    told = Told()
    village_of(setup_of(nodes=5, rounds=1), told, huge=(2,)).run(seconds=1e6)
    assert [node.node for node in told.nodes if node.fate != "counted"] == [2]
    assert told.rounds[0].num_counted == 4


def test_one_line_carries_one_thing_after_the_other() -> None:
    post = PostOffice(Clock(), np.random.default_rng(1))
    post.links[b"n"] = Link(
        latency_s=1.0, jitter_s=0.0, up_bytes_per_s=100.0, down_bytes_per_s=1000.0
    )
    session, arrived = Session(1, b"n"), []
    for name in "ab":
        post.carry(session, "up", partial(arrived.append, name), num_bytes=500)
    post.carry(session, "down", partial(arrived.append, "c"), num_bytes=500)
    times = []
    while post.clock.step():
        times.append(post.clock.now)
    assert (arrived, times) == (["c", "a", "b"], [1.5, 6.0, 11.0])


def test_an_evaluator_measures_on_the_test_examples() -> None:
    told = Told()
    village_of(setup_of(nodes=4, rounds=1, evaluator=True), told).run(seconds=1e6)
    assert told.rounds[0].score is not None
    assert {node.node for node in told.nodes} == {0, 1, 2, 3}


def test_nodes_keep_little_however_many_rounds() -> None:
    village = village_of(setup_of(nodes=4, rounds=30, masked=True), Told())
    village.run(seconds=1e7)
    for node in village.nodes.values():
        assert max(len(node.models), len(node.notes), len(node.journal), len(node.told)) <= 4
    assert not village.coordinator.records[1:]
    assert len(village.coordinator.models) <= 3
    assert not village.hands.results


def test_the_engine_gets_each_model_once_and_loses_the_old() -> None:
    village = village_of(setup_of(nodes=4, rounds=6), Told())
    village.run(seconds=1e6)
    assert len(village.engine._models) <= 3


def with_plan(setup, **sections):
    return replace(setup, plan=msgspec.structs.replace(setup.plan, **sections))


def test_weights_by_plan_are_the_same_with_masks_and_without() -> None:
    """Under masks each node weighs itself, by what it declares."""
    models = {}
    by_site = WeightsSection(by="plan", attribute="site", of={"north": 5})
    for weights in (WeightsSection(by="equal"), by_site):
        for masked in (False, True):
            setup = setup_of(nodes=6, rounds=2, masked=masked, declare={"site": ["north", "x"]})
            village = village_of(with_plan(setup, weights=weights), Told())
            village.run(seconds=1e6)
            host = village.coordinator
            models[weights.by, masked] = host.models[host.machine.model.digest]
    assert np.abs(models["plan", False] - models["plan", True]).max() < 5e-4
    assert np.abs(models["plan", False] - models["equal", False]).max() > 1e-3


def test_only_what_the_plan_asks_for_is_told_to_the_coordinator() -> None:
    declare = {"site": ["north", "south"], "age": ["old"]}
    by_site = SelectionSection(name="stratified", count=4, options={"by": "site"})
    for selection, names in ((by_site, {"site"}), (SelectionSection(), set())):
        setup = with_plan(setup_of(nodes=6, rounds=1, declare=declare), selection=selection)
        village = village_of(setup, Told())
        village.run(seconds=1e6)
        present = village.coordinator.machine.present.declared.values()
        assert {name for one in present for name in one} == names


@pytest.mark.parametrize("masked", [False, True])
def test_slow_nodes_hold_nobody_up_when_more_are_invited_and_the_deadline_is_learned(
    masked: bool,
) -> None:
    seconds = {}
    selection = SelectionSection(name="deadline", count=6, options={"invite": 1.5})
    plain = SelectionSection(count=6)
    for name, chosen, learn in (("plain", plain, False), ("helped", selection, True)):
        told, speed = Told(), SpeedSection(examples_per_s=10, slow=0.3, slow_factor=20)
        setup = setup_of(nodes=10, rounds=4, masked=masked, speed=speed, update_s=1e5)
        deadlines = msgspec.structs.replace(setup.plan.deadlines, learn=learn)
        village = village_of(with_plan(setup, selection=chosen, deadlines=deadlines), told)
        village.run(seconds=1e7)
        seconds[name] = sum(one.seconds for one in told.rounds)
        assert all(one.num_counted == 6 for one in told.rounds if name == "plain")
    assert seconds["helped"] < seconds["plain"] / 5
