"""The terms: hostile bytes are refused, changes are named, the summary says all that leaves."""

import pytest
from a_plan import MANIFEST, PLAN
from hypothesis import given
from hypothesis import strategies as st

from fedtui.errors import RemoteProtocolError
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
