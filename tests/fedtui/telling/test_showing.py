"""The one line of state: the first thing that matters wins, and every phase has a sentence."""

import pytest

from fedtui.rounds.phases import Phase
from fedtui.status import Waiting
from fedtui.telling.showing import PHASES, Facts, line

JOINED = {"joined": True}


@pytest.mark.parametrize(
    ("facts", "state", "words"),
    [
        (Facts(), "idle", "fedtui join"),
        (Facts(joined=True, stopped="revoked", offline="x"), "stopped", "revoked"),
        (Facts(joined=True, ended="done", offline="x"), "stopped", "done"),
        (Facts(joined=True, offline="no answer", paused="by you"), "paused", "no answer"),
        (Facts(joined=True, asking="agree?", pending=True), "asking", "agree?"),
        (Facts(joined=True, pending=True, entering=True), "pending", "approval"),
        (Facts(joined=True, entering=True), "connecting", "take this node in"),
        (Facts(joined=True, paused="by you", phase=Phase.TRAINING), "paused", "by you"),
        (Facts(joined=True, paused="by you", resting="battery"), "paused", "by you"),
        (Facts(joined=True, resting="battery", phase=Phase.TRAINING), "resting", "battery"),
        (Facts(joined=True, phase=Phase.TRAINING, round=4), "training", "round 4"),
        (Facts(joined=True, coordinator_paused=True), "waiting", "paused the federation"),
        (Facts(joined=True, waiting=Waiting(have=2, need=5)), "waiting", "3 of 5"),
        (Facts(joined=True, waiting=Waiting(have=5, need=5)), "waiting", "next round"),
    ],
)
def test_what_is_shown(facts: Facts, state: str, words: str) -> None:
    found, sentence = line(facts)
    assert found == state
    assert words in sentence


def test_every_phase_has_a_state_and_a_sentence() -> None:
    assert set(PHASES) == set(Phase)
    for phase in Phase:
        _, sentence = line(Facts(joined=True, phase=phase, round=2))
        assert "{" not in sentence
