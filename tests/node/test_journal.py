"""The journal: what was voted for is known for ever, once, and never contradicted."""

from dataclasses import replace

import msgspec
import pytest

from fedtui.crypto.keys import fingerprint
from fedtui.rounds import masking_steps
from fedtui.rounds.claims import Claim
from fedtui.secagg.context import Attempt
from node import journal, lines
from node.journal import ConflictError, Journal
from node.paths import Profile

ATTEMPT = Attempt(
    federation_id=b"f" * 32,
    coordinator_id=b"c" * 32,
    purpose="update",
    round=3,
    attempt=1,
    incarnation=1,
    model_digest=b"m" * 32,
    plan_hash=b"p" * 32,
)


def attempt(**changes: object) -> Attempt:
    fields = {name: getattr(ATTEMPT, name) for name in Attempt.__slots__}
    return Attempt(**(fields | changes))


def step(kind: str = "vote", sets: tuple[bytes, bytes] = (b"1", b"2"), **changes: object):
    return masking_steps.Journal(kind, attempt(**changes), sets, 5)


def open_journal(home: Profile, **changes: bytes) -> Journal:
    ids = {"federation_id": b"f" * 32, "coordinator_id": b"c" * 32}
    return Journal(home.journal, **(ids | changes), clock=lambda: 7.0)


def test_votes_are_known_after_a_restart_to_their_federation_and_coordinator(
    home: Profile,
) -> None:
    book = open_journal(home)
    assert book.note(step())
    assert book.note(step("reveal"))
    assert book.note(step(purpose="evaluation", round=2))
    book.close()
    again = open_journal(home)
    assert again.voted == {("update", 3), ("evaluation", 2)}
    assert again.stuck == {b"m" * 32: 1}, "sums over a model that is measured are not counted"
    again.close()
    for changes in ({"federation_id": b"g" * 32}, {"coordinator_id": b"d" * 32}):
        other = open_journal(home, **changes)
        assert other.voted == frozenset()
        assert other.stuck == {b"m" * 32: 1}, "a coordinator can call itself another one"
        other.close()


def test_a_vote_keeps_what_was_claimed_of_its_sum_and_who_is_not_in_it(home: Profile) -> None:
    claim = Claim(invited=30, ready=25, colluders=6, minimum=15, threshold=16)
    lost = tuple(bytes([n]) * 32 for n in range(15))
    book = open_journal(home)
    book.note(replace(step(), claim=claim, lost=lost))
    book.note(step("reveal"))
    book.note(step(purpose="evaluation", round=2))
    book.close()
    (vote,) = journal.votes(home.journal)
    assert (vote.round, vote.attempt, vote.num_survivors) == (3, 1, 5)
    assert (vote.invited, vote.ready, vote.threshold) == (30, 25, 16)
    assert (vote.colluders, vote.num_honest) == (6, 9)
    assert (vote.num_lost, vote.lost) == (15, tuple(map(fingerprint, lost[:12])))


def test_the_same_step_is_written_once(home: Profile) -> None:
    book = open_journal(home)
    assert [book.note(step()) for _ in range(3)] == [True, False, False]
    assert [book.note(step("reveal")) for _ in range(3)] == [True, False, False]
    book.close()
    again = open_journal(home)
    assert not again.note(step())
    assert not again.note(step("reveal"))
    assert len(list(journal.entries(home.journal))) == 2
    again.close()


@pytest.mark.parametrize(
    "other",
    [
        step(sets=(b"1", b"3")),
        step(sets=(b"0", b"2")),
        step(attempt=2),
        step("reveal", (b"1", b"x")),
    ],
    ids=["survivors", "U1", "attempt", "reveal"],
)
def test_another_set_of_the_same_round_is_never_written(
    home: Profile, other: masking_steps.Journal
) -> None:
    book = open_journal(home)
    book.note(step())
    book.close()
    again = open_journal(home)
    with pytest.raises(ConflictError, match="another sum of round 3"):
        again.note(other)
    assert len(list(journal.entries(home.journal))) == 1
    again.close()


def test_votes_on_a_model_count_until_a_result_or_the_operators_word(home: Profile) -> None:
    book = open_journal(home)
    for number in (3, 4):
        book.note(step(round=number))
    assert book.stuck == {b"m" * 32: 2}
    book.result(2, b"m" * 32)  # said again: it is the model that the votes were for
    assert book.stuck == {b"m" * 32: 2}
    book.result(4, b"n" * 32)
    assert book.stuck == {}
    book.note(step(round=5))
    book.close()
    again = open_journal(home)
    assert again.stuck == {b"m" * 32: 1}
    again.allow()
    assert again.stuck == {}
    again.close()
    assert open_journal(home).stuck == {}
    kinds = [entry.kind for entry in journal.entries(home.journal) if entry]
    assert kinds == ["vote", "vote", "result", "vote", "allowed"]


def test_results_and_permissions_that_end_nothing_are_not_written(home: Profile) -> None:
    book = open_journal(home)
    book.result(1, b"n" * 32)
    book.allow()
    assert home.journal.read_bytes() == b""
    book.close()


def test_another_federations_result_ends_no_vote_of_ours(home: Profile) -> None:
    book = open_journal(home)
    book.note(step())
    book.close()
    other = open_journal(home, federation_id=b"g" * 32)
    other.result(1, b"n" * 32)
    assert other.stuck == {b"m" * 32: 1}
    other.close()


def test_L5_what_is_not_on_disk_was_not_voted(
    home: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = open_journal(home)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(lines, "_sync", full)
        with pytest.raises(OSError, match="space"):
            book.note(step())
    assert book.voted == frozenset()
    assert home.journal.read_bytes() == b""
    assert book.note(step())
    book.close()


def test_a_torn_line_is_cut_and_a_damaged_one_kept_and_counted(home: Profile) -> None:
    book = open_journal(home)
    book.note(step())
    book.close()
    whole = home.journal.read_bytes()
    home.journal.write_bytes(whole + b"\xff nonsense\n" + whole[:10])
    again = open_journal(home)
    assert (again.torn_bytes, again.num_damaged) == (10, 1)
    assert again.voted == {("update", 3)}
    assert home.journal.read_bytes() == whole + b"\xff nonsense\n"
    again.close()


def test_a_line_can_be_read_by_any_tool(home: Profile) -> None:
    book = open_journal(home)
    book.note(step())
    book.close()
    found = msgspec.json.decode(home.journal.read_bytes())
    assert found == {
        "kind": "vote",
        "at": 7.0,
        "federation": (b"f" * 32).hex(),
        "coordinator": (b"c" * 32).hex(),
        "purpose": "update",
        "round": 3,
        "attempt": 1,
        "model": (b"m" * 32).hex(),
        "context": "31",
        "survivors": "32",
        "num_survivors": 5,
    }
    assert home.journal.stat().st_mode & 0o777 == 0o600
