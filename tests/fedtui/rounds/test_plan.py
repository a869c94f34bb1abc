"""The plan: bounds, hash, and every conflict as a sentence."""

import msgspec
import pytest
from desk import make_plan

from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.plan import (
    DeadlinesSection,
    EvaluationSection,
    Named,
    Plan,
    RoundsSection,
    SelectionSection,
    TaskSection,
    check,
    plan_hash,
)

MANIFEST = Manifest(tensors=(TensorSpec("w", (4,)),))


def test_a_usable_plan_has_no_conflict() -> None:
    assert check(make_plan()) == []


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"task": TaskSection(name="nosuch")}, "[task] name"),
        ({"task": TaskSection(name="digits", metric="beauty")}, "[task] metric"),
        ({"strategy": Named(name="nosuch")}, "[strategy] name"),
        ({"selection": SelectionSection(name="nosuch")}, "[selection] name"),
        ({"selection": SelectionSection(count=2, minimum=3)}, "[selection] count"),
        (
            {
                "rounds": RoundsSection(target=0.9),
                "evaluation": EvaluationSection(holdout=0.0),
            },
            "[rounds] target",
        ),
        ({"deadlines": DeadlinesSection(accept_s=10, update_s=5)}, "[deadlines] accept_s"),
    ],
)
def test_each_conflict_is_named(sections, words) -> None:
    (sentence,) = check(make_plan(**sections))
    assert sentence.startswith(words)


def test_all_conflicts_are_named_at_once() -> None:
    plan = make_plan(task=TaskSection(name="x", metric="y"), strategy=Named(name="z"))
    assert len(check(plan)) == 3


def test_an_own_task_is_named_by_its_hash() -> None:
    assert check(make_plan(task=TaskSection(name="mine", sha256="0" * 64))) == []


def test_the_hash_covers_plan_and_manifest() -> None:
    plan = make_plan()
    other = make_plan(rounds=RoundsSection(maximum=7))
    wider = Manifest(tensors=(TensorSpec("w", (5,)),))
    hashes = {plan_hash(plan, MANIFEST), plan_hash(other, MANIFEST), plan_hash(plan, wider)}
    assert len(hashes) == 3
    assert plan_hash(make_plan(), MANIFEST) == plan_hash(plan, MANIFEST)


@pytest.mark.parametrize(
    "change",
    [
        {"selection": {"fraction": 0.0}},
        {"selection": {"fraction": 1.1}},
        {"selection": {"minimum": 0}},
        {"rounds": {"maximum": 0}},
        {"rounds": {"patience": 0}},
        {"deadlines": {"update_s": 0.0}},
        {"deadlines": {"update_s": float("nan")}},
        {"evaluation": {"holdout": 0.95}},
        {"weights": {"by": "size"}},
        {"weights": {"cap": 0}},
        {"privacy": {"updates": "hidden"}},
        {"privacy": {"keystream": "rc4"}},
        {"task": {"name": "../../etc"}},
        {"federation": {"name": ""}},
        {"unknown": {}},
        {"rounds": {"unknown": 1}},
    ],
)
def test_what_is_out_of_bounds_is_refused(change) -> None:
    raw = msgspec.to_builtins(make_plan())
    for section, values in change.items():
        raw.setdefault(section, {}).update(values)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, Plan)


def test_what_is_held_out_depends_on_the_evaluator() -> None:
    assert EvaluationSection().held_out == 0.2
    assert EvaluationSection(with_evaluator=True).held_out == 0.0
    assert EvaluationSection(with_evaluator=True, holdout=0.1).held_out == 0.1
