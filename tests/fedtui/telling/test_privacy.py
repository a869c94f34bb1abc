"""The privacy figures are those of docs/threat-model.md: of the plan, a cohort, or a roster."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from a_plan import COORDINATOR, MANIFEST, NODE, model_ref
from a_plan import PLAN as VISIBLE_PLAN
from hypothesis import assume, given
from hypothesis import strategies as st
from masked_cohort import PEERS, PLAN

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.rounds import claims
from fedtui.rounds.plan import PrivacySection, SelectionSection, plan_hash
from fedtui.secagg.context import Attempt
from fedtui.secagg.coordinator import Coordinator
from fedtui.secagg.participant import Participant
from fedtui.secagg.terms import Terms
from fedtui.telling import privacy
from fedtui.wire.messages import Roster, RosterEntry

IDS = tuple(sorted(peer.id for peer in (*PEERS, NODE)))
ATTEMPT = Attempt(
    federation_id=b"f" * 32,
    coordinator_id=COORDINATOR.id,
    purpose="update",
    round=1,
    attempt=1,
    incarnation=1,
    model_digest=model_ref().digest,
    plan_hash=plan_hash(PLAN, MANIFEST),
)

ENTRY = RosterEntry(
    **dict.fromkeys(("x25519", "ed25519", "mask_key", "share_key", "commitment"), b"k" * 32),
    not_before=0,
    certificate=b"c" * 64,
    signature=b"s" * 64,
)


def test_a_plans_smallest_cohort_while_nothing_runs() -> None:
    found = privacy.seen(PLAN, "participant")
    assert found.masked
    assert (found.cohort, found.threshold, found.minimum, found.colluders) == (3, 3, 3, 1)
    assert "sums over 3 nodes or more" in found.coordinator_sees
    assert "the other 2 or more" in found.others_see
    assert found.if_collude == claims.of_plan(PLAN)
    assert found.keystream == "chacha20"
    assert found.roster_hash == ""


@pytest.mark.parametrize(
    ("size", "colluders", "threshold", "least", "honest"),
    [(5, 1, 4, 3, 2), (10, 2, 7, 5, 2), (20, 4, 13, 10, 4), (100, 20, 61, 50, 16)],
)
def test_before_the_roster_what_holds_of_the_smallest_one_is_promised(
    size: int, colluders: int, threshold: int, least: int, honest: int
) -> None:
    plan = msgspec.structs.replace(PLAN, privacy=PrivacySection(largest_cohort=200))
    found = privacy.seen(plan, "participant", privacy.cohort_of(plan, size))
    assert (found.cohort, found.colluders, found.threshold) == (size, colluders, threshold)
    assert f"sums over {least} nodes" in found.coordinator_sees
    assert f"least {honest} honest nodes" in found.if_collude


@given(st.integers(3, 100), st.none() | st.integers(1, 20), st.integers(1, 8), st.data())
def test_no_sentence_promises_more_than_a_node_enforces(
    size: int, colluders: int | None, selected: int, data: st.DataObject
) -> None:
    plan = msgspec.structs.replace(
        PLAN,
        privacy=PrivacySection(colluders=colluders, largest_cohort=100),
        selection=SelectionSection(minimum=selected),
    )
    offered = privacy.cohort_of(plan, size)
    assume(offered.claim.minimum <= size)  # else the node takes no part
    ready = data.draw(st.integers(offered.claim.minimum, size))
    numbers = offered.claim
    roster = Roster(
        incarnation=1,
        round=1,
        attempt=1,
        entries=(ENTRY,) * ready,
        colluders=numbers.colluders,
        minimum=numbers.minimum,
        degree=ready - 1,
        signature=b"s" * 64,
    )
    there = privacy.cohort_in(roster, invited=size)
    assert there.claim == claims.of_round(plan, invited=size, ready=ready)
    assert 2 <= offered.claim.num_honest <= there.claim.num_honest
    assert offered.least <= there.least
    assert there.threshold <= offered.threshold
    assert privacy.numbers_of(there).need == max(numbers.minimum, there.threshold)


def test_a_roster_has_the_hash_that_the_nodes_themselves_go_by() -> None:
    half = Coordinator(ATTEMPT, COORDINATOR, colluders=1, minimum=3)
    nodes = {
        one.id: Participant(
            ATTEMPT,
            Terms(colluders=1, minimum=3, largest=4),
            signer=one,
            coordinator=COORDINATOR.public,
            entropy=np.random.default_rng(one.id[0]).bytes,
        )
        for one in (NODE, *PEERS)
    }
    for one in (NODE, *PEERS):
        assert half.ready(one.public, 1, nodes[one.id].advertise())
    roster = half.introduce(1)
    assert privacy.ids_in(roster) == IDS
    found = privacy.agreed_on(ATTEMPT, roster)
    assert (len(found.hash), found.keystream) == (64, "chacha20")
    other = msgspec.structs.replace(roster, minimum=4)
    assert privacy.agreed_on(ATTEMPT, other) != found
    later = replace(ATTEMPT, attempt=2)
    assert privacy.agreed_on(later, roster) != found
    cohort = privacy.cohort_in(roster, invited=5)
    claim = cohort.claim
    assert (claim.ready, claim.threshold, claim.minimum, claim.colluders) == (4, 3, 3, 1)
    seen = privacy.seen(PLAN, "participant", cohort, agreed=found)
    assert (seen.cohort, seen.roster_hash) == (4, found.hash)
    assert privacy.numbers_of(cohort).need == 3


def test_visible_updates_and_bystanders_are_told_what_is_read() -> None:
    found = privacy.seen(VISIBLE_PLAN, "participant")
    assert (found.masked, found.threshold, found.keystream) == (False, 0, "")
    assert found.coordinator_sees.startswith("each update of yours")
    evaluator = privacy.seen(PLAN, "evaluator")
    assert "sums over your test examples" in evaluator.coordinator_sees
    assert privacy.seen(PLAN, "observer").coordinator_sees.startswith("nothing")


def test_peers_who_is_new_who_is_lost_and_who_is_this_node() -> None:
    told = privacy.peers(IDS, me=NODE.id, new={IDS[0]}, kept={0, 1, 2})
    assert [one.fingerprint for one in told] == [fingerprint(one) for one in IDS]
    assert [one.is_new for one in told] == [True, False, False, False]
    assert [one.lost for one in told] == [False, False, False, True]
    assert [one.is_me for one in told] == [one == NODE.id for one in IDS]


def test_of_a_thousand_peers_those_are_shown_that_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "MAX_PEERS", 3)
    ids = (*(Identity.from_seed(bytes([n]) * 32).id for n in range(20, 26)), NODE.id)
    told = privacy.peers(ids, me=NODE.id, new={ids[4]}, kept=set(range(7)) - {5})
    assert len(told) == 3
    assert any(one.is_me for one in told)
    assert any(one.is_new for one in told)
    assert any(one.lost for one in told)
