"""The trusted node is in every cohort, no round goes on without it, and a plan must name it."""

from typing import Any

import msgspec
import pytest
from desk import Desk, make_plan, name

from fedtui.crypto.keys import fingerprint
from fedtui.rounds import guiding
from fedtui.rounds.federation import Phase
from fedtui.rounds.history import FederationSnapshot
from fedtui.rounds.machine import Aggregate, Left, Tick
from fedtui.rounds.picking import Picker
from fedtui.rounds.plan import (
    AggregatorSection,
    Plan,
    PrivacySection,
    RoundsSection,
    SelectionSection,
    check,
)
from fedtui.rounds.records import RoundFailed
from fedtui.wire.messages import Offer

ROOT = 3


def plan(root: str = fingerprint(name(ROOT)), mix: float | None = None, **more: Any) -> Plan:
    aggregator = AggregatorSection(name="fltrust", options={"root": root}, mix=mix)
    wanted = {"selection": SelectionSection(minimum=3), "aggregator": aggregator} | more
    return make_plan(**wanted)


def test_who_is_trusted_is_found_among_others() -> None:
    nodes = [name(n) for n in range(6)]
    assert guiding.place(plan(), nodes) == ROOT
    assert guiding.place(plan(), nodes[:ROOT]) is None
    assert guiding.place(make_plan(), nodes) is None
    assert guiding.guide_of(make_plan()) is None


@pytest.mark.parametrize(
    ("its_plan", "said"),
    [
        (plan(""), "write its fingerprint"),
        (plan("node-3"), "write its fingerprint"),
        (plan(mix=1), "mix: fltrust trusts one update"),
        (plan(privacy=PrivacySection(group=3)), "must see each single update"),
        (plan(selection=SelectionSection(minimum=2)), "fltrust needs at least 3 updates"),
    ],
)
def test_plans_that_do_not_fit_are_refused(its_plan: Plan, said: str) -> None:
    assert any(said in sentence for sentence in check(its_plan))


def test_a_plan_that_fits_has_no_conflict() -> None:
    assert check(plan()) == []
    assert guiding.conflicts(msgspec.structs.replace(plan(), aggregator=AggregatorSection())) == []


def test_it_is_in_every_cohort() -> None:
    picker = Picker(plan(selection=SelectionSection(minimum=3, count=3)), FederationSnapshot())
    present = {name(n): {} for n in range(9)}
    picked = [picker.pick(present, number, 1)[0] for number in range(1, 30)]
    assert all(len(cohort) == 3 and name(ROOT) in cohort for cohort in picked)
    assert len({node for cohort in picked for node in cohort}) > 6


def waiting() -> Desk:
    desk = Desk(plan(rounds=RoundsSection(start_with=3, maximum=9)))
    desk.join(1, 2, 4, 5)
    return desk


def test_rounds_wait_for_it_and_nothing_is_due_meanwhile() -> None:
    desk = waiting()
    desk.put(Tick(), after_s=60.0)
    assert desk.federation.phase is Phase.GATHERING
    assert desk.federation.deadline is None
    desk.join(ROOT)
    assert desk.federation.phase is Phase.ROUND
    assert name(ROOT) in [node for node, _ in desk.sent(Offer)]


def test_an_attempt_that_loses_it_fails_and_the_next_one_waits() -> None:
    desk = waiting()
    desk.join(ROOT)
    desk.accept(1, 2, ROOT, 4, 5)
    desk.deliver(1, 2, 4, 5)
    desk.put(Left(name(ROOT), for_good=True))
    assert isinstance(desk.records[-1], RoundFailed)
    assert "whose update the aggregator trusts was left" in desk.federation.failures[-1]
    assert not desk.of(Aggregate)
    desk.put(Tick(), after_s=60.0)
    assert desk.federation.phase is Phase.GATHERING


def test_a_round_that_has_enough_still_waits_for_it() -> None:
    over = SelectionSection(name="deadline", minimum=3, count=3, options={"invite": 1.6})
    desk = Desk(plan(selection=over, rounds=RoundsSection(start_with=5, maximum=9)))
    desk.join(1, 2, ROOT, 4, 5)
    assert desk.attempt.terms.enough == 3
    desk.accept(1, 2, ROOT, 4, 5)
    desk.deliver(1, 2, 4)
    assert not desk.of(Aggregate)
    desk.deliver(ROOT)
    assert name(ROOT) in [part.node for part in desk.aggregate.contributions]
