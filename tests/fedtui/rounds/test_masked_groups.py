"""A masked cohort in groups: each with numbers of its own, and the round goes on without some."""

import msgspec
import pytest
from masked_desk import NODES, MaskedDesk, node, number_of

from fedtui.rounds.history import replay
from fedtui.rounds.machine import Joined
from fedtui.rounds.masked import Phase
from fedtui.rounds.records import RoundFailed, RoundFinished, SurvivorsChosen
from fedtui.rounds.suspicion import GroupSeen
from fedtui.wire.messages import Abort, Mailbox, Roster

STEPS = {
    Phase.SHARING: "share",
    Phase.MASKING: "mask",
    Phase.VOTING: "vote",
    Phase.REVEALING: "reveal",
}


def nine(phase: Phase = Phase.SHARING) -> MaskedDesk:
    return MaskedDesk(9, group=3, largest_cohort=12).until(phase)


def groups(desk: MaskedDesk) -> list[tuple[int, ...]]:
    secret = desk.machine.secret
    members = (secret.members(at) for at in range(secret.num_groups))
    return [tuple(map(number_of, nodes)) for nodes in members]


def others(desk: MaskedDesk, *out: int) -> list[int]:
    return [i for group in groups(desk) if not set(group) & set(out) for i in group]


def test_a_round_of_three_groups_opens_three_exact_sums() -> None:
    desk = nine(Phase.AGGREGATING)
    assert sorted(i for group in groups(desk) for i in group) == list(range(9))
    assert desk.sum_is_exact()
    assert len(desk.machine.secret.groups) == 3
    desk.aggregated()
    assert desk.phase is Phase.FINISHED
    assert len(desk.machine.survivors) == 9
    assert desk.machine.num_ready == 9


@pytest.mark.parametrize("phase", list(STEPS))
def test_who_leaves_costs_its_group_and_the_others_go_on(phase: Phase) -> None:
    desk = nine(phase)
    victim, *mates = groups(desk)[1]
    desk.leave(victim)
    for mate in mates:
        assert "2 of 3 nodes of its group are left, 3 are needed" in desk.heard(mate, Abort).reason
        assert desk.machine.members[node(mate)].reason == "too few of its group were left"
    left = others(desk, victim)
    for step in list(STEPS.values())[list(STEPS).index(phase) :]:
        getattr(desk, step)(*left)
    assert desk.phase is Phase.AGGREGATING
    assert desk.sum_is_exact()
    assert set(map(number_of, desk.machine.survivors)) == set(left)
    desk.aggregated()
    finished = next(r for r in desk.records[1:] if isinstance(r, RoundFinished))
    chosen = next(r for r in desk.records if isinstance(r, SurvivorsChosen))
    lost = set() if phase in {Phase.SHARING, Phase.MASKING} else {victim, *mates}
    assert set(map(number_of, finished.left_out)) == lost
    assert set(chosen.nodes) - set(finished.left_out) == set(desk.machine.survivors)


@pytest.mark.parametrize("phase", list(STEPS))
def test_one_group_of_three_is_too_few(phase: Phase) -> None:
    desk = nine(phase)
    first, second, _ = groups(desk)
    desk.leave(first[0])
    assert desk.phase is phase
    desk.leave(second[1])
    assert desk.phase is Phase.FAILED
    assert "1 of 3 groups were left, 2 are needed" in desk.machine.failure
    assert desk.machine.burnt == (phase in {Phase.VOTING, Phase.REVEALING})
    (failed,) = [r for r in desk.records if isinstance(r, RoundFailed)]
    assert phase.value in failed.cause


@pytest.mark.parametrize("phase", list(STEPS))
def test_a_group_that_is_late_is_dropped_at_the_deadline(phase: Phase) -> None:
    desk = nine(phase)
    late = groups(desk)[2]
    quick = others(desk, *late)
    getattr(desk, STEPS[phase])(*quick)
    assert desk.phase is phase
    desk.wait(30.0)
    assert desk.phase is not phase
    assert desk.machine.failure is None
    assert set(map(number_of, desk.machine.secret.members(2))) == set(late)
    assert set(desk.machine.secret.dropped) == {2}


def test_a_roster_needs_three_groups() -> None:
    desk = MaskedDesk(9, group=3, largest_cohort=12)
    desk.accept(*range(9))
    desk.leave(0)
    assert desk.phase is Phase.FAILED
    assert "8 of 9 nodes were left, 9 are needed" in desk.machine.failure


def test_another_life_finishes_all_groups() -> None:
    desk = nine(Phase.VOTING)
    victim = groups(desk)[0][0]
    before = groups(desk)
    desk.restart()
    assert groups(desk) == before
    for i in range(9):
        desk.put(joined(i))
    desk.vote(*(i for i in range(9) if i != victim))
    desk.wait(30.0)
    left = others(desk, victim)
    desk.reveal(*left)
    assert desk.phase is Phase.AGGREGATING
    assert desk.sum_is_exact()
    assert set(map(number_of, desk.machine.survivors)) == set(left)


def joined(number: int):
    return Joined(node(number), "participant", NODES[number].public, 1)


def test_a_group_dropped_before_a_restart_stays_dropped() -> None:
    desk = nine(Phase.MASKING)
    victim = groups(desk)[0][0]
    desk.leave(victim)
    desk.mask(*others(desk, victim))
    assert desk.phase is Phase.VOTING
    desk.restart()
    assert set(desk.machine.secret.dropped) == {0}
    for i in others(desk, victim):
        desk.put(joined(i))
    desk.vote(*others(desk, victim))
    desk.reveal(*others(desk, victim))
    assert desk.phase is Phase.AGGREGATING
    assert desk.sum_is_exact()


def test_survivors_of_a_spoilt_group_are_left_out_in_every_memory() -> None:
    desk = nine(Phase.AGGREGATING)
    bad, *good = groups(desk)
    seen = (
        *(GroupSeen(nodes=tuple(map(node, g)), length=1.0, cosine=0.9) for g in good),
        GroupSeen(nodes=tuple(map(node, bad)), reason="one was spoilt"),
    )
    desk.aggregated(seen)
    counted = {node(i) for group in good for i in group}
    assert set(desk.machine.survivors) == counted
    remembered = replay(desk.records).rounds[-1]
    assert set(remembered.survivors) == counted
    assert remembered.groups == seen
    assert remembered == desk.machine.finished(replay(desk.records[:1]).rounds[0], desk.now)


def test_a_mailbox_holds_shares_of_the_own_group_only() -> None:
    desk = nine(Phase.MASKING)
    for group in groups(desk):
        for i in group:
            letter = desk.heard(i, Mailbox)
            assert letter.included == (0, 1, 2)
            assert len(letter.sealed) == 2


def test_all_are_shown_the_same_roster() -> None:
    desk = nine(Phase.SHARING)
    assert len({desk.heard(i, Roster).signature for i in range(9)}) == 1
    assert desk.heard(0, Roster).group == 3


def test_held_out_sums_are_of_the_whole_cohort() -> None:
    desk = MaskedDesk(9, evaluation=True, group=3, largest_cohort=12)
    desk.until(Phase.REVEALING)
    assert desk.machine.secret.num_groups == 1
    assert msgspec.structs.asdict(desk.heard(0, Roster))["group"] == 0
    desk.reveal(*range(9))
    assert desk.phase is Phase.FINISHED
