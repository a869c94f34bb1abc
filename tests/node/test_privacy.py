"""The privacy figures are those of docs/threat-model.md: of the plan, a cohort, or a roster."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from fake_coordinator import COORDINATOR, MANIFEST, NODE, model_ref
from fake_coordinator import PLAN as VISIBLE_PLAN
from hypothesis import assume, given
from hypothesis import strategies as st
from masked_cohort import PEERS, PLAN

from fedtui.crypto.keys import Identity, fingerprint
from fedtui.rounds.plan import PrivacySection, SelectionSection, plan_hash
from fedtui.secagg.context import Attempt
from fedtui.secagg.coordinator import Coordinator
from fedtui.secagg.participant import Participant, Terms
from node import privacy

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


def test_a_plans_smallest_cohort_while_nothing_runs() -> None:
    found = privacy.seen(PLAN, "participant")
    assert found.masked
    assert (found.cohort, found.threshold, found.minimum, found.colluders) == (3, 3, 3, 1)
    assert "sums over 3 nodes or more" in found.coordinator_sees
    assert "the other 2 or more" in found.others_see
    assert "up to 1 node: at most sums over 2 other nodes" in found.if_collude
    assert found.keystream == "ChaCha20"
    assert found.roster_hash == ""


@pytest.mark.parametrize(
    ("size", "colluders", "threshold", "least", "hidden"),
    [(5, 1, 4, 4, 2), (10, 2, 7, 7, 3), (20, 4, 13, 13, 6), (100, 20, 61, 61, 30)],
)
def test_the_numbers_of_the_documents_table(
    size: int, colluders: int, threshold: int, least: int, hidden: int
) -> None:
    plan = msgspec.structs.replace(PLAN, privacy=PrivacySection(largest_cohort=200))
    cohort = privacy.cohort_of(plan, size)
    assert (cohort.colluders, cohort.threshold, cohort.least) == (colluders, threshold, least)
    assert cohort.hidden_in == hidden
    found = privacy.seen(plan, "participant", cohort)
    assert f"sums over {least} nodes" in found.coordinator_sees
    assert f"sums over {hidden} other nodes" in found.if_collude


@given(st.integers(3, 100), st.none() | st.integers(1, 20), st.integers(1, 8))
def test_no_sentence_promises_more_than_a_node_enforces(
    size: int, colluders: int | None, selected: int
) -> None:
    plan = msgspec.structs.replace(
        PLAN,
        privacy=PrivacySection(colluders=colluders, largest_cohort=100),
        selection=SelectionSection(minimum=selected),
    )
    cohort = privacy.cohort_of(plan, size)
    assume(cohort.minimum <= size)  # else the node takes no part
    assert cohort.hidden_in >= 2
    assert cohort.hidden_in <= cohort.least - cohort.colluders
    assert cohort.minimum >= cohort.colluders + 2


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
    found = privacy.roster_hash(ATTEMPT, roster)
    other = msgspec.structs.replace(roster, minimum=4)
    assert privacy.roster_hash(ATTEMPT, other) != found
    later = replace(ATTEMPT, attempt=2)
    assert privacy.roster_hash(later, roster) != found
    cohort = privacy.cohort_in(roster)
    assert (cohort.size, cohort.threshold, cohort.minimum, cohort.colluders) == (4, 3, 3, 1)
    seen = privacy.seen(PLAN, "participant", cohort, roster_hash=found)
    assert (seen.cohort, seen.roster_hash) == (4, found)
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
