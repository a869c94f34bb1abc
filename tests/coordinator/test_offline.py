from pathlib import Path

import pytest
from a_coordinator import a_finished_run, make

from coordinator import offline
from coordinator.asks import AskInvite
from coordinator.layout import Layout
from coordinator.opening import load_identity
from coordinator.refusals import BadRequestError
from fedtui.wire.invite import Invite


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    return a_finished_run(tmp_path_factory.mktemp("ran"))


def test_offline_status_and_nodes(ran: Layout) -> None:
    status = offline.status(ran)
    assert (status.running, status.state, status.ended) == (False, "ended", "all 2 rounds done")
    assert [r.bytes_up for r in status.rounds] == [None, None]
    nodes = offline.nodes(ran)
    assert [(n.label, n.state, n.connected) for n in nodes] == [
        ("n1", "enrolled", False),
        ("n3", "enrolled", False),
    ]


def test_an_invite_without_a_running_coordinator(tmp_path: Path) -> None:
    layout = make(tmp_path / "f")
    with pytest.raises(BadRequestError, match="start it first"):
        offline.invite(layout, AskInvite())
    layout.config.write_text(layout.config.read_text().replace("port = 0", "port = 8443", 1))
    made = offline.invite(layout, AskInvite(uses=2))
    invite = Invite.parse(made.invite)
    assert invite.coordinator_id == load_identity(layout).id
    assert invite.addresses == ("127.0.0.1:8443",)
    assert offline.status(layout).incarnation == 2
