"""Cutting one data set into shards as if each had been collected somewhere else.

`partition(spec, labels, ...)` understands

    iid              shuffled, sizes equal to within one
    dirichlet:ALPHA  per class, shares drawn from Dirichlet(ALPHA): with a small ALPHA each shard
                     has few classes (Hsu et al. 2019, arXiv:1909.06335)
    shards:K         sorted by label, cut into K pieces per shard, K random ones to each: with a
                     small K each shard has about K classes (McMahan et al. 2017, arXiv:1602.05629)
    quantity:ALPHA   labels iid, sizes drawn from Dirichlet(ALPHA)
    FILE.npz         arrays p0 .. pN-1 of indices, one per shard

Every example lands in exactly one shard, no shard is empty, indices are sorted int64, and equal
seeds give equal shards. (An index file may leave examples out, but may not use one twice.)
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fedtui.learning.data import DataError

if TYPE_CHECKING:
    from fedtui.learning.data import Array, DataSource, Examples

Indices = npt.NDArray[np.int64]


def check(spec: str) -> None:
    """Whether a split is understood, whatever the data; an index file is not opened.

    Raises:
        DataError: it is not; the message lists those that are.
    """
    if not spec.endswith(".npz"):
        _parsed(spec)


def partition(spec: str, labels: Array, *, num_shards: int, seed: int) -> list[Indices]:
    """Indices of each shard, by `spec` (see above); `labels` has shape (n,) or (n, ...).

    Raises:
        DataError: a spec that is not understood, or fewer examples than shards.
    """
    if spec.endswith(".npz"):
        return _from_file(Path(spec).expanduser(), len(labels), num_shards)
    if num_shards > len(labels):
        raise DataError(
            f"{len(labels)} examples cannot fill {num_shards} shards: use fewer shards"
        )
    rng = np.random.default_rng([seed, num_shards])
    name, parameter = _parsed(spec)
    if name == "iid":
        shards = _cut(rng.permutation(len(labels)), np.full(num_shards, 1 / num_shards))
    elif name == "dirichlet":
        shards = _dirichlet(labels, num_shards, parameter, rng)
    elif name == "shards":
        shards = _pieces(labels, num_shards, int(parameter), rng)
    else:
        sizes = rng.dirichlet(np.full(num_shards, parameter))
        shards = _cut(rng.permutation(len(labels)), sizes)
    return [np.sort(shard).astype(np.int64) for shard in _fill_empty(shards)]


def take_shard(examples: Examples, source: DataSource) -> Examples:
    """This node's share of `examples`, in ascending order of their indices."""
    if source.indices is not None:
        indices = np.unique(np.asarray(source.indices, np.int64))
        if len(indices) and not 0 <= indices[0] <= indices[-1] < len(examples):
            raise DataError(f"an index is outside the {len(examples)} examples of {source.path!r}")
        return examples.take(indices)
    if source.num_shards == 1 and not source.split.endswith(".npz"):
        return examples
    shards = partition(source.split, examples.y, num_shards=source.num_shards, seed=source.seed)
    return examples.take(shards[source.shard])


def holdout(num_examples: int, fraction: float, *, seed: int) -> tuple[Indices, Indices]:
    """Which examples train and which are held out: (train, held out), both sorted.

    The same `seed` and number always give the same answer, so what was held out in one round is
    never trained on in another. At least one example trains; with two or more and a fraction above
    0, at least one is held out.
    """
    num_held = 0
    if fraction > 0 and num_examples > 1:
        num_held = min(max(round(num_examples * fraction), 1), num_examples - 1)
    order = np.random.default_rng([seed, num_examples]).permutation(num_examples)
    return np.sort(order[num_held:]), np.sort(order[:num_held])


def _parsed(spec: str) -> tuple[str, float]:
    """The name of a split and its parameter."""
    name, _, parameter = spec.partition(":")
    if name == "iid" and not parameter:
        return name, 0.0
    if name in {"dirichlet", "quantity"}:
        return name, _alpha(spec, parameter)
    if name == "shards":
        return name, _num_pieces(spec, parameter)
    raise DataError(
        f"split {spec!r} is not known: use iid, dirichlet:0.5, shards:2, quantity:1.0 or a .npz "
        "file"
    )


def _num_pieces(spec: str, parameter: str) -> int:
    if not (parameter.isdecimal() and len(parameter) < 5 and 1 <= int(parameter) <= 1000):
        raise DataError(f"split {spec!r} needs a whole number from 1 to 1000 after the colon")
    return int(parameter)


def _alpha(spec: str, parameter: str) -> float:
    try:
        alpha = float(parameter)
    except ValueError:
        alpha = -1.0
    if not 1e-3 <= alpha <= 1e6:
        raise DataError(f"split {spec!r} needs a number from 0.001 to 1000000 after the colon")
    return alpha


def _cut(order: Indices, shares: npt.NDArray[np.float64]) -> list[Indices]:
    ends = np.rint(np.cumsum(shares)[:-1] * len(order)).astype(np.int64)
    return np.split(order, np.clip(ends, 0, len(order)))


def _dirichlet(
    labels: Array, num_shards: int, alpha: float, rng: np.random.Generator
) -> list[Indices]:
    if labels.ndim != 1 or labels.dtype.kind not in "iub":
        raise DataError(
            "a Dirichlet split needs one class per example: for a regression, for several labels "
            "and for text use iid or quantity"
        )
    parts: list[list[Indices]] = [[] for _ in range(num_shards)]
    for label in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == label))
        for part, piece in zip(parts, _cut(order, _shares(num_shards, alpha, rng)), strict=True):
            part.append(piece)
    return [np.concatenate(part) for part in parts]


def _pieces(
    labels: Array, num_shards: int, num_each: int, rng: np.random.Generator
) -> list[Indices]:
    if labels.ndim != 1:
        raise DataError(
            "a split into shards:K sorts by one target per example: for several labels and for "
            "text use iid or quantity"
        )
    num_pieces = num_shards * num_each
    if num_pieces > len(labels):
        raise DataError(
            f"{len(labels)} examples cannot be cut into {num_pieces} pieces, {num_each} for each "
            f"of {num_shards} shards: use fewer shards or fewer pieces"
        )
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    pieces = _cut(order, np.full(num_pieces, 1 / num_pieces))
    dealt = rng.permutation(num_pieces).reshape(num_shards, num_each)
    return [np.concatenate([pieces[piece] for piece in hand]) for hand in dealt]


def _shares(num_shards: int, alpha: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    shares = rng.dirichlet(np.full(num_shards, alpha))
    if not np.isfinite(shares).all():  # a tiny alpha can underflow: then one shard has it all
        shares = np.zeros(num_shards)
        shares[rng.integers(num_shards)] = 1.0
    return shares


def _fill_empty(shards: list[Indices]) -> list[Indices]:
    """Give every empty shard one example of the largest."""
    for position, shard in enumerate(shards):
        if not len(shard):
            largest = max(range(len(shards)), key=lambda i: len(shards[i]))
            shards[position], shards[largest] = shards[largest][:1], shards[largest][1:]
    return shards


def _from_file(path: Path, num_examples: int, num_shards: int) -> list[Indices]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            count = len(archive.files)
            shards = [np.sort(archive[f"p{i}"]).astype(np.int64) for i in range(count)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not an index file with arrays p0, p1, ...: {error}") from error
    if count != num_shards:
        raise DataError(f"{path} has {count} shards, but {num_shards} nodes share the data")
    used = np.concatenate(shards) if shards else np.empty(0, np.int64)
    if len(used) and not 0 <= used.min() <= used.max() < num_examples:
        raise DataError(f"{path} names an example that the {num_examples} of the data lack")
    if len(np.unique(used)) != len(used):
        raise DataError(f"{path} uses an example twice")
    return shards
