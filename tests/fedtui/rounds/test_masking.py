"""The numbers of masked rounds: what a plan and a cohort decide, and every conflict's sentence."""

import msgspec
import pytest
from masked_desk import masked_plan

from fedtui.rounds import masking
from fedtui.rounds.plan import (
    EvaluationSection,
    Plan,
    PrivacySection,
    RoundsSection,
    SelectionSection,
    TaskSection,
    WeightsSection,
    check,
)
from fedtui.secagg import graph
from fedtui.secagg.encoding import Encoding, EncodingError


def plan(privacy: dict[str, object] | None = None, **sections: object) -> Plan:
    return msgspec.structs.replace(masked_plan(**(privacy or {})), **sections)


@pytest.mark.parametrize(
    ("invited", "colluders", "minimum", "quorum"),
    [(3, 1, 3, 3), (4, 1, 3, 3), (5, 1, 3, 4), (10, 2, 5, 7), (20, 4, 10, 13), (100, 20, 50, 61)],
)
def test_defaults_are_those_of_the_design(invited, colluders, minimum, quorum) -> None:
    numbers = masking.numbers(plan(), invited)
    assert (numbers.invited, numbers.colluders, numbers.minimum) == (invited, colluders, minimum)
    assert numbers.quorum == quorum


def test_a_plan_may_ask_for_more() -> None:
    numbers = masking.numbers(plan({"colluders": 3, "minimum": 9}), 10)
    assert (numbers.colluders, numbers.minimum, numbers.quorum) == (3, 9, 9)
    selected = masking.numbers(plan(selection=SelectionSection(minimum=8)), 10)
    assert selected.minimum == 8


def test_a_sum_hides_a_node_from_any_default_number_of_colluders() -> None:
    of_sizes = [masking.numbers(plan({"minimum": 3}), invited) for invited in range(3, 101)]
    assert all(numbers.minimum >= numbers.colluders + 2 for numbers in of_sizes)


def test_the_least_of_any_round_covers_selection_and_colluders() -> None:
    assert plan().minimum == 3
    assert plan({"minimum": 6}).minimum == 6
    assert plan({"colluders": 4}).minimum == 6
    assert plan(selection=SelectionSection(minimum=8)).minimum == 8
    visible = plan({"updates": "visible"})
    assert (visible.masked, visible.minimum) == (False, 2)


# ---- conflicts


@pytest.mark.parametrize(
    ("privacy", "sections", "sentence"),
    [
        (
            {"dropouts": 1},
            {},
            "[privacy] 3 nodes with 1 colluders and 1 drop-outs cannot work: 3 nodes must stay to "
            "the end, so 4 are needed: raise [rounds] start_with or [selection] count, or lower "
            "colluders or dropouts",
        ),
        (
            {"colluders": 4, "minimum": 6},
            {"rounds": RoundsSection(start_with=6), "selection": SelectionSection(count=5)},
            "[privacy] 5 nodes with 4 colluders and 0 drop-outs cannot work: 6 nodes must stay to "
            "the end, so 6 are needed: raise [rounds] start_with or [selection] count, or lower "
            "colluders or dropouts",
        ),
        (
            {"minimum": 4},
            {"rounds": RoundsSection(start_with=20)},
            "[privacy] minimum = 4 hides nobody from 4 colluders: a sum needs 6 nodes or more",
        ),
        (
            {"lanes": 4, "largest_cohort": 300},
            {},
            "[privacy] lanes = 4 and largest_cohort = 300 leave 7 bits a value, 8 are needed: "
            "lower one of them",
        ),
        (
            {"largest_cohort": 10},
            {"rounds": RoundsSection(start_with=11)},
            "[privacy] largest_cohort = 10 is less than the 11 nodes that take part: raise it",
        ),
    ],
)
def test_each_conflict_is_a_sentence_with_its_numbers(privacy, sections, sentence) -> None:
    assert check(plan(privacy, **sections)) == [sentence]


@pytest.mark.parametrize("size", range(3, 60))
def test_the_most_drop_outs_that_can_work_are_let_in_and_no_more(size: int) -> None:
    numbers = masking.numbers(plan(), size)
    most = size - numbers.quorum
    rounds = RoundsSection(start_with=size)
    assert check(plan({"dropouts": most}, rounds=rounds)) == []
    (sentence,) = check(plan({"dropouts": most + 1}, rounds=rounds))
    assert f"{most + 1} drop-outs cannot work" in sentence
    assert f"{size + 1} are needed" in sentence


def test_a_fraction_of_the_nodes_is_what_drop_outs_are_held_against() -> None:
    half = SelectionSection(fraction=0.5, minimum=2)
    rounds = RoundsSection(start_with=10)
    assert check(plan({"dropouts": 2}, rounds=rounds, selection=half))


@pytest.mark.parametrize("lanes", [2, 3, 4])
@pytest.mark.parametrize("largest", [3, 64, 65, 128, 129, 256, 257, 8192, 8193, 16384])
def test_a_plan_without_conflict_has_an_encoding(lanes: int, largest: int) -> None:
    made = plan({"lanes": lanes, "largest_cohort": largest})
    if not masking.conflicts(made):
        assert masking.encoding(made, 4, "update").value_bits >= 8
        return
    with pytest.raises(Exception, match=f"{lanes} lanes.* cohorts of {largest} "):
        Encoding(num_values=4, scalars=(), lanes=lanes, largest_cohort=largest, value_range=4.0)


def test_visible_plans_are_not_held_against_numbers_of_masks() -> None:
    assert check(plan({"updates": "visible", "dropouts": 9, "minimum": 3})) == []


@pytest.mark.parametrize(
    "change",
    [
        {"colluders": 0},
        {"minimum": 2},
        {"dropouts": -1},
        {"largest_cohort": 2},
        {"lanes": 1},
        {"lanes": 5},
        {"value_range": 0.0},
        {"value_range": float("inf")},
        {"suite": "oneshot/1"},
    ],
)
def test_what_is_out_of_bounds_is_refused(change) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"updates": "masked"} | change, PrivacySection)


# ---- encoding and weights


def test_updates_and_sums_are_written_with_their_scalars() -> None:
    update = masking.encoding(plan(), 7, "update")
    assert (update.num_values, update.scalars) == (7, ("weight", "loss_sum", "examples"))
    sums = masking.encoding(plan(), 7, "evaluation")
    assert (sums.num_values, set(sums.scalars)) == (0, {"loss_sum", "correct", "examples"})
    task = TaskSection(name="tabular", metric="r2")
    assert "target_squares" in masking.encoding(plan(task=task), 7, "evaluation").scalars


@pytest.mark.parametrize(
    ("weights", "num_examples", "weight"),
    [
        (WeightsSection(), 0, 1),
        (WeightsSection(), 500, 500),
        (WeightsSection(), 10**9, 65_536),
        (WeightsSection(cap=100), 500, 100),
        (WeightsSection(by="equal"), 500, 1),
        (WeightsSection(by="equal", cap=100), 500, 1),
    ],
)
def test_what_an_update_counts(weights, num_examples: int, weight: int) -> None:
    made = plan(weights=weights)
    assert masking.weight_of(made, num_examples, {}) == weight
    assert 0 < weight / made.weight_cap <= 1


@pytest.mark.parametrize("weight", [0.0, -1.0, 3.9, 401.0, float("nan")])
def test_A3_weights_that_no_honest_cohort_has_are_refused(weight: float) -> None:
    made = plan(weights=WeightsSection(cap=100))
    assert masking.share_of_full(made, {"weight": 400.0}, 4) == 4.0
    with pytest.raises(EncodingError, match="4 updates cannot weigh"):
        masking.share_of_full(made, {"weight": weight}, 4)


def test_an_evaluator_alone_changes_no_number() -> None:
    assert check(plan(evaluation=EvaluationSection(with_evaluator=True))) == []
    assert masking.numbers(plan(), 7).colluders == graph.default_colluders(7)


@pytest.mark.parametrize("updates", ["masked", "visible"])
def test_weights_by_plan_follow_what_is_declared(updates) -> None:
    of = WeightsSection(by="plan", attribute="site", of={"north": 3, "south": 2})
    made = plan({"updates": updates}, weights=of)
    assert made.weight_cap == 3
    for declared, weight in (({"site": "north"}, 3), ({"site": "x"}, 1), ({"ward": "north"}, 1)):
        assert masking.weight_of(made, 10**6, declared) == weight
