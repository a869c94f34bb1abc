from pathlib import Path

import msgspec
import pytest
from a_coordinator import a_finished_run

from coordinator import keeping, offline
from coordinator.layout import Layout
from coordinator.opening import load_identity
from coordinator.refusals import BadDataError


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_finished_run(tmp_path_factory.mktemp("ran"))


def test_backup_and_restore(ran: Layout, tmp_path: Path) -> None:
    saved = keeping.make_backup(ran, tmp_path / "copy", with_identity=True)
    assert (saved.num_models, saved.newest_round, saved.has_identity) == (3, 2, True)
    back = Layout(tmp_path / "back")
    assert keeping.restore(back, tmp_path / "copy").newest_round == 2
    assert load_identity(back).id == load_identity(ran).id
    assert offline.status(back).model == offline.status(ran).model


def test_the_audit_chain_is_sound_and_shows_tampering(ran: Layout, tmp_path: Path) -> None:
    verdict = keeping.verify(ran, ())
    assert verdict.sound
    assert verdict.num_heads == 4
    actions = [entry.action for entry in keeping.entries(ran, after=0)]
    assert actions.count("round committed") == 3
    assert len(list(keeping.entries(ran, after=5))) == len(actions) - 5
    head = {"sequence": 1, "hash": "00" * 32, "signature": "00" * 64}
    path = tmp_path / "head.json"
    path.write_bytes(msgspec.json.encode(head))
    assert not keeping.verify(ran, (path,)).sound
    path.write_text("{}")
    with pytest.raises(BadDataError, match="holds no audit head"):
        keeping.verify(ran, (path,))
