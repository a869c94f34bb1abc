import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.experiments.keptstate import StateError, from_bytes, to_bytes
from fedtui.strategies.base import State

MODEL, OTHER = b"m" * 32, b"o" * 32
STATE = State({"square": np.linspace(0, 1, 50), "mean": np.linspace(-1, 0, 50)})


def test_it_comes_back_bit_for_bit() -> None:
    found = from_bytes(to_bytes(STATE, MODEL), MODEL)
    assert found.vectors.keys() == STATE.vectors.keys()
    for name, vector in STATE.vectors.items():
        assert found.vectors[name].tobytes() == vector.tobytes()


def test_the_state_of_another_model_is_not_taken() -> None:
    with pytest.raises(StateError, match="another model"):
        from_bytes(to_bytes(STATE, MODEL), OTHER)


@given(st.data())
def test_no_damage_goes_unnoticed(data: st.DataObject) -> None:
    whole = bytearray(to_bytes(STATE, MODEL))
    at = data.draw(st.integers(8 + int.from_bytes(whole[:8], "little"), len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StateError):
        from_bytes(bytes(whole), MODEL)


@pytest.mark.parametrize("cut", [0, 7, 100, -1])
def test_what_is_torn_is_refused(cut: int) -> None:
    with pytest.raises(StateError):
        from_bytes(to_bytes(STATE, MODEL)[:cut], MODEL)
