from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from a_coordinator import MANIFEST, PLAN

from coordinator.report import Surroundings, of_running, of_stopped, privacy_of
from fedtui import tomlfile
from fedtui.crypto.keys import Identity
from fedtui.rounds import claims
from fedtui.rounds.attempt import Frame
from fedtui.rounds.ending import best_of
from fedtui.rounds.federation import Federation
from fedtui.rounds.federation import Phase as FederationPhase
from fedtui.rounds.history import FederationSnapshot, FinishedRound, OpenAttempt
from fedtui.rounds.machine import Joined, Operator
from fedtui.rounds.masked import Phase
from fedtui.rounds.masked_round import MaskedRound
from fedtui.rounds.plan import Plan, PrivacySection, plan_hash
from fedtui.rounds.spread import Spread

TEXT = PLAN.format(minimum=2, rounds=9, deadline_s=10.0)
THE_PLAN = tomlfile.parse(TEXT, Plan, path=Path("plan.toml"))
AROUND = Surroundings(fingerprint="F", incarnation=4, traffic={1: (10, 20)})


def finished(number: int, score: float | None) -> FinishedRound:
    return FinishedRound(
        round=number,
        attempt=1,
        model_digest=bytes([number]) * 32,
        num_bytes=8,
        checkpoint_name=f"m{number}",
        cohort=(b"a", b"b", b"c"),
        survivors=(b"a", b"b"),
        sums={},
        seconds=2.5,
        score=score,
    )


def federation(*rounds: FinishedRound, plan: Plan = THE_PLAN) -> Federation:
    frame = Frame(
        plan=plan,
        plan_hash=plan_hash(plan, MANIFEST),
        manifest_digest=MANIFEST.digest(),
        incarnation=4,
        identity=Identity.from_seed(b"c" * 32),
        federation_id=b"f" * 32,
        num_values=MANIFEST.num_values,
    )
    return Federation(frame, FederationSnapshot(rounds=rounds), now=0.0)


def test_the_state_is_said_as_a_word_and_a_sentence() -> None:
    machine = federation(finished(0, None))
    machine.start(0.0)
    status = of_running(machine, AROUND)
    assert (status.state, status.text) == ("waiting", "waiting for nodes: 0 of 2 are here")
    for node in (b"a" * 32, b"b" * 32):
        machine.handle(Joined(node, "participant"), 1.0)
    status = of_running(machine, AROUND)
    assert (status.state, status.round, status.cohort) == ("inviting", 1, 2)
    assert status.text == "round 1: waiting for 2 nodes to accept"
    machine.handle(Operator("stop"), 2.0)
    assert of_running(machine, AROUND).state == "ended"


def masked_attempt(phase: Phase, *, answered: int, lost: int, of: int = 5) -> Federation:
    """A federation whose third round is masked and stands in this phase."""
    privacy = PrivacySection(updates="masked", colluders=1, minimum=3)
    plan = msgspec.structs.replace(THE_PLAN, privacy=privacy)
    machine = federation(finished(0, None), finished(1, None), finished(2, None), plan=plan)
    nodes = [Identity.from_seed(bytes([n]) * 32).public.id for n in range(of)]
    attempt = machine.attempt = MaskedRound(
        machine.frame, number=3, attempt=1, base=machine.model, started=0.0
    )
    attempt.begin(frozenset(nodes), 0.0)
    for node in nodes[:lost]:
        attempt._cohort.lose(node, "is gone")
    attempt._answered = set(nodes[lost : lost + answered])
    attempt.phase, machine.phase = phase, FederationPhase.ROUND
    return machine


@pytest.mark.parametrize(
    ("phase", "state", "text"),
    [
        (Phase.INVITING, "inviting", "round 3: waiting for 5 nodes to accept"),
        (Phase.COLLECTING, "collecting", "round 3: 3 of 4 nodes are ready"),
        (Phase.SHARING, "sharing", "round 3: 3 of 4 nodes' shares are here"),
        (Phase.MASKING, "masking", "round 3: 3 of 4 masked updates are here"),
        (Phase.VOTING, "voting", "round 3: 3 of 4 nodes voted for their sum"),
        (Phase.REVEALING, "revealing", "round 3: 3 of 4 nodes revealed what opens the sum"),
        (Phase.AGGREGATING, "combining", "round 3: combining 0 updates"),
        (Phase.FAILED, "waiting", "round 3 failed: None"),
    ],
)
def test_every_phase_of_a_masked_round_is_said(phase: Phase, state: str, text: str) -> None:
    status = of_running(masked_attempt(phase, answered=3, lost=1), AROUND)
    assert (status.state, status.text) == (state, text)


def test_who_can_read_updates_is_said_with_its_numbers() -> None:
    assert privacy_of(THE_PLAN) == "updates are visible to the coordinator"
    privacy = PrivacySection(updates="masked", colluders=2, minimum=5)
    plan = msgspec.structs.replace(THE_PLAN, privacy=privacy)
    assert privacy_of(plan) == claims.of_plan(plan)
    status = of_running(federation(finished(0, None), plan=plan), AROUND)
    assert (status.masked, status.privacy, status.needed) == (True, privacy_of(plan), 5)


def test_degraded_wins_over_everything() -> None:
    around = Surroundings(fingerprint="F", incarnation=4, degraded="disk full")
    status = of_running(federation(finished(0, None)), around)
    assert (status.state, status.text) == ("degraded", "nothing can be written: disk full")


def test_rounds_are_told_with_their_bytes_if_they_are_known() -> None:
    machine = federation(finished(0, None), finished(1, 0.5), finished(2, None))
    status = of_running(machine, AROUND)
    assert [(r.round, r.participants, r.dropped) for r in status.rounds] == [(1, 2, 1), (2, 2, 1)]
    assert [(r.bytes_up, r.bytes_down) for r in status.rounds] == [(10, 20), (None, None)]
    assert (status.best.round, status.model.round) == (1, 2)


def test_who_dropped_out_is_named_and_what_can_be_learned_is_told_in_numbers() -> None:
    names = {b"a": "anna", b"b": "bert", b"c": "carl"}
    around = replace(AROUND, name=names.__getitem__)
    plan = msgspec.structs.replace(THE_PLAN, privacy=PrivacySection())
    last = replace(finished(1, None), num_ready=3)
    (line,) = of_running(federation(finished(0, None), last, plan=plan), around).rounds
    assert (line.cohort, line.lost, line.dropped) == (3, ("carl",), 1)
    assert (line.masked, line.ready, line.threshold) == (True, 3, 3)
    assert (line.colluders, line.num_honest) == (1, 2)
    (line,) = of_running(federation(finished(0, None), finished(1, None)), around).rounds
    assert (line.masked, line.ready, line.threshold, line.num_honest) == (False, 0, 0, 0)


@pytest.mark.parametrize(
    ("metric", "scores", "best"),
    [
        ("accuracy", [None, 0.5, 0.7, 0.7], 3),
        ("loss", [None, 0.5, 0.7, 0.5], 3),
        ("rmse", [None, 2.0, None, 3.0], 1),
        ("accuracy", [None, None], 1),
    ],
)
def test_the_best_round_is_the_machines(
    metric: str, scores: list[float | None], best: int
) -> None:
    rounds = [finished(number, score) for number, score in enumerate(scores)]
    assert best_of(rounds, metric).round == best
    if metric == "accuracy":
        assert federation(*rounds).best.round == best


def test_a_stopped_coordinator() -> None:
    attempt = OpenAttempt(3, 2, "COLLECTING", b"", (b"a", b"b"))
    snapshot = FederationSnapshot(rounds=(finished(0, None), finished(1, 0.5)), open=attempt)
    status = of_stopped(snapshot, THE_PLAN, bytes(32), AROUND)
    assert (status.running, status.state, status.round, status.attempt) == (False, "stopped", 3, 2)
    over = FederationSnapshot(rounds=snapshot.rounds, ended="all done", result_round=1)
    status = of_stopped(over, THE_PLAN, bytes(32), AROUND)
    assert (status.state, status.ended) == ("ended", "all done")
    assert np.isfinite(status.best.score or np.nan)


def test_how_unequal_visible_weights_were_is_told_and_nothing_of_masked_ones() -> None:
    spread = Spread(0.1, 0.2, 0.7, 1.9)
    machine = federation(finished(0, None), replace(finished(1, 0.5), spread=spread))
    (line,) = of_running(machine, AROUND).rounds
    assert (line.smallest, line.median, line.largest, line.alike) == (0.1, 0.2, 0.7, 1.9)
    plan = msgspec.structs.replace(THE_PLAN, privacy=PrivacySection())
    masked = federation(finished(0, None), replace(finished(1, 0.5), num_ready=3), plan=plan)
    (line,) = of_running(masked, AROUND).rounds
    assert (line.smallest, line.median, line.largest, line.alike) == (0, 0, 0, 0)
