"""Own scores are the metric of the sums; only what is far worse, and not by chance, alarms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.own_scores import LATELY, OwnScores, got_worse


def sums(accuracy: float, num_examples: int = 1000) -> dict[str, float]:
    return {
        "correct": accuracy * num_examples,
        "examples": float(num_examples),
        "loss_sum": 1.0,
    }


def judge(scores: OwnScores, number: int, accuracy: float, num_examples: int = 1000) -> str:
    found, alarm = scores.judged(
        number, before=sums(accuracy, num_examples), after={}, num_examples=num_examples
    )
    assert found is not None
    assert found.before == pytest.approx(accuracy)
    assert (found.after, found.round) == (None, number)
    return alarm


def test_the_figures_of_a_round() -> None:
    found, alarm = OwnScores("accuracy").judged(
        3, before=sums(0.5), after=sums(0.75), num_examples=1000
    )
    assert found is not None
    assert (found.before, found.after, found.num_examples) == (0.5, 0.75, 1000)
    assert alarm == ""


def test_nothing_measured_is_no_score() -> None:
    assert OwnScores("accuracy").judged(1, before={}, after={}, num_examples=0) == (None, "")
    nothing = dict.fromkeys(("correct", "examples", "loss_sum"), 0.0)
    assert OwnScores("accuracy").judged(1, before=nothing, after={}, num_examples=0)[0] is None


def test_a_model_that_was_spoilt_is_an_alarm_in_words() -> None:
    scores = OwnScores("accuracy")
    assert judge(scores, 1, 0.93) == ""
    assert judge(scores, 2, 0.90) == ""
    assert judge(scores, 3, 0.61) == (
        "global model got worse on YOUR hold-out: 0.93 -> 0.61 (here)"
    )


def test_few_examples_alarm_by_no_chance_and_old_scores_are_forgotten() -> None:
    scores = OwnScores("accuracy")
    assert judge(scores, 1, 0.8, 10) == ""
    assert judge(scores, 2, 0.5, 10) == "", "three of ten: that happens"
    scores = OwnScores("accuracy")
    judge(scores, 1, 0.9)
    alarms = [judge(scores, number, 0.6) for number in range(2, LATELY + 4)]
    assert alarms[0]
    assert alarms[-1] == "", "it is what the model is by now"


def test_a_model_that_is_refused_does_not_become_what_is_usual() -> None:
    scores = OwnScores("accuracy")
    for number in range(1, 2 * LATELY):
        accuracy = 0.9 if number == 1 else 0.5
        figures = {"before": sums(accuracy, 1000), "after": {}, "num_examples": 1000}
        alarm = scores.judged(number, **figures, refuses=True)[1]
        assert (alarm == "") == (number == 1)


@pytest.mark.parametrize(("metric", "best", "now"), [("loss", 0.3, 0.7), ("rmse", 10.0, 21.0)])
def test_errors_that_double_are_far_worse(metric: str, best: float, now: float) -> None:
    assert got_worse(metric, best, now, 100)
    assert not got_worse(metric, best, best * 1.9, 100)


@given(
    st.sampled_from(("accuracy", "r2", "loss", "rmse")),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(1, 10**6),
)
def test_what_is_not_worse_never_alarms(
    metric: str, one: float, other: float, num_examples: int
) -> None:
    best, now = (one, other) if metric in {"loss", "rmse"} else (other, one)
    if one >= other:
        assert not got_worse(metric, min(best, now), min(best, now), num_examples)
        good = max(best, now) if metric in {"accuracy", "r2"} else min(best, now)
        bad = min(best, now) if metric in {"accuracy", "r2"} else max(best, now)
        assert not got_worse(metric, bad, good, num_examples)
