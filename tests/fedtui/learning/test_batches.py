"""Batches: the rows that were asked for, copied, whatever memory they come from."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.batches import parts, rows_of, tensors
from fedtui.learning.data import Examples
from fedtui.learning.task import Batch


def test_rows_are_copies_also_of_memory_that_cannot_be_written() -> None:
    x = np.arange(12, dtype=np.float32).reshape(6, 2)
    x.flags.writeable = False
    found = rows_of(*tensors(Examples(x, np.arange(6))), torch.tensor([4, 1]))
    assert found.x.tolist() == [[8, 9], [2, 3]]
    assert found.y.tolist() == [4, 1]
    found.x.zero_()
    assert x[4, 0] == 8


@given(st.integers(1, 30), st.integers(1, 40))
def test_parts_are_the_batch_in_order_and_never_larger_than_asked(num: int, most: int) -> None:
    batch = Batch(torch.arange(2 * num).reshape(num, 2), torch.arange(num))
    found = list(parts(batch, most))
    assert torch.cat([part.x for part in found]).equal(batch.x)
    assert torch.cat([part.y for part in found]).equal(batch.y)
    assert max(len(part.y) for part in found) <= most
