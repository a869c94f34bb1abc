"""The terms: hostile bytes are refused, changes are named, the summary says all that leaves."""

import msgspec
import pytest
from fake_federation import MANIFEST, PLAN
from hypothesis import given
from hypothesis import strategies as st
from masked_cohort import PLAN as MASKED_PLAN

from fedtui.errors import RemoteProtocolError
from fedtui.learning.training import TrainingSpec
from fedtui.rounds import claims, masking
from fedtui.rounds.plan import MASKED, PrivacySection, plan_hash
from fedtui.wire import codec
from fedtui.wire.messages import Terms
from node import terms
from node.paths import Profile

HASH = plan_hash(PLAN, MANIFEST)
DATA = codec.canonical(Terms(plan=codec.canonical(PLAN), manifest=MANIFEST))


def test_what_is_saved_is_loaded_only_for_its_hash(home: Profile) -> None:
    assert terms.load(home.terms) is None
    terms.save(home.terms, DATA)
    found = terms.load(home.terms, HASH)
    assert found is not None
    assert (found.plan, found.manifest, found.plan_hash) == (PLAN, MANIFEST, HASH)
    assert terms.load(home.terms) == found
    assert terms.load(home.terms, b"x" * 32) is None
    home.terms.write_bytes(DATA[:-1])
    assert terms.load(home.terms, HASH) is None


@given(st.binary(max_size=200) | st.integers(0, len(DATA) - 1).map(lambda n: DATA[:n]))
def test_any_other_bytes_are_a_remote_mistake(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        terms.read(data, HASH)


def test_every_changed_value_is_named() -> None:
    changed = msgspec.structs.replace(PLAN, seed=9, training=TrainingSpec(epochs=3))
    said = terms.differences(PLAN, changed)
    assert any("seed" in one and "9" in one for one in said)
    assert any("epochs" in one and "3" in one for one in said)
    assert terms.differences(PLAN, PLAN) == ()


def test_the_summary_says_what_leaves_in_which_form_and_who_reads_it() -> None:
    found = terms.summary(terms.read(DATA, HASH), label="alice")
    assert found.plan_hash == HASH.hex()
    assert found.num_model_bytes == MANIFEST.num_bytes
    items = " ".join(one.item for one in found.leaves)
    for word in ("update", "examples", "loss_sum", "alice", "address"):
        assert word in items
    assert all(one.form == terms.VISIBLE for one in found.leaves)
    assert all("coordinator" in one.reader for one in found.leaves)


MASKED_TERMS = codec.canonical(Terms(plan=codec.canonical(MASKED_PLAN), manifest=MANIFEST))
MASKED_AGREEMENT = terms.read(MASKED_TERMS, plan_hash(MASKED_PLAN, MANIFEST))


def test_under_masks_nobody_reads_an_update_and_the_terms_of_that_are_said() -> None:
    found = terms.summary(MASKED_AGREEMENT, label="alice")
    assert found.privacy == claims.of_plan(MASKED_PLAN)
    update, counts, connection = found.leaves
    assert update.form == counts.form == MASKED
    assert update.reader == counts.reader
    assert update.reader == (
        "nobody: the coordinator reads the sum of at least 3 nodes, as long as at most 1 of them "
        "colludes with it"
    )
    assert "examples" in counts.item
    assert "loss_sum" in counts.item
    visible = terms.summary(terms.read(DATA, HASH), label="alice")
    assert visible.privacy == "updates are visible to the coordinator"
    assert connection == visible.leaves[-1], "names and times are seen either way"


def test_an_evaluators_sums_are_visible_even_then() -> None:
    sums, _ = terms.summary(MASKED_AGREEMENT, label="eve", role="evaluator").leaves
    assert sums.form == terms.VISIBLE
    assert "test examples" in sums.item


@pytest.mark.parametrize("masked", [False, True])
def test_no_update_leaves_an_evaluator_and_no_sums_an_observer(masked: bool) -> None:
    agreement = MASKED_AGREEMENT if masked else terms.read(DATA, HASH)
    sums, evaluator = terms.summary(agreement, label="eve", role="evaluator").leaves
    (observer,) = terms.summary(agreement, label="eve", role="observer").leaves
    assert "loss_sum" in sums.item
    assert "update" not in sums.item
    assert "update" not in sums.when
    assert observer == evaluator
    assert "keys" in observer.item


def test_policy_sees_the_smallest_cohort_of_a_masked_plan() -> None:
    facts = MASKED_AGREEMENT.facts
    assert (facts.visible_updates, facts.minimum, facts.colluders) == (False, 3, 1)
    privacy = PrivacySection(updates="masked", colluders=3)
    more = msgspec.structs.replace(MASKED_PLAN, privacy=privacy)
    facts = terms.Agreement(more, MANIFEST, HASH).facts
    assert (facts.minimum, facts.colluders) == (5, 3)
    assert terms.read(DATA, HASH).facts.visible_updates


def test_an_upload_has_the_size_of_what_leaves() -> None:
    layout = masking.encoding(MASKED_PLAN, MANIFEST.num_values, "update")
    assert MASKED_AGREEMENT.upload_bytes == layout.num_bytes
    assert terms.read(DATA, HASH).upload_bytes == MANIFEST.num_bytes
