"""What a coordinator's screen is told, as it crosses the socket."""

import msgspec
from fake_coordinator import BOARD, INVITE, INVITES

from fedtui.status.coordinator import Board, InviteLine, MadeInvite


def test_a_board_survives_the_socket_and_a_newer_coordinator() -> None:
    encoded = msgspec.json.encode(BOARD)
    assert msgspec.json.decode(encoded, type=Board) == BOARD
    newer = msgspec.json.decode(encoded) | {"something": "new"}
    assert msgspec.json.decode(msgspec.json.encode(newer), type=Board) == BOARD


def test_only_the_made_invite_holds_its_text_and_no_representation_does() -> None:
    made = MadeInvite(
        invite=INVITE, id="0" * 16, expires=0.0, uses=1, role="observer", addresses=()
    )
    assert INVITE not in repr(made)
    assert "invite" not in InviteLine.__struct_fields__
    assert INVITE.encode() not in msgspec.json.encode((BOARD, INVITES))
