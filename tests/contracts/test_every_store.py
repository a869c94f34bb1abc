"""What every store must do, in memory and on disk: remember exactly what was committed.

The reference is fedtui.rounds.history.replay: after any sequence of records, committed in any
grouping, with restarts in between, the store reads back what the fold of the records says.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.files import StoreConflict
from coordinator.store import Store
from fedtui.rounds.history import FederationSnapshot, replay
from fedtui.rounds.records import (
    Audited,
    Evaluated,
    FederationEnded,
    FederationPaused,
    FederationResumed,
    PhaseEntered,
    Record,
    RolledBack,
    RoundFailed,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)
from fedtui.rounds.spread import Spread

NODES = tuple(bytes([n]) * 32 for n in range(1, 7))


def digest(*parts: int) -> bytes:
    return bytes(parts).ljust(32, b"\0")


@pytest.fixture(params=["memory", "file"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened = Store.open(None if request.param == "memory" else tmp_path)
    yield opened
    opened.close()


def initial() -> RoundFinished:
    return RoundFinished(
        0, 0, model_digest=digest(0), checkpoint_name="m0", sums={}, seconds=0.0, num_bytes=8
    )


def started(round_: int = 1, attempt: int = 1, cohort: tuple[bytes, ...] = NODES) -> RoundStarted:
    return RoundStarted(
        round_,
        attempt,
        phase="INVITING",
        model_digest=digest(round_ - 1),
        cohort=cohort,
        deadline=5.25,
        incarnation=1,
    )


def received(node: bytes = NODES[0], round_: int = 1, attempt: int = 1) -> UpdateReceived:
    return UpdateReceived(
        round_,
        attempt,
        node=node,
        digest=digest(round_, attempt, node[0]),
        num_bytes=8,
        weight=3.0,
        sums={"loss_sum": 0.1, "examples": 3.0},
        seconds=round_ + node[0] / 8,
    )


def finished(round_: int = 1, attempt: int = 1) -> RoundFinished:
    return RoundFinished(
        round_,
        attempt,
        model_digest=digest(round_),
        checkpoint_name=f"m{round_}",
        sums={"examples": 12.0},
        seconds=1.5,
        num_bytes=8,
        spread=Spread(0.25, 0.3, 0.4, 2.75) if round_ else None,
    )


def scored(round_: int = 1, score: float = 0.5) -> Evaluated:
    return Evaluated(
        round=round_, model_digest=digest(round_), sums={"correct": 7.0}, score=score, num_nodes=3
    )


class Script:
    """Draws a plausible life of a federation, record by record."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.last = (0, 0)
        self.records: list[Record] = [initial()]

    def play(self) -> list[Record]:
        for round_ in range(1, self.draw(st.integers(0, 3)) + 1):
            for attempt in range(1, 4):
                if self.attempt(round_, attempt):
                    break
            else:
                return self.records
            for score in self.draw(st.lists(st.floats(0, 1), max_size=2)):
                self.records.append(scored(round_, score))
            if self.draw(st.booleans()):
                undone = RolledBack(*self.last, cause="accuracy fell")
                self.records.append(undone)
            self.now_and_then()
        if self.draw(st.booleans()):
            self.records.append(FederationEnded(reason="target", result_round=0))
        return self.records

    def now_and_then(self) -> None:
        kinds = st.sampled_from([FederationPaused(reason="lunch"), FederationResumed()])
        entry = Audited(actor="operator", action="looked", object="at it")
        self.records += self.draw(st.lists(kinds | st.just(entry), max_size=2))

    def attempt(self, round_: int, attempt: int) -> bool:
        cohort = self.draw(st.lists(st.sampled_from(NODES), min_size=1, unique=True))
        self.records.append(started(round_, attempt, tuple(sorted(cohort))))
        self.now_and_then()
        self.records.append(PhaseEntered(round_, attempt, phase="COLLECTING", deadline=9.0))
        came = self.draw(st.lists(st.sampled_from(cohort), unique=True))
        self.records += [received(node, round_, attempt) for node in came]
        end = self.draw(st.sampled_from(["finish", "fail", "vanish"]))
        if not came or end == "vanish":
            return False
        failed = RoundFailed(round_, attempt, cause="6 answered, 7 needed")
        if end == "fail":
            self.records.append(failed)
            return False
        survivors = self.draw(st.lists(st.sampled_from(came), min_size=1, unique=True))
        frozen = self.draw(st.sampled_from([b"", b"frozen"]))
        nodes = tuple(sorted(survivors))
        self.records.append(SurvivorsChosen(round_, attempt, nodes=nodes, frozen=frozen))
        after = self.draw(st.sampled_from(["finish", "finish", "vanish", "fail"]))
        if after != "finish":
            self.records += [failed] if after == "fail" else []
            return False
        self.records.append(finished(round_, attempt))
        self.last = (round_, attempt)
        return True


@st.composite
def lives(draw: st.DrawFn) -> list[Record]:
    return Script(draw).play()


def in_order(snapshot: FederationSnapshot | None) -> FederationSnapshot | None:
    """The snapshot with the updates under way in order of their nodes, as the store gives them."""
    if snapshot is None or snapshot.open is None:
        return snapshot
    updates = tuple(sorted(snapshot.open.updates, key=lambda update: update.node))
    return replace(snapshot, open=replace(snapshot.open, updates=updates))


def pieces(records: list[Record], cuts: list[int]) -> Iterator[list[Record]]:
    edges = [0, *sorted({cut % (len(records) + 1) for cut in cuts}), len(records)]
    for start, end in pairwise(edges):
        yield records[start:end]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an empty database, to be copied: making one takes a tenth of a second."""
    directory = tmp_path_factory.mktemp("fresh")
    Store.open(directory).close()
    return directory


@given(records=lives(), cuts=st.lists(st.integers(0, 50), max_size=2))
@settings(max_examples=30, deadline=None)
def test_I6_what_was_committed_is_what_a_restart_reads(
    tmp_path_factory: pytest.TempPathFactory, fresh: Path, records: list[Record], cuts: list[int]
) -> None:
    directory = tmp_path_factory.mktemp("lives") / "state"
    shutil.copytree(fresh, directory)

    async def many_lives() -> None:
        done: list[Record] = []
        for piece in pieces(records, cuts):
            store = Store.open(directory)
            await store.commit(piece)
            done += piece
            assert store.load_federation() == in_order(replay(done) if done else None)
            store.close()

    asyncio.run(many_lives())


async def test_a_life_without_a_restart_reads_the_same(store: Store) -> None:
    failed = RoundFailed(1, 1, cause="0 answered, 1 needed")
    again = [started(1, 2), received(attempt=2), SurvivorsChosen(1, 2, nodes=NODES[:1])]
    records = [initial(), started(), failed, *again, finished(1, 2), scored(), started(2)]
    for number, record in enumerate(records):
        await store.commit([record])
        assert store.load_federation() == replay(records[: number + 1])


def masked(round_: int, attempt: int) -> list[Record]:
    """An attempt under masks, up to its survivors."""
    begun = msgspec.structs.replace(started(round_, attempt), incarnation=3)
    came = [
        UpdateReceived(round_, attempt, node=node, digest=node, num_bytes=88, weight=None, sums={})
        for node in NODES[:3]
    ]
    chosen = SurvivorsChosen(round_, attempt, nodes=NODES[:3], frozen=b"the roster, U1 and U2")
    return [begun, *came, chosen]


async def test_a_masked_attempt_comes_back_with_all_that_finishes_it(store: Store) -> None:
    records: list[Record] = [initial(), *masked(1, 1)]
    await store.commit(records)
    snapshot = store.load_federation()
    assert snapshot == replay(records)
    assert snapshot is not None
    assert snapshot.open is not None
    assert (snapshot.open.incarnation, snapshot.open.survivors) == (3, NODES[:3])
    assert snapshot.open.frozen == b"the roster, U1 and U2"
    assert [update.weight for update in snapshot.open.updates] == [None, None, None]
    await store.commit([finished()])
    assert store.load_federation() == replay([*records, finished()])


async def test_only_a_masked_attempt_that_fails_with_survivors_burns_its_round(
    store: Store,
) -> None:
    early = [started(1, 1), received(), RoundFailed(1, 1, cause="too few")]
    burnt = [*masked(1, 2), RoundFailed(1, 2, cause="2 voted, 3 are needed")]
    later = [*masked(2, 1), finished(2)]
    records: list[Record] = [initial()]
    await store.commit(records)
    for more, expected in ((early, 0), (burnt, 1), (later, 1)):
        await store.commit(more)
        records += more
        snapshot = store.load_federation()
        assert snapshot == replay(records)
        assert snapshot is not None
        assert snapshot.burnt == expected


async def test_nothing_recorded_is_no_federation(store: Store) -> None:
    await store.commit([])
    await store.commit([Audited(actor="a", action="b", object="c")])
    assert store.load_federation() is None


async def test_I3_an_update_counts_at_most_once(store: Store) -> None:
    await store.commit([initial(), started()])
    copies = (store.commit([received()]) for _ in range(20))
    results = await asyncio.gather(*copies, return_exceptions=True)
    assert [type(r) for r in results].count(StoreConflict) == 19
    snapshot = store.load_federation()
    assert snapshot is not None
    assert snapshot.open is not None
    assert snapshot.open.updates == (received(),)


CONTRADICTIONS: dict[str, list[Record]] = {
    "an update of a round that never began": [received(round_=2)],
    "an update of an attempt that is over": [started(1, 2), received(attempt=1)],
    "an update of a stranger": [received(node=bytes(32))],
    "a phase of another attempt": [PhaseEntered(1, 9, phase="COLLECTING", deadline=1.0)],
    "survivors who sent nothing": [SurvivorsChosen(1, 1, nodes=(NODES[4],))],
    "no survivors": [SurvivorsChosen(1, 1, nodes=())],
    "an attempt begun twice": [started()],
    "a round finished twice": [finished(), finished()],
    "a finish of a failed attempt": [RoundFailed(1, 1, cause="x"), finished()],
    "two initial models": [initial()],
    "a failure of nothing": [RoundFailed(3, 1, cause="x")],
    "news after the end": [FederationEnded(reason="x", result_round=0), FederationPaused()],
    "a score that is no number": [scored(score=float("nan"))],
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
async def test_a_contradiction_is_refused_as_a_whole_and_alone(store: Store, name: str) -> None:
    await store.commit([initial(), started(), received()])
    before = store.load_federation()
    good = (store.commit([received(node)]) for node in NODES[1:3])
    bad = store.commit([received(NODES[5]), *CONTRADICTIONS[name]])
    results = await asyncio.gather(*good, bad, return_exceptions=True)
    assert [type(r) for r in results] == [type(None), type(None), StoreConflict]
    assert before is not None
    assert before.open is not None
    updates = (*before.open.updates, received(NODES[1]), received(NODES[2]))
    assert store.load_federation() == replace(before, open=replace(before.open, updates=updates))


async def test_the_federation_has_an_id_and_a_life_has_a_number(store: Store) -> None:
    assert len(store.federation_id) == 32
    assert store.incarnation == 1
