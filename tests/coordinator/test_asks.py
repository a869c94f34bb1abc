from typing import get_args

import msgspec
import pytest

from coordinator.asks import AnyAsk, AskInvite, AskRevokeInvite, Role
from fedtui.wire import messages


def test_the_roles_are_those_of_the_wire() -> None:
    assert get_args(Role) == get_args(messages.Role)


BARE = [kind for kind in get_args(AnyAsk) if not {"fingerprint", "id"} & {*kind.__struct_fields__}]


@pytest.mark.parametrize("ask", BARE)
def test_every_ask_survives_the_socket(ask: type[msgspec.Struct]) -> None:
    made = ask()
    assert msgspec.json.decode(msgspec.json.encode(made), type=AnyAsk) == made


@pytest.mark.parametrize("text", ["", "0" * 15, "0" * 17, "G" * 16, "0" * 16 + "\n"])
def test_an_invite_is_named_by_its_whole_id(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": "AskRevokeInvite", "id": text}, AskRevokeInvite)


@pytest.mark.parametrize(
    "wrong", [{"uses": 0}, {"uses": 10**9}, {"hours": -1}, {"hours": 1e9}, {"role": "king"}]
)
def test_an_invite_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"type": "AskInvite", **wrong}, AskInvite)
