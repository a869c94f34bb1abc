from itertools import product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.roster import PHASES, ROLES, STATES, Member, Roster, allowed, kind_of
from fedtui.rounds.federation import Phase
from fedtui.wire.messages import Control, Echo, Fetch, Leaving, Open

# Every message there is, whoever may send it, as the table spells it.
NAMES = {message.__name__ for message in get_args(Control)} - {"Fetch", "Open"}
KINDS = NAMES | {
    "Fetch.plan",
    "Fetch.model",
    "Open.plan",
    "Open.model",
    "Open.update",
    "Open.masked",
}
CROSS = sorted(product(ROLES, STATES, KINDS, PHASES))


def by_the_book(role: str, state: str, kind: str, phase: str) -> bool:
    """The rules as docs/threat-model.md says them, written without looking at the table."""
    if state not in {"pending", "enrolled"}:
        return False
    if kind in {"Echo", "EchoReply", "SessionReady", "Leaving"}:
        return True
    if kind in {"Accept", "Refuse", "Receipt", "Cancel", "Fetch.plan"}:
        return True
    if state == "pending":
        return False
    if kind == "RotateKey":
        return True
    if kind == "Fetch.model":
        return role != "observer"
    if phase == "ENDED":
        return False
    if kind == "Away":
        return True
    if kind == "Evaluation":
        return role in {"participant", "evaluator"}
    return role == "participant" and kind in {
        "Accepting",
        "Declining",
        "Progress",
        "Open.update",
        "Open.masked",
        "Ready",
        "Shares",
        "MaskedSums",
        "Vote",
        "Reveal",
    }


def test_E4_the_whole_cross_product_is_denied_but_for_the_table() -> None:
    wrong = [c for c in CROSS if allowed(*c) is not by_the_book(*c)]
    assert wrong == []
    assert len(CROSS) == 3 * 5 * len(KINDS) * 5
    assert 0 < sum(allowed(*c) for c in CROSS) < len(CROSS) / 4


def test_E4_nothing_of_the_coordinator_is_taken_from_a_node() -> None:
    ours = {"Offer", "Abort", "Result", "Evaluate", "Scored", "Waiting", "Ended", "Rotated"}
    ours |= {"Roster", "Mailbox", "Survivors", "Votes"}
    ours |= {"Welcome", "Enrolled", "Open.plan", "Open.model"}
    assert ours <= KINDS
    assert not any(allowed(*c) for c in CROSS if c[2] in ours)


@pytest.mark.parametrize("role", ["evaluator", "observer"])
@pytest.mark.parametrize("phase", PHASES)
def test_E4_only_participants_send_updates(role: str, phase: str) -> None:
    assert not allowed(role, "enrolled", "Open.update", phase)
    assert not allowed(role, "enrolled", "Open.masked", phase)


@settings(deadline=None)
@given(
    st.tuples(
        st.sampled_from([*ROLES, "admin", "", "Participant"]) | st.text(),
        st.sampled_from([*STATES, "ENROLLED", ""]) | st.text(),
        st.sampled_from([*sorted(KINDS), "Open", "Fetch", "open.update"]) | st.text(),
        st.sampled_from([*PHASES, "", "round"]) | st.text(),
    )
)
def test_E4_what_has_no_name_here_is_denied(case: tuple[str, str, str, str]) -> None:
    role, state, kind, phase = case
    known = role in ROLES and state in STATES and kind in KINDS and phase in PHASES
    assert known or not allowed(*case)


def test_the_phases_are_those_of_the_federation() -> None:
    assert set(PHASES) == {phase.name for phase in Phase}


def test_kinds_say_what_a_stream_is_about() -> None:
    opened = Open(stream=1, kind="update", num_bytes=1, digest=bytes(32))
    assert kind_of(opened) == "Open.update"
    assert kind_of(Fetch(kind="model", digest=bytes(32))) == "Fetch.model"
    assert [kind_of(Echo(nonce=1)), kind_of(Leaving())] == ["Echo", "Leaving"]


def member(number: int, **changes: object) -> Member:
    fields: dict[str, object] = {
        "node_id": bytes([number]) * 32,
        "x25519": bytes(32),
        "ed25519": bytes(32),
        "label": f"node {number}",
        "role": "participant",
        "state": "enrolled",
        "address": "",
        "invite": None,
        "created": 0.0,
        "approved_by": None,
        "revoked_at": None,
        "last_seen": None,
    }
    return Member(**(fields | changes))  # type: ignore[arg-type]


def test_the_roster_shows_changes_at_once_and_knows_nobody_else() -> None:
    roster = Roster([member(1), member(2, role="evaluator"), member(3, state="pending")])
    one, two, three = (bytes([n]) * 32 for n in (1, 2, 3))
    assert roster.enrolled() == {one, two}
    assert roster.enrolled("evaluator") == {two}
    assert roster.allows(one, "Open.update", "ROUND")
    assert not roster.allows(two, "Open.update", "ROUND")
    assert not roster.allows(three, "Open.update", "ROUND")
    assert not roster.allows(bytes(32), "Echo", "ROUND")
    before = roster.members
    roster.show({one: member(1, state="expelled"), three: member(3)})
    assert roster.enrolled() == {two, three}
    assert not roster.allows(one, "Echo", "ROUND")
    assert before[one].state == "enrolled"  # a view taken before does not change under its reader
    assert roster.get(bytes(32)) is None
