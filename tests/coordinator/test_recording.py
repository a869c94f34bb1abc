from pathlib import Path

import msgspec
import pytest

from coordinator import audit, database, recording
from coordinator.store import Store
from fedtui.crypto.keys import Identity
from fedtui.rounds.records import (
    Audited,
    FederationEnded,
    FederationPaused,
    FederationResumed,
    Record,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)

NODE = b"n" * 32


def started(attempt: int) -> RoundStarted:
    return RoundStarted(
        1,
        attempt,
        phase="INVITING",
        model_digest=bytes(32),
        cohort=(NODE,),
        deadline=1.0,
        incarnation=1,
    )


def received(attempt: int) -> UpdateReceived:
    return UpdateReceived(
        1, attempt, node=NODE, digest=bytes(32), num_bytes=4, weight=None, sums={}
    )


def finished(round_: int, attempt: int) -> RoundFinished:
    return RoundFinished(
        round_,
        attempt,
        model_digest=bytes([round_]) * 32,
        checkpoint_name=f"m{round_}",
        sums={},
        seconds=1.0,
    )


STORY: list[Record] = [
    finished(0, 0),
    started(1),
    RoundFailed(1, 1, cause="0 answered, 1 needed"),
    FederationPaused(reason="lunch"),
    FederationResumed(),
    started(2),
    received(2),
    SurvivorsChosen(1, 2, nodes=(NODE,)),
    finished(1, 2),
    Audited(actor="alice", action="changed", object="plan.toml", detail="rounds = 9"),
    FederationEnded(reason="target reached", result_round=1),
]


async def test_everything_worth_telling_is_in_the_audit(tmp_path: Path) -> None:
    store = Store.open(tmp_path, identity=Identity.from_seed(bytes(32)))
    await store.commit(STORY)
    store.close()
    with database.reading(tmp_path) as connection:
        told = [entry.line().split("Z  ")[1] for entry in audit.entries(connection)]
    assert told == [
        "coordinator: start incarnation 1",
        f"coordinator: round committed round 0 attempt 0 (model {'00' * 32})",
        "coordinator: cohort frozen round 1 attempt 1 (1 nodes)",
        "coordinator: round failed round 1 attempt 1 (0 answered, 1 needed)",
        "coordinator: federation paused (lunch)",
        "coordinator: federation resumed",
        "coordinator: cohort frozen round 1 attempt 2 (1 nodes)",
        "coordinator: survivors chosen round 1 attempt 2 (1 updates in the sum)",
        f"coordinator: round committed round 1 attempt 2 (model {'01' * 32})",
        "alice: changed plan.toml (rounds = 9)",
        "coordinator: federation ended (target reached)",
        "coordinator: stop incarnation 1",
    ]


async def test_a_weight_that_nobody_may_see_is_not_stored(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    await store.commit([started(1), received(1)])
    snapshot = store.load_federation()
    store.close()
    assert snapshot is not None
    assert snapshot.open is not None
    assert [update.weight for update in snapshot.open.updates] == [None]


async def test_R6_a_restored_database_fences_off_the_lives_it_forgot(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    await store.commit([finished(0, 0), started(1)])
    store.mark_restored("monday")
    snapshot = store.load_federation()
    store.close()
    assert snapshot is not None
    assert (snapshot.open, snapshot.last_attempt) == (None, (1, 1))
    store = Store.open(tmp_path)
    assert store.incarnation == 2 + recording.FORGOTTEN_LIVES
    store.close()


async def test_R6_a_backup_under_masks_burns_all_rounds_that_it_cannot_know_of(
    tmp_path: Path,
) -> None:
    """Nodes may have voted since: they would refuse another attempt of those rounds."""
    store = Store.open(tmp_path)
    masked = msgspec.structs.replace(received(1), weight=None)
    await store.commit([finished(0, 0), started(1), masked])
    store.mark_restored("monday")
    snapshot = store.load_federation()
    store.close()
    assert snapshot is not None
    assert (snapshot.open, snapshot.burnt) == (None, 1 + recording.FORGOTTEN_ROUNDS)


@pytest.mark.parametrize("record", STORY, ids=lambda record: type(record).__name__)
async def test_every_kind_of_record_has_its_place(tmp_path: Path, record: Record) -> None:
    store = Store.open(tmp_path)
    await store.commit(STORY[: STORY.index(record) + 1])
    assert store.load_federation() is not None
    store.close()
