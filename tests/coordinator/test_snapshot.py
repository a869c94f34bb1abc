from pathlib import Path

from coordinator import database, snapshot
from coordinator.store import Enrolment, Store
from fedtui.crypto.keys import Identity
from fedtui.rounds.history import replay
from fedtui.rounds.records import (
    Evaluated,
    RoundFinished,
    RoundStarted,
    SurvivorsChosen,
    UpdateReceived,
)


async def test_a_command_beside_the_coordinator_reads_the_same(tmp_path: Path) -> None:
    """The contract with `replay` is tested in tests/contracts/test_every_store.py."""
    records = [
        RoundFinished(
            0, 0, model_digest=b"m" * 32, checkpoint_name="m0", sums={}, seconds=0.0, num_bytes=4
        ),
        Evaluated(round=0, model_digest=b"m" * 32, sums={"correct": 1.0}, score=0.1, num_nodes=2),
        Evaluated(round=9, model_digest=b"x" * 32, sums={}, score=0.9, num_nodes=1),
    ]
    store = Store.open(tmp_path)
    with database.reading(tmp_path) as connection:
        assert snapshot.load(connection, store.federation_id) is None
    await store.commit(records)
    with database.reading(tmp_path) as connection:
        found = snapshot.load(connection, store.federation_id)
    assert found == store.load_federation() == replay(records)
    store.close()


async def test_thousands_of_rounds_of_the_same_nodes_are_read_as_one_list(tmp_path: Path) -> None:
    who = [Identity.from_seed(bytes([n]) * 32).public for n in (1, 2)]
    nodes = tuple(sorted(one.id for one in who))
    store = Store.open(tmp_path)
    for one in who:
        await store.enrol(Enrolment(identity=one, label="", role="participant", address=""), now=0)
    for number in (0, 1, 2, 3):
        if number:
            begun = RoundStarted(
                number,
                1,
                phase="INVITING",
                model_digest=b"m" * 32,
                cohort=nodes,
                deadline=0.0,
                incarnation=1,
            )
            updates = [
                UpdateReceived(number, 1, node=node, digest=node, num_bytes=4, weight=1.0, sums={})
                for node in nodes
            ]
            await store.commit([begun, *updates, SurvivorsChosen(number, 1, nodes=nodes)])
        done = RoundFinished(
            number,
            1 if number else 0,
            model_digest=b"m" * 32,
            checkpoint_name="m",
            sums={},
            num_bytes=4,
        )
        await store.commit([done])
    found = store.load_federation()
    assert found is not None
    assert [r.cohort for r in found.rounds] == [(), nodes, nodes, nodes]
    assert len({id(r.cohort) for r in found.rounds[1:]}) == 1
    assert len({id(node) for r in found.rounds[1:] for node in r.cohort + r.survivors}) == 2
    store.close()
