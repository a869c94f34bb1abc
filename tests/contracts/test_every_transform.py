"""What every transform promises, whoever wrote it."""

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui import plugins
from fedtui.transforms.base import BLOCK, Transform, Where

LENGTHS = st.integers(1, 3000)
DOCUMENT = Path(__file__).parents[2] / "docs" / "extending.md"
FROM_THE_DOCUMENT = "the one in docs/extending.md"
NAMES = (*plugins.names("transforms"), FROM_THE_DOCUMENT)


def values(length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([length, seed]).standard_normal(length).astype(np.float32)


@functools.cache
def build(name: str) -> Transform:
    if name != FROM_THE_DOCUMENT:
        return plugins.build("transforms", name)
    section = DOCUMENT.read_text().partition("## A transform\n")[2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "every_other.py"
        path.write_text(section.partition("```python\n")[2].partition("```")[0])
        return plugins.build_file(path, None)


@pytest.mark.parametrize("name", NAMES)
@given(length=LENGTHS, block=st.integers(0, 3))
def test_sizes_are_as_promised_and_what_comes_back_is_sane(
    name: str, length: int, block: int
) -> None:
    transform, where, block_B = build(name), Where(7, 3, 1, block), values(length)
    before = block_B.copy()
    sent_S = transform.forward(block_B, where)
    back_B = transform.backward(sent_S, length, where)
    assert (sent_S.dtype, len(sent_S)) == (np.float32, transform.size(length))
    assert (back_B.dtype, len(back_B)) == (np.float32, length)
    assert np.array_equal(block_B, before)
    assert np.array_equal(
        sent_S.view(np.uint32), transform.forward(block_B, where).view(np.uint32)
    )
    if transform.lossless:
        np.testing.assert_allclose(back_B, block_B, atol=1e-5)
    else:  # what is sent is right, all of it scaled alike, and the rest is zero
        there = back_B != 0
        scales = back_B[there] / block_B[there]
        assert there.any()
        np.testing.assert_allclose(scales, scales[0], rtol=1e-5)
    if not transform.summable:
        return
    wide_B = transform.backward(sent_S.astype(np.float64), length, where)
    assert wide_B.dtype == np.float64
    np.testing.assert_allclose(wide_B, back_B, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in NAMES if build(n).summable])
@given(length=LENGTHS)
def test_a_summable_one_is_linear_and_needs_no_node(name: str, length: int) -> None:
    transform, where = build(name), Where(7, 3, 0, 0)
    one_B, other_B = values(length, 1), values(length, 2)
    sum_S = transform.forward(one_B, where) + transform.forward(other_B, where)
    np.testing.assert_allclose(sum_S, transform.forward(one_B + other_B, where), atol=1e-5)
    mean_B = transform.backward(sum_S.astype(np.float64) / 2, length, where)
    parts = [
        transform.backward(transform.forward(b, where), length, where) for b in (one_B, other_B)
    ]
    np.testing.assert_allclose(mean_B, (parts[0] + parts[1]) / 2, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_block_and_one_value_work(name: str) -> None:
    transform = build(name)
    for length in (1, BLOCK - 1, BLOCK):
        where = Where(2**53, 2**40, 3, 2**20)
        sent_S = transform.forward(values(length), where)
        assert len(transform.backward(sent_S, length, where)) == length


@pytest.mark.parametrize("name", NAMES)
def test_only_what_cannot_be_added_up_remembers(name: str) -> None:
    transform = build(name)
    assert not (transform.remembers and transform.lossless)
    assert transform.summable or transform.remembers
