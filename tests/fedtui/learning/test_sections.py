import numpy as np
import pytest

from fedtui.learning.params import MAX_VALUES, Manifest, Params, ParamsError, TensorSpec
from fedtui.learning.sections import joined, model_of, narrowed, vectors_of, widened, with_zeros

OWN = Manifest((TensorSpec("a", (2, 3)), TensorSpec("b", ())))
NAMES = ("control", "more")


def test_a_model_and_its_vectors_come_apart_as_they_were_put_together() -> None:
    own = Params(OWN, np.arange(7, dtype=np.float32))
    wide = with_zeros(own, NAMES)
    assert wide.manifest.num_values == 21
    assert [spec.name for spec in wide.manifest.tensors][2:4] == ["control:a", "control:b"]
    assert not any(vector.any() for vector in vectors_of(wide, NAMES).values())
    vectors = {name: np.full(7, n, np.float32) for n, name in enumerate(NAMES)}
    full = Params(wide.manifest, joined(own.vector_D, vectors, NAMES))
    assert np.array_equal(model_of(full, NAMES).vector_D, own.vector_D)
    assert model_of(full, NAMES).manifest == OWN == narrowed(wide.manifest, NAMES)
    for name, vector in vectors_of(full, NAMES).items():
        assert np.array_equal(vector, vectors[name])


def test_without_vectors_nothing_changes() -> None:
    own = Params(OWN, np.zeros(7, np.float32))
    assert widened(OWN, ()) is OWN is narrowed(OWN, ())
    assert with_zeros(own, ()) is own
    assert joined(own.vector_D, {}, ()) is own.vector_D


@pytest.mark.parametrize(
    "manifest",
    [
        OWN,
        widened(OWN, ("other",)),
        widened(OWN, NAMES),
        Manifest((TensorSpec("a", (2,)),)),
    ],
)
def test_a_model_that_carries_something_else_is_refused(manifest: Manifest) -> None:
    with pytest.raises(ParamsError, match="control"):
        narrowed(manifest, ("control",))


def test_what_is_too_large_to_travel_is_refused() -> None:
    with pytest.raises(ParamsError, match="larger"):
        widened(Manifest((TensorSpec("a", (MAX_VALUES,)),)), NAMES)
