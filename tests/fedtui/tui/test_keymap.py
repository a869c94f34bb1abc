"""Keys: none that a terminal eats, conflicts said, the operator's own first."""

import pytest

from fedtui.tui.commands import COMMANDS
from fedtui.tui.keymap import EATEN, bindings, owners, problems, shown


def test_no_key_is_one_that_terminals_eat() -> None:
    keys = {key for command in COMMANDS for key in command.keys}
    assert not keys & EATEN
    assert not [key for key in keys if key.startswith("alt+")]


def test_every_key_is_bound_once_and_has_an_id() -> None:
    made = bindings()
    assert len({one.key for one in made}) == len(made)
    assert all(one.id for one in made)


def test_only_pause_and_resume_share_a_key() -> None:
    for key in {key for command in COMMANDS for key in command.keys}:
        found = owners(key, {})
        assert len(found) == 1 or set(found) == {"pause", "resume"}


def test_a_key_of_the_operators_own_moves_the_command() -> None:
    keys = {"ledger": "f9"}
    assert owners("f9", keys) == ("ledger",)
    assert owners("x", keys) == ()
    assert problems(keys) == []


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"fly": "f9"}, "no command 'fly'"),
        ({"ledger": "ctrl+q"}, "never reaches"),
        ({"ledger": "alt+1"}, "never reaches"),
        ({"ledger": "q"}, "already detach"),
        ({"ledger": "f9", "leave": "f9"}, "already"),
    ],
)
def test_a_key_that_cannot_be_is_said(keys: dict[str, str], says: str) -> None:
    assert any(says in problem for problem in problems(keys))


def test_keys_are_printed_as_people_know_them() -> None:
    assert [shown(key) for key in ("question_mark", "ctrl+p", "x")] == ["?", "^p", "x"]
