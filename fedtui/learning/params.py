"""Model parameters as one flat vector, and the manifest that says what lies where in it.

A `Manifest` lists the tensors of a model in a fixed order. The coordinator sends it with every
model, so decoding one already bounds what a stranger can make anybody allocate. `Params` gives the
names back to a flat float32 vector; it never copies unless asked to.

Shapes: `vector_D` is flat float32 of D = `manifest.num_values` values, the tensors one after the
other in manifest order, each in C order. Numpy only: the coordinator and the daemon use this.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from fedtui.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Vector: TypeAlias = npt.NDArray[np.float32]

MAX_TENSORS = 4096
MAX_NAME_BYTES = 256
MAX_DIMS = 16
MAX_VALUES = 2**28  # 1 GiB of float32
MAX_HEADER_BYTES = 4 * 2**20  # of a safetensors file: 4,096 long names fit
_NORM_CHUNK = 2**16
_SCAN_CHUNK = 2**16
_ORDER_KEY = "fedtui.order"
FROZEN_KEY = "fedtui.frozen"
_DIGEST = re.compile("[0-9a-f]{64}")


class ParamsError(OperatorError, ValueError):
    """A manifest or a weights file that is not what it should be."""

    exit_code = ExitCode.BAD_DATA


class TensorSpec(msgspec.Struct, frozen=True):
    """One tensor of a model. Only float32 travels; other dtypes are refused."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_BYTES)]
    shape: Annotated[tuple[int, ...], msgspec.Meta(max_length=MAX_DIMS)]
    dtype: Annotated[str, msgspec.Meta(max_length=16)] = "float32"

    def __post_init__(self) -> None:
        if not 1 <= len(self.name.encode()) <= MAX_NAME_BYTES:
            raise ParamsError(f"a tensor's name must have 1 to {MAX_NAME_BYTES} bytes")
        if self.name == "__metadata__":
            raise ParamsError("a tensor cannot be named __metadata__: safetensors keeps that name")
        if len(self.shape) > MAX_DIMS:
            raise ParamsError(f"tensor {self.name!r} has more than {MAX_DIMS} dimensions")
        if any(dim < 1 for dim in self.shape):
            raise ParamsError(
                f"tensor {self.name!r} has shape {self.shape}: each dimension must be 1 or more"
            )
        if self.dtype != "float32":
            raise ParamsError(
                f"tensor {self.name!r} is {self.dtype}: only float32 travels, convert it"
            )
        if self.num_values > MAX_VALUES:
            raise ParamsError(
                f"tensor {self.name!r} has {self.num_values} values, more than {MAX_VALUES}"
            )

    @property
    def num_values(self) -> int:
        """Number of values; 1 for a scalar (shape ())."""
        return math.prod(self.shape)


class Manifest(msgspec.Struct, frozen=True, dict=True):
    """The tensors of a model in the order in which they travel. Hashable and comparable.

    `frozen` is the SHA-256, in hex, of the weights that do not travel and that every node must
    hold already (flat.py `frozen_digest`); empty if all weights travel.
    """

    tensors: Annotated[tuple[TensorSpec, ...], msgspec.Meta(min_length=1, max_length=MAX_TENSORS)]
    frozen: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{64})?$")] = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.tensors) <= MAX_TENSORS:
            raise ParamsError(
                f"a model must have 1 to {MAX_TENSORS} tensors, this one has {len(self.tensors)}"
            )
        if self.frozen and not _DIGEST.fullmatch(self.frozen):
            raise ParamsError("the digest of the frozen weights is not 64 hexadecimal digits")
        names = {spec.name for spec in self.tensors}
        if len(names) != len(self.tensors):
            raise ParamsError("two tensors of the manifest have the same name")
        if self.num_values > MAX_VALUES:
            raise ParamsError(f"a model of {self.num_values} values is larger than {MAX_VALUES}")

    @functools.cached_property
    def num_values(self) -> int:
        """D, the length of the flat vector."""
        return sum(spec.num_values for spec in self.tensors)

    @property
    def num_bytes(self) -> int:
        """Size of the wire form: four bytes a value, nothing else."""
        return 4 * self.num_values

    def digest(self) -> bytes:
        """BLAKE2b-256 over names, order, shapes and dtypes, canonically encoded: 32 bytes.

        And over `frozen`, if some weights do not travel.
        """
        fields = [(spec.name, spec.shape, spec.dtype) for spec in self.tensors]
        whole = ("manifest", 1, fields, self.frozen) if self.frozen else ("manifest", 1, fields)
        encoded = msgspec.msgpack.encode(whole, order="deterministic")
        return hashlib.blake2b(encoded, digest_size=32, person=b"fedtui1-manifest").digest()

    def slices(self) -> Iterator[tuple[TensorSpec, slice]]:
        """Each tensor with its place in the flat vector, in order."""
        start = 0
        for spec in self.tensors:
            yield spec, slice(start, start + spec.num_values)
            start += spec.num_values

    def tensor_at(self, index: int) -> str:
        """Name of the tensor that holds value `index` of the flat vector."""
        for spec, place in self.slices():
            if place.start <= index < place.stop:
                return spec.name
        raise IndexError(f"value {index} is outside a model of {self.num_values} values")


@dataclass(frozen=True, slots=True, eq=False)
class Params:
    """Named views of one flat vector. `vector_D` is float32, contiguous, of exactly D values."""

    manifest: Manifest
    vector_D: Vector

    def __post_init__(self) -> None:
        if self.vector_D.dtype != np.float32 or self.vector_D.shape != (self.manifest.num_values,):
            raise ParamsError(
                f"expected a flat float32 vector of {self.manifest.num_values} values, "
                f"got {self.vector_D.dtype} of shape {self.vector_D.shape}"
            )

    def __getitem__(self, name: str) -> Vector:
        for spec, place in self.manifest.slices():
            if spec.name == name:
                return self.vector_D[place].reshape(spec.shape)
        raise KeyError(name)

    def items(self) -> Iterator[tuple[str, Vector]]:
        """Name and view of each tensor, in manifest order."""
        for spec, place in self.manifest.slices():
            yield spec.name, self.vector_D[place].reshape(spec.shape)

    def add(self, other: Params, *, scale: float = 1.0) -> Params:
        """This plus `scale` times the other. Raises ParamsError when the manifests differ."""
        if other.manifest != self.manifest:
            raise ParamsError("cannot add parameters of two different models")
        return Params(self.manifest, self.vector_D + np.float32(scale) * other.vector_D)

    def scale(self, factor: float) -> Params:
        """Each value times `factor`."""
        return Params(self.manifest, self.vector_D * np.float32(factor))

    def norm(self) -> float:
        """Euclidean norm, summed in float64."""
        return norm(self.vector_D)

    def flatten(self) -> Vector:
        """The flat vector itself, not a copy."""
        return self.vector_D

    def to_safetensors(self) -> bytes:
        """A safetensors file; its metadata keeps the tensors' order and what is frozen beside."""
        arrays = dict(self.items())
        metadata = {_ORDER_KEY: json.dumps([spec.name for spec in self.manifest.tensors])}
        if self.manifest.frozen:
            metadata[FROZEN_KEY] = self.manifest.frozen
        return bytes(safetensors.numpy.save(arrays, metadata=metadata))

    @classmethod
    def from_safetensors(cls, data: bytes, manifest: Manifest | None = None) -> Params:
        """Read a safetensors file.

        Names, shapes and dtypes must be exactly those of `manifest`, and so must be the frozen
        weights that our metadata names. Without a manifest, the file's own are taken, in the order
        our metadata names or else sorted by name.

        Raises:
            ParamsError: truncated, not safetensors, a name twice, or not this model.
        """
        order, frozen = _check_header(data)
        try:
            arrays = safetensors.numpy.load(data)
        except (safetensors.SafetensorError, KeyError, ValueError) as error:
            raise ParamsError(
                f"the weights file is damaged or not safetensors: {error}"
            ) from error
        found = _manifest_of(arrays, order, frozen)
        if manifest is not None:
            _check_same(found, manifest)
        return unflatten(manifest or found, arrays)


def norm(vector_D: Vector) -> float:
    """Euclidean norm of a flat vector, summed in float64 chunk by chunk."""
    total = 0.0
    for start in range(0, len(vector_D), _NORM_CHUNK):
        chunk = vector_D[start : start + _NORM_CHUNK].astype(np.float64)
        total += float(chunk @ chunk)
    return math.sqrt(total)


def first_outside(vector_D: Vector, *, limit: float) -> int | None:
    """Index of the first value that is NaN, infinite or of magnitude >= limit; None if none is.

    Two passes over chunks that stay in cache, without a temporary as large as the vector.
    """
    for start in range(0, len(vector_D), _SCAN_CHUNK):
        chunk = vector_D[start : start + _SCAN_CHUNK]
        if not (chunk.max() < limit and chunk.min() > -limit):  # NaN makes both false
            return start + int(np.flatnonzero(~(np.abs(chunk) < limit))[0])
    return None


def unflatten(manifest: Manifest, arrays: Mapping[str, npt.NDArray[np.float32]]) -> Params:
    """Named arrays laid one after the other in manifest order. Shapes must match (ParamsError)."""
    vector_D = np.empty(manifest.num_values, np.float32)
    for spec, place in manifest.slices():
        array = arrays[spec.name]
        if array.shape != spec.shape:
            raise ParamsError(
                f"tensor {spec.name!r} has shape {array.shape}, expected {spec.shape}"
            )
        vector_D[place] = array.reshape(-1)
    return Params(manifest, vector_D)


def _check_header(data: bytes) -> tuple[list[str] | None, str]:
    """Refuse what two readers could understand differently; return the recorded order, if any.

    And the digest of the frozen weights, or an empty text.
    """
    if len(data) < 8:
        raise ParamsError("the weights file is truncated: it has fewer than 8 bytes")
    size = int.from_bytes(data[:8], "little")
    if size > min(MAX_HEADER_BYTES, len(data) - 8):
        raise ParamsError(
            "the weights file is truncated or not safetensors: its header does not fit"
        )
    try:
        header = json.loads(data[8 : 8 + size].decode(), object_pairs_hook=_no_twins)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ParamsError("the weights file is not safetensors: its header is not JSON") from error
    if not isinstance(header, dict):
        raise ParamsError("the weights file is not safetensors: its header is not an object")
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict):
        return None, ""
    frozen = str(metadata.get(FROZEN_KEY, ""))
    recorded = metadata.get(_ORDER_KEY)
    if recorded is None:
        return None, frozen
    try:
        return msgspec.json.decode(str(recorded), type=list[str]), frozen
    except msgspec.DecodeError as error:
        raise ParamsError(
            "the weights file records an order of tensors that is not a list"
        ) from error


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """JSON leaves open which of two equal keys counts: such a file lies to some readers."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ParamsError("the weights file names a tensor or field twice")
    return found


def _manifest_of(
    arrays: Mapping[str, npt.NDArray[np.float32]], order: list[str] | None, frozen: str
) -> Manifest:
    names = sorted(arrays) if order is None else order
    if sorted(names) != sorted(arrays):
        raise ParamsError("the weights file records an order that does not name its tensors")
    return Manifest(
        tuple(TensorSpec(name, arrays[name].shape, arrays[name].dtype.name) for name in names),
        frozen,
    )


def _check_same(found: Manifest, expected: Manifest) -> None:
    have = {spec.name: spec for spec in found.tensors}
    want = {spec.name: spec for spec in expected.tensors}
    if missing := sorted(want.keys() - have.keys()):
        raise ParamsError(f"the weights file lacks tensor {missing[0]!r}: it is of another model")
    if extra := sorted(have.keys() - want.keys()):
        raise ParamsError(f"the weights file has tensor {extra[0]!r}, which this model lacks")
    for name, spec in want.items():
        if have[name] != spec:
            raise ParamsError(
                f"tensor {name!r} has shape {have[name].shape}, expected {spec.shape}"
            )
    if found.frozen and found.frozen != expected.frozen:
        raise ParamsError(
            f"the weights file goes with frozen weights {found.frozen[:16]}, this model with "
            f"{expected.frozen[:16] or 'none'}"
        )
