"""How updates looked is kept beside them, of rounds that were finished."""

from pathlib import Path

from coordinator import database, figures
from coordinator.store import Enrolment, Store
from fedtui.crypto.keys import Identity
from fedtui.rounds.figures import Figure
from fedtui.rounds.records import Record, RoundFinished, RoundStarted, UpdateReceived

WHO = [Identity.from_seed(bytes([n]) * 32).public for n in (1, 2)]
NODES = tuple(sorted(one.id for one in WHO))


def a_round(number: int, *looks: Figure) -> list[Record]:
    begun = RoundStarted(
        number,
        1,
        phase="INVITING",
        model_digest=b"m" * 32,
        cohort=NODES,
        deadline=0.0,
        incarnation=1,
    )
    updates = [
        UpdateReceived(number, 1, node=node, digest=node, num_bytes=4, weight=1.0, sums={})
        for node in NODES
    ]
    done = RoundFinished(
        number, 1, model_digest=b"m" * 32, checkpoint_name="m", sums={}, figures=looks
    )
    return [begun, *updates, done]


async def test_the_newest_of_each_node_survives_a_restart(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    for one in WHO:
        await store.enrol(Enrolment(identity=one, label="", role="participant", address=""), now=0)
    first, second = (Figure(node, 2.0, 0.5) for node in NODES)
    newer = Figure(NODES[0], 3.0, None)
    kept = figures.Figures()
    for records in (a_round(1, first, second), a_round(2, newer), a_round(3)):
        await store.commit(records)
        kept.committed(records)
    assert kept.of == {NODES[0]: (2, newer), NODES[1]: (1, second)}
    assert (kept.of_round(1), kept.of_round(2), kept.of_round(3)) == ((second,), (newer,), ())
    with database.reading(tmp_path) as connection:
        assert figures.load(connection, store.federation_id).of == kept.of
    store.close()
    again = Store.open(tmp_path)
    assert again.load_figures().of == kept.of
    again.close()
