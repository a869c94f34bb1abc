"""Models that carry vectors along: one flat vector of equal sections, the model's own first.

A strategy may send vectors with the model, and the nodes their changes with the updates. What
travels then is a manifest with one copy of the model's tensors for each such vector, named
`name:tensor`: files, digests, transfers and masks know nothing of it. Only those who train,
combine or hand the model out look at sections.

Shapes: `_W` is the wide vector, of D * num_sections float32 values; `_D` one section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fedtui.learning.params import Manifest, Params, ParamsError, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fedtui.learning.params import Vector


def widened(manifest: Manifest, carried: Sequence[str]) -> Manifest:
    """The manifest of a model with these vectors. ParamsError if that is too large to travel."""
    if not carried:
        return manifest
    copies = tuple(
        TensorSpec(f"{name}:{spec.name}", spec.shape, spec.dtype)
        for name in carried
        for spec in manifest.tensors
    )
    return Manifest((*manifest.tensors, *copies), manifest.frozen)


def narrowed(manifest: Manifest, carried: Sequence[str]) -> Manifest:
    """The model's own manifest of a widened one. ParamsError if it is not one."""
    if not carried:
        return manifest
    num = len(manifest.tensors) // (1 + len(carried))
    prefixes = tuple(f"{name}:" for name in carried)
    own = manifest.tensors[:num]
    if not num or any(spec.name.startswith(prefixes) for spec in own):
        raise _without(carried)
    found = Manifest(own, manifest.frozen)
    if widened(found, carried) != manifest:
        raise _without(carried)
    return found


def _without(carried: Sequence[str]) -> ParamsError:
    named = ", ".join(carried)
    return ParamsError(f"the model does not carry the vectors that its strategy needs ({named})")


def with_zeros(params: Params, carried: Sequence[str]) -> Params:
    """The model before round one, with its vectors."""
    if not carried:
        return params
    wide = widened(params.manifest, carried)
    vector_W = np.zeros(wide.num_values, np.float32)
    vector_W[: params.manifest.num_values] = params.vector_D
    return Params(wide, vector_W)


def model_of(params: Params, carried: Sequence[str]) -> Params:
    """The model without its vectors: a view. ParamsError as `narrowed`."""
    own = narrowed(params.manifest, carried)
    return Params(own, params.vector_D[: own.num_values])


def vectors_of(params: Params, carried: Sequence[str]) -> dict[str, Vector]:
    """The vectors that the model carries: views."""
    size = params.manifest.num_values // (1 + len(carried))
    return {
        name: params.vector_D[size * number : size * (number + 1)]
        for number, name in enumerate(carried, 1)
    }


def joined(own_D: Vector, vectors: Mapping[str, Vector], carried: Sequence[str]) -> Vector:
    """One wide vector of a model's update and the changes of its vectors."""
    if not carried:
        return own_D
    return np.concatenate([own_D, *(vectors[name] for name in carried)]).astype(np.float32)
