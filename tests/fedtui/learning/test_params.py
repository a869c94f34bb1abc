import json
import math
import struct

import msgspec
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.params import (
    MAX_TENSORS,
    Manifest,
    Params,
    ParamsError,
    TensorSpec,
    first_outside,
    norm,
    unflatten,
)

shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)
manifests = st.builds(
    lambda pairs, frozen: Manifest(tuple(TensorSpec(n, s) for n, s in pairs), frozen),
    st.lists(
        st.tuples(st.text(min_size=1, max_size=8), shapes),
        min_size=1,
        max_size=6,
        unique_by=lambda t: t[0],
    ),
    st.sampled_from(["", "a5" * 32]),
)


def filled(manifest: Manifest) -> Params:
    rng = np.random.default_rng(1)
    return Params(manifest, rng.standard_normal(manifest.num_values).astype(np.float32))


@given(manifests)
def test_tensors_lie_one_after_the_other(manifest: Manifest) -> None:
    params = filled(manifest)
    again = unflatten(manifest, dict(params.items()))
    assert np.array_equal(again.flatten(), params.flatten())
    assert manifest.num_values == sum(math.prod(s.shape) for s in manifest.tensors)
    joined = np.concatenate([np.ravel(view) for _, view in params.items()])
    assert np.array_equal(joined, params.vector_D)


@given(manifests)
def test_safetensors_round_trip_keeps_values_and_order(manifest: Manifest) -> None:
    params = filled(manifest)
    for expected in (None, manifest):
        back = Params.from_safetensors(params.to_safetensors(), expected)
        assert back.manifest == manifest
        assert np.array_equal(back.vector_D, params.vector_D)


@given(manifests)
def test_manifest_survives_its_own_encoding(manifest: Manifest) -> None:
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(manifest), type=Manifest)
    assert again == manifest
    assert again.digest() == manifest.digest()


def test_digest_depends_on_names_order_and_shapes() -> None:
    a, b = TensorSpec("a", (2, 3)), TensorSpec("b", (6,))
    made = [Manifest(t) for t in ((a, b), (b, a), (a,), (TensorSpec("a", (3, 2)), b))]
    assert len({m.digest() for m in made}) == len(made)
    assert len(made[0].digest()) == 32


def test_digest_is_fixed_for_ever() -> None:
    manifest = Manifest((TensorSpec("a", (2, 3)),))
    expected = "565e6cc67f735b7249e53b3000b7d466792fe7d6174c9f9e6f1a8b41b929a3c4"
    assert manifest.digest().hex() == expected, "a change of encoding splits old nodes from new"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"tensors": []}, "length"),
        ({"tensors": [{"name": "a", "shape": [0]}]}, "1 or more"),
        ({"tensors": [{"name": "a", "shape": [-3]}]}, "1 or more"),
        ({"tensors": [{"name": "a", "shape": [2**40]}]}, "more than"),
        ({"tensors": [{"name": "a", "shape": [2**20] * 9}]}, "more than"),
        ({"tensors": [{"name": "a", "shape": [1] * 99}]}, "length"),
        ({"tensors": [{"name": "__metadata__", "shape": [1]}]}, "safetensors keeps"),
        ({"tensors": [{"name": "", "shape": [1]}]}, "length"),
        ({"tensors": [{"name": "é" * 200, "shape": [1]}]}, "256 bytes"),
        ({"tensors": [{"name": "a", "shape": [1], "dtype": "float16"}]}, "only float32"),
        ({"tensors": [{"name": "a", "shape": [1]}] * 2}, "same name"),
        ({"tensors": [{"name": str(i), "shape": [2**27]} for i in range(3)]}, "larger"),
        ({"tensors": [{"name": str(i), "shape": [1]} for i in range(MAX_TENSORS + 1)]}, "length"),
    ],
)
def test_A2_hostile_manifests_are_refused(raw: object, said: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=said):
        msgspec.msgpack.decode(msgspec.msgpack.encode(raw), type=Manifest)


def test_a_scalar_tensor_has_one_value() -> None:
    assert Manifest((TensorSpec("s", ()),)).num_bytes == 4


def safetensors_file(header: str, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header.encode())) + header.encode() + body


ONE = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "truncated"),
        (b"\xff" * 40, "does not fit"),
        (safetensors_file("{]"), "not JSON"),
        (safetensors_file("[1]"), "not an object"),
        (safetensors_file("[" * 100_000), "not JSON"),
        (safetensors_file(f'{{"a":{ONE},"a":{ONE}}}', b"\0" * 4), "twice"),
        (safetensors_file('{"a":{"dtype":"F32","dtype":"F32"}}'), "twice"),
        (safetensors_file(f'{{"a":{ONE}}}'), "damaged"),
        (safetensors_file(f'{{"a":{ONE}}}', b"\0" * 9), "damaged"),
        (safetensors_file("{}"), "1 to 4096"),
    ],
)
def test_A2_broken_weights_files_are_refused(data: bytes, said: str) -> None:
    with pytest.raises(ParamsError, match=said):
        Params.from_safetensors(data)


def test_A2_weights_of_another_model_are_refused() -> None:
    manifest = Manifest((TensorSpec("a", (2,)), TensorSpec("b", (3,))))
    good = {"a": np.zeros(2, np.float32), "b": np.zeros(3, np.float32)}
    cases = [
        ({"a": good["a"]}, "lacks tensor 'b'"),
        (good | {"c": good["a"]}, "has tensor 'c'"),
        (good | {"b": good["a"]}, r"'b' has shape \(2,\), expected \(3,\)"),
        (good | {"b": np.zeros(3, np.float64)}, "float64"),
    ]
    for arrays, said in cases:
        with pytest.raises(ParamsError, match=said):
            Params.from_safetensors(safetensors.numpy.save(arrays), manifest)


def test_files_without_our_metadata_are_ordered_by_name() -> None:
    data = safetensors.numpy.save({"b": np.ones(1, np.float32), "a": np.zeros(1, np.float32)})
    assert [s.name for s in Params.from_safetensors(data).manifest.tensors] == ["a", "b"]


@pytest.mark.parametrize("order", ['"x"', '["a"]', '["a","a"]', "{"])
def test_a_recorded_order_that_lies_is_refused(order: str) -> None:
    arrays = {"a": np.zeros(1, np.float32), "b": np.zeros(1, np.float32)}
    data = safetensors.numpy.save(arrays, metadata={"fedtui.order": order})
    with pytest.raises(ParamsError, match="order"):
        Params.from_safetensors(data)
    assert json.loads('["a"]') == ["a"]


def test_arithmetic() -> None:
    manifest = Manifest((TensorSpec("a", (2, 2)),))
    one = Params(manifest, np.array([3, 4, 0, 0], np.float32))
    assert one.norm() == 5.0
    assert one.scale(2).norm() == 10.0
    assert one.add(one, scale=-1).norm() == 0.0
    assert np.array_equal(one["a"], [[3, 4], [0, 0]])
    with pytest.raises(KeyError):
        one["b"]
    other = Params(Manifest((TensorSpec("b", (4,)),)), one.vector_D)
    with pytest.raises(ParamsError, match="two different models"):
        one.add(other)


@pytest.mark.parametrize("vector", [np.zeros(3, np.float32), np.zeros(4), np.zeros((2, 2))])
def test_A2_a_vector_must_fit_its_manifest(vector: np.ndarray) -> None:
    with pytest.raises(ParamsError, match="expected a flat float32"):
        Params(Manifest((TensorSpec("a", (4,)),)), vector)


def test_the_norm_does_not_lose_small_values_beside_large() -> None:
    values = np.full(200_000, 1e-3, np.float32)
    values[0] = 1e3
    assert norm(values) == pytest.approx(
        math.sqrt(1e6 + 199_999 * float(np.float32(1e-3)) ** 2), rel=1e-12
    )


@given(
    st.integers(0, 2**17 + 3),
    st.sampled_from([math.nan, math.inf, -math.inf, 8.0, -8.0, 9e30]),
)
def test_A1_a_scan_finds_the_first_bad_value_anywhere(index: int, bad: float) -> None:
    values = np.full(2**17 + 4, 7.9, np.float32)
    assert first_outside(values, limit=8.0) is None
    values[index:] = bad
    assert first_outside(values, limit=8.0) == index


def test_a_value_belongs_to_its_tensor() -> None:
    manifest = Manifest((TensorSpec("a", (2,)), TensorSpec("s", ()), TensorSpec("b", (3,))))
    assert [manifest.tensor_at(i) for i in range(6)] == ["a", "a", "s", "b", "b", "b"]
    with pytest.raises(IndexError):
        manifest.tensor_at(6)


def test_weights_beside_other_frozen_ones_are_refused() -> None:
    one = Manifest((TensorSpec("w", (3,)),), "a5" * 32)
    data = filled(one).to_safetensors()
    for other in (Manifest(one.tensors), Manifest(one.tensors, "b6" * 32)):
        assert other.digest() != one.digest()
        with pytest.raises(ParamsError, match="goes with frozen weights a5a5a5a5a5a5a5a5"):
            Params.from_safetensors(data, other)
    plain = safetensors.numpy.save({"w": np.zeros(3, np.float32)})
    assert Params.from_safetensors(plain, one).manifest == one, "a file of others says nothing"
    with pytest.raises(ParamsError, match="64 hexadecimal digits"):
        Manifest(one.tensors, "../secret")
