from pathlib import Path

from coordinator import database, snapshot
from coordinator.store import Store
from fedtui.rounds.history import replay
from fedtui.rounds.records import Evaluated, RoundFinished


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
