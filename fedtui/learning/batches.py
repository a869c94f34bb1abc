"""Batches: rows of a node's examples as tensors, where the model is."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import torch

from fedtui.learning import devices
from fedtui.learning.task import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from fedtui.learning.data import Examples


def tensors(examples: Examples) -> tuple[Tensor, Tensor]:
    """Inputs and targets, not copied: for `rows_of` only, as they may lie in read-only memory."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        x = torch.from_numpy(np.ascontiguousarray(examples.x))
        y = torch.from_numpy(np.ascontiguousarray(examples.y))
    return x, y


def rows_of(x: Tensor, y: Tensor, chosen: Tensor) -> Batch:
    """A copy of some rows on the model's device, aligned as torch likes it wherever they lie."""
    device = devices.current()
    return Batch(x.index_select(0, chosen).to(device), y.index_select(0, chosen).to(device))


def parts(batch: Batch, most: int) -> Iterator[Batch]:
    """The batch itself, or pieces of at most so many examples."""
    if len(batch.y) <= most:
        yield batch
    else:
        yield from map(Batch, torch.split(batch.x, most), torch.split(batch.y, most))


def cannot(what: str, x: Tensor, error: Exception) -> str:
    """The sentence for a model that fails on inputs like these."""
    return f"the model cannot {what} inputs of shape {tuple(x.shape[1:])} and {x.dtype}: {error}"
