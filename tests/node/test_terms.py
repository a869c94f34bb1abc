"""The terms: hostile bytes are refused, changes are named, the summary says all that leaves."""

import msgspec
import pytest
from fake_coordinator import MANIFEST, PLAN
from hypothesis import given
from hypothesis import strategies as st

from fedtui.errors import RemoteProtocolError
from fedtui.learning.training import TrainingSpec
from fedtui.rounds.plan import plan_hash
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
