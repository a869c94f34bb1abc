"""What was seen of groups: from the database and from records alike, and no more than is kept."""

from pathlib import Path

from msgspec.structs import replace

from coordinator.groupsseen import KEPT, GroupsSeen
from coordinator.store import Enrolment, Store
from fedtui.crypto.keys import Identity
from fedtui.rounds.history import replay
from fedtui.rounds.records import (
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.rounds.suspicion import GroupSeen

NODES = [bytes([n]) * 32 for n in range(6)]


def groups(*, bad: bool) -> tuple[GroupSeen, ...]:
    return (
        GroupSeen(nodes=tuple(NODES[:3]), length=1.0, cosine=-0.7 if bad else 0.7),
        GroupSeen(nodes=tuple(NODES[3:]), length=1.0, cosine=0.7),
    )


def finished(number: int, *, bad: bool) -> RoundFinished:
    return RoundFinished(
        number, 1, model_digest=b"m" * 32, checkpoint_name="", sums={}, groups=groups(bad=bad)
    )


def test_it_counts_attempts_that_failed_too_and_forgets_the_old_ones() -> None:
    seen = GroupsSeen()
    seen.committed([finished(1, bad=True), RoundFailed(2, 1, cause="", groups=groups(bad=True))])
    seen.committed([finished(3, bad=False), RoundFailed(4, 1, cause="too few")])
    assert seen.counts == {n: (2, 3) if n in NODES[:3] else (0, 3) for n in NODES}
    assert seen.suspects == {}, "two rounds may be chance"
    seen.committed([finished(number, bad=False) for number in range(KEPT)])
    assert seen.counts == dict.fromkeys(NODES, (0, KEPT))


async def test_a_restart_reads_the_groups_and_who_was_left_out(tmp_path: Path) -> None:
    who = [Identity.from_seed(bytes([n]) * 32).public for n in range(1, 7)]
    nodes = tuple(sorted(one.id for one in who))
    store = Store.open(tmp_path)
    for one in who:
        await store.enrol(Enrolment(identity=one, label="", role="participant", address=""), now=0)
    seen = (
        GroupSeen(nodes=nodes[:3], length=1.0, cosine=0.7),
        GroupSeen(nodes=nodes[3:], reason="one was spoilt"),
    )
    key = {"digest": b"d" * 32, "num_bytes": 4, "weight": None, "sums": {}}
    begun = RoundStarted(
        1, 1, phase="INVITING", model_digest=b"m" * 32, cohort=nodes, deadline=0.0, incarnation=1
    )
    failed = RoundFailed(1, 1, cause="1 of 2 groups", groups=seen)
    records = [
        RoundFinished(0, 0, model_digest=b"m" * 32, checkpoint_name="m", sums={}),
        begun,
        failed,
        replace(begun, attempt=2),
        *(UpdateReceived(1, 2, node=node, **key) for node in nodes),
        SurvivorsChosen(1, 2, nodes=nodes),
        RoundFinished(
            *(1, 2),
            model_digest=b"n" * 32,
            checkpoint_name="n",
            sums={},
            left_out=nodes[3:],
            groups=seen,
        ),
    ]
    await store.commit(records)
    store.close()
    again = Store.open(tmp_path)
    assert list(again.load_groups().attempts) == [seen, seen]
    snapshot = again.load_federation()
    assert snapshot is not None
    assert snapshot.rounds == replay(records).rounds
    assert snapshot.rounds[-1].survivors == nodes[:3]
    assert set(snapshot.answers) == set(nodes[:3])
    again.close()
