"""Names that do not exist, options that do not fit: everything at once, with what was meant."""

import msgspec
import pytest
from desk import make_plan

from fedtui.rounds import choices, strategic
from fedtui.rounds.plan import (
    DeadlinesSection,
    Named,
    PrivacySection,
    SelectionSection,
    TaskSection,
    WeightsSection,
    check,
)


def one(**sections: object) -> str:
    (sentence,) = check(make_plan(**sections))
    return sentence


def test_a_plan_that_fits_has_no_conflicts() -> None:
    assert check(make_plan()) == []


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"task": TaskSection(name="digit")}, "no task 'digit' here, did you mean 'digits'?"),
        ({"task": TaskSection(name="digits", metric="acuracy")}, "did you mean 'accuracy'?"),
        ({"strategy": Named(name="fedavrg")}, "no strategy 'fedavrg', did you mean 'fedavg'?"),
        (
            {"selection": SelectionSection(name="roundrobin")},
            "no selection 'roundrobin', did you mean 'round_robin'?",
        ),
        (
            {"strategy": Named(name="fedavg", options={"server_learnin_rate": 1.0})},
            "did you mean 'server_learning_rate'?",
        ),
        (
            {"selection": SelectionSection(name="stratified", options={"bye": "site"})},
            "stratified has no option 'bye', did you mean 'by'? (it takes: by, of)",
        ),
        (
            {"selection": SelectionSection(options={"xyz": 1})},
            "uniform has no option 'xyz' (it takes: none)",
        ),
    ],
)
def test_the_nearest_name_is_suggested(sections, said) -> None:
    assert said in one(**sections)


def test_all_is_said_at_once() -> None:
    plan = make_plan(
        task=TaskSection(name="digit", metric="acc"),
        strategy=Named(name="fedav"),
        selection=SelectionSection(name="utility", options={"explore": 2, "pace": 1}),
        deadlines=DeadlinesSection(accept_s=9, update_s=3),
        weights=WeightsSection(by="equal", cap=7),
    )
    said = check(plan)
    assert len([*choices.conflicts(plan), *strategic.conflicts(plan)]) == 6
    assert {*choices.conflicts(plan), *strategic.conflicts(plan)} <= {*said}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        (
            {"selection": SelectionSection(name="utility", options={"explore": 2.0})},
            "expected 0 <= explore <= 1",
        ),
        (
            {"selection": SelectionSection(name="stratified", options={"by": "My Site"})},
            "nodes can declare nothing that is called 'My Site'",
        ),
        ({"selection": SelectionSection(name="deadline")}, "fraction = 1 wants them all"),
        ({"weights": WeightsSection(by="equal", cap=5)}, "leave one of them out"),
        ({"weights": WeightsSection(by="plan")}, "needs the attribute that nodes declare"),
        ({"weights": WeightsSection(of={"north": 2})}, 'are for by = "plan"'),
        (
            {"weights": WeightsSection(by="plan", attribute="site", of={"n": 2}, cap=3)},
            "leave one of them out",
        ),
        ({"selection": SelectionSection(count=1)}, "can never reach minimum"),
        ({"deadlines": DeadlinesSection(accept_s=9, update_s=3)}, "lower accept_s"),
    ],
)
def test_what_cannot_be_meant_is_refused(sections, said) -> None:
    assert said in one(**sections)


def test_losses_of_single_nodes_are_not_seen_under_masks() -> None:
    plan = make_plan(
        selection=SelectionSection(name="utility", count=8),
        privacy=PrivacySection(updates="masked"),
    )
    (said,) = check(plan)
    assert "masks show sums only" in said
    assert check(msgspec.structs.replace(plan, privacy=PrivacySection(updates="visible"))) == []


def test_a_masked_round_that_closes_early_must_still_hide_its_nodes() -> None:
    def said(invite: float) -> list[str]:
        chosen = SelectionSection(name="deadline", count=10, options={"invite": invite})
        return check(make_plan(selection=chosen, privacy=PrivacySection(updates="masked")))

    assert said(1.3) == []
    (sentence,) = said(4.0)
    assert "40 nodes are invited and the round closes with 10" in sentence


def test_what_nodes_are_asked_to_declare() -> None:
    assert choices.asked(make_plan()) == ()
    by_site = SelectionSection(name="stratified", options={"by": "site"})
    assert choices.asked(make_plan(selection=by_site)) == ("site",)
    assert choices.asked(make_plan(selection=SelectionSection(name="nobody"))) == ()
    by_ward = WeightsSection(by="plan", attribute="ward", of={"icu": 3})
    both = make_plan(selection=by_site, weights=by_ward)
    assert choices.asked(both) == ("site", "ward")
    assert choices.told(both, {"ward": "icu", "age": "9"}) == {"ward": "icu"}
