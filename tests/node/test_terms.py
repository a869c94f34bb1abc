"""The terms: hostile bytes are refused, changes are named, the summary says all that leaves."""

import msgspec
import pytest
from a_plan import MANIFEST, PLAN
from hypothesis import given
from hypothesis import strategies as st
from masked_cohort import PLAN as MASKED_PLAN

from fedtui.errors import RemoteProtocolError
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.rounds import claims, masking
from fedtui.rounds.plan import PrivacySection, plan_hash
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
    larger = Manifest((TensorSpec("weight", (65, 4)),))
    old = terms.Agreement(PLAN, MANIFEST, HASH)
    said = terms.differences(old, terms.Agreement(changed, larger, HASH))
    assert "seed: was 1, is 9" in said
    assert "[training] epochs: was 1, is 3" in said
    assert any(
        "the model: was 260 numbers" in one and "is 260 numbers in 1" in one for one in said
    )
    assert terms.differences(old, old) == ()


def test_the_summary_says_what_is_asked_for() -> None:
    found = terms.summary(terms.read(DATA, HASH), needs="digits", differs=("a: was 1, is 2",))
    assert found.plan_hash == HASH.hex()
    assert found.num_model_bytes == MANIFEST.num_bytes
    assert (found.needs, found.differs) == ("digits", ("a: was 1, is 2",))
    assert len(bytes.fromhex(found.form_hash)) == 32
    assert found.privacy == "updates are visible to the coordinator"
    masked = terms.summary(MASKED_AGREEMENT)
    assert masked.privacy == claims.of_plan(MASKED_PLAN)
    assert masked.form_hash != found.form_hash


MASKED_TERMS = codec.canonical(Terms(plan=codec.canonical(MASKED_PLAN), manifest=MANIFEST))
MASKED_AGREEMENT = terms.read(MASKED_TERMS, plan_hash(MASKED_PLAN, MANIFEST))


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
