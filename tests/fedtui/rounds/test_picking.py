"""Who is invited, how many are enough, and how long they may work."""

import math

import pytest
from desk import make_plan, name
from hypothesis import given
from hypothesis import strategies as st

from fedtui.plugins import PluginError
from fedtui.rounds import masking
from fedtui.rounds.history import Answer, FederationSnapshot, FinishedRound
from fedtui.rounds.picking import LEAST_S, NUM_BY_THE_RULE, Picker, Terms, learned_s
from fedtui.rounds.plan import DeadlinesSection, PrivacySection, SelectionSection
from fedtui.selection.base import Selection

PRESENT = {name(n): {} for n in range(10)}


def done(number: int, cohort: list[int], survivors: list[int]) -> FinishedRound:
    return FinishedRound(
        round=number,
        attempt=1,
        model_digest=b"m" * 32,
        num_bytes=4,
        checkpoint_name="m",
        cohort=tuple(name(n) for n in cohort),
        survivors=tuple(name(n) for n in survivors),
        sums={},
        seconds=1.0,
    )


def picker(*rounds: FinishedRound, answers=None, **sections) -> Picker:
    snapshot = FederationSnapshot(rounds=rounds, answers=answers or {})
    return Picker(make_plan(**sections), snapshot)


def test_the_same_seed_round_and_attempt_pick_the_same_and_others_do_not() -> None:
    plan = {"selection": SelectionSection(count=4)}
    one, two = picker(**plan), picker(**plan)
    assert one.pick(PRESENT, 1, 1) == two.pick(dict(reversed(PRESENT.items())), 1, 1)
    picks = {one.pick(PRESENT, number, attempt)[0] for number in (1, 2) for attempt in (1, 2)}
    assert len(picks) > 1


def test_what_a_rule_knows_follows_from_the_committed_rounds() -> None:
    rounds = (done(1, [1, 2], [1, 2]), done(2, [2, 3], [3]))
    answers = {
        name(1): Answer(4.0, {"loss_sum": 6.0, "examples": 3.0}),
        name(2): Answer(5.0),
        name(3): Answer(6.0, {"loss_sum": 1.0, "examples": 0.0}),
    }
    read_back = picker(*rounds, answers=answers)
    lived = picker()
    lived.finished(rounds[0], {name(1): answers[name(1)], name(2): answers[name(2)]})
    lived.finished(rounds[1], {name(3): answers[name(3)]})
    for number in range(1, 5):
        assert lived.candidate(name(number), {}) == read_back.candidate(name(number), {})
    first = lived.candidate(name(1), {"site": "x"})
    assert (first.num_picked, first.num_counted, first.last_round, first.missed) == (
        1,
        1,
        1,
        False,
    )
    assert (first.seconds, first.num_examples, first.loss) == (4.0, 3, 2.0)
    assert first.declared == {"site": "x"}
    second = lived.candidate(name(2), {})
    assert (second.num_picked, second.num_counted, second.missed) == (2, 1, True)
    assert (second.num_examples, second.loss) == (None, None)
    assert lived.candidate(name(3), {}).loss is None
    assert lived.candidate(name(4), {}).num_picked == 0


def test_more_are_invited_than_wanted_and_the_wanted_are_enough() -> None:
    selection = SelectionSection(name="deadline", count=6, options={"invite": 1.5})
    cohort, terms = picker(selection=selection).pick(PRESENT, 1, 1)
    assert (len(cohort), terms) == (9, Terms(enough=6))
    few = {node: {} for node in list(PRESENT)[:5]}
    cohort, terms = picker(selection=selection).pick(few, 1, 1)
    assert (len(cohort), terms) == (5, Terms())


def test_no_cohort_under_masks_is_larger_than_the_plan_says() -> None:
    selection = SelectionSection(name="deadline", count=6, options={"invite": 2.0})
    masked = PrivacySection(updates="masked", largest_cohort=8)
    cohort, terms = picker(selection=selection, privacy=masked).pick(PRESENT, 1, 1)
    assert (len(cohort), terms.enough) == (8, 6)


def test_after_two_failed_attempts_chance_alone_picks() -> None:
    rounds = tuple(done(n, [n], [n]) for n in range(1, 9))
    rule = picker(*rounds, selection=SelectionSection(name="round_robin", count=2))
    first = {name(0), name(9)}
    assert rule.pick(PRESENT, 9, 1)[0] == rule.pick(PRESENT, 9, 2)[0] == first
    assert any(rule.pick(PRESENT, 9, attempt)[0] != first for attempt in range(3, 9))


# ---- the learned deadline

LEARN = DeadlinesSection(accept_s=5, update_s=100, learn=True, quantile=0.7, slack=1.5)


def test_nothing_is_learned_unless_the_plan_says_so() -> None:
    answers = {name(n): Answer(2.0) for n in range(10)}
    rounds = done(1, list(range(10)), list(range(10)))
    assert picker(rounds, answers=answers).pick(PRESENT, 2, 1)[1] == Terms()
    assert picker(rounds, answers=answers, deadlines=LEARN).pick(PRESENT, 2, 1)[1].within_s == 3.0


def test_the_deadline_is_the_plans_before_anything_is_known_and_after_a_failure() -> None:
    answers = {name(n): Answer(2.0) for n in range(10)}
    rounds = done(1, list(range(10)), list(range(10)))
    assert picker(deadlines=LEARN).pick(PRESENT, 1, 1)[1] == Terms()
    assert picker(rounds, answers=answers, deadlines=LEARN).pick(PRESENT, 2, 2)[1] == Terms()


def test_who_was_late_counts_as_slower_than_all_so_deadlines_do_not_shrink_for_ever() -> None:
    everybody = list(range(10))
    answers = {name(n): Answer(2.0) for n in everybody[:7]}
    seven = picker(done(1, everybody, everybody[:7]), answers=answers, deadlines=LEARN)
    assert seven.within_s() == 3.0
    six = picker(done(1, everybody, everybody[:6]), answers=answers, deadlines=LEARN)
    assert six.within_s() is None


@given(
    times=st.lists(st.floats(0, 1e6), min_size=1, max_size=30),
    quantile=st.floats(0.01, 1),
    slack=st.floats(1, 10),
)
def test_so_large_a_share_would_have_been_in_time(times, quantile, slack) -> None:
    learned = learned_s(times, quantile=quantile, slack=slack)
    assert learned >= LEAST_S
    assert sum(t <= learned for t in times) >= math.ceil(quantile * len(times) - 1e-9)
    assert learned_s([*times, 1e9], quantile=quantile, slack=slack) >= learned


def test_of_nothing_nothing_is_learned() -> None:
    assert learned_s([], quantile=0.5, slack=1) == math.inf
    assert learned_s([math.inf], quantile=0.5, slack=1) == math.inf
    assert learned_s([8.0, 4.0], quantile=0.5, slack=1) == pytest.approx(4.0)


@given(
    num=st.integers(3, 40),
    fraction=st.floats(0.1, 0.9),
    invite=st.floats(1, 4),
    dropouts=st.integers(0, 3),
    attempt=st.integers(1, 5),
)
def test_under_masks_a_round_never_closes_with_fewer_than_its_sum_needs(
    num: int, fraction: float, invite: float, dropouts: int, attempt: int
) -> None:
    plan = make_plan(
        privacy=PrivacySection(dropouts=dropouts),
        selection=SelectionSection(name="deadline", fraction=fraction, options={"invite": invite}),
    )
    present = {name(n): {} for n in range(num)}
    rule = Picker(plan, FederationSnapshot())
    cohort, terms = rule.pick(present, 1, attempt)
    if terms.enough is not None:
        needed = masking.numbers(plan, len(cohort)).minimum + dropouts
        assert needed <= terms.enough < len(cohort)
    if attempt > NUM_BY_THE_RULE:
        assert len(cohort) == rule.size(num), "chance alone, and nobody to spare"


class Own(Selection):
    """An operator's own rule, and what it may do wrong."""

    def __init__(self, mistake: str) -> None:
        self.mistake = mistake

    def pick(self, present, size, rng, number):
        nodes = [one.node for one in present]
        return {
            "": nodes[:size],
            "too few": nodes[: size - 1],
            "too many": nodes,
            "strangers": [*nodes[: size - 1], b"x" * 32],
            "nothing": None,
        }[self.mistake]


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ("too few", "picked 3 nodes, 0 of which are not present, instead of 4 of those 10"),
        ("too many", "picked 10 nodes"),
        ("strangers", "picked 4 nodes, 1 of which are not present"),
        ("nothing", "failed: TypeError"),
    ],
)
def test_a_rule_that_picks_others_than_it_must_is_told_how(mistake: str, said: str) -> None:
    made = picker(selection=SelectionSection(count=4))
    made.rule = Own("")
    cohort, _ = made.pick(PRESENT, 1, 1)
    assert cohort == {name(n) for n in range(4)}
    made.rule = Own(mistake)
    with pytest.raises(PluginError, match=said):
        made.pick(PRESENT, 1, 1)
