"""A torch model whose parameters, buffers and gradients are views of flat tensors.

Then an update is one subtraction, a step of the optimiser one operation, and what a strategy's
`correct` sees is the very vector that travels, in manifest order.

What travels: every parameter that is trained and every float buffer (BatchNorm's running mean and
variance). Left out: frozen parameters (`requires_grad = False`; every node must hold the same, so
the manifest names them by hash), integer buffers (BatchNorm's count of batches), buffers that the
state dict leaves out, and the second name of a tied tensor.

A model can be kept and loaded again: `reload` leaves it as if it had been made anew.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import torch

from fedtui.learning.params import Manifest, ParamsError, TensorSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

    from fedtui.learning.params import Params, Vector


def travelling(model: nn.Module) -> dict[str, Tensor]:
    """The tensors that travel, by name, in state-dict order. ParamsError if one is not float32."""
    seen: set[int] = set()
    found: dict[str, Tensor] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if not tensor.dtype.is_floating_point or id(tensor) in seen or _is_frozen(tensor):
            continue
        if tensor.dtype != torch.float32:
            raise ParamsError(f"tensor {name!r} is {tensor.dtype}: make the model float32")
        seen.add(id(tensor))
        found[name] = tensor
    if not any(isinstance(tensor, torch.nn.Parameter) for tensor in found.values()):
        raise ParamsError("there is nothing to train: the model has no parameters, or all frozen")
    return found


def frozen_digest(model: nn.Module) -> str:
    """SHA-256, in hex, over name, dtype, shape and bytes of each frozen parameter; empty if none.

    It says whether two nodes hold the same base model: equal bytes, whatever file they came from.
    """
    digest = hashlib.sha256()
    frozen = {
        name: tensor
        for name, tensor in model.state_dict(keep_vars=True).items()
        if _is_frozen(tensor)
    }
    for name, tensor in frozen.items():
        fields = (name, str(tensor.dtype), tuple(tensor.shape))
        digest.update(msgspec.msgpack.encode(fields))
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest() if frozen else ""


def _is_frozen(tensor: Tensor) -> bool:
    return isinstance(tensor, torch.nn.Parameter) and not tensor.requires_grad


def manifest_of(model: nn.Module) -> Manifest:
    """The manifest of a model, in state-dict order."""
    return Manifest(
        tuple(TensorSpec(name, tuple(t.shape)) for name, t in travelling(model).items()),
        frozen_digest(model),
    )


class FlatModel:
    """`module` loaded with `params`, over one tensor: training changes `values` in place.

    All of it lies on `device`. What is frozen is checked before it goes there.

    `values`, `grads` are flat float32 of D values. `mask` is 1 for parameters and 0 for buffers,
    or None when there are no buffers. Raises ParamsError when `params` are of another model.
    """

    def __init__(
        self, module: nn.Module, params: Params, device: torch.device | None = None
    ) -> None:
        self.manifest = params.manifest
        _check_frozen(frozen_digest(module), params.manifest.frozen)
        self.module = module if device is None else module.to(device)
        # torch aligns it always alike
        self.values = torch.empty(params.manifest.num_values, device=device)
        self._copy(params)
        self.grads = torch.zeros_like(self.values)
        tensors = travelling(module)
        _check_fits(tensors, params.manifest)
        is_buffer = torch.zeros_like(self.values)
        for spec, place in params.manifest.slices():
            tensor = tensors[spec.name]
            tensor.data = self.values[place].view(spec.shape)
            if isinstance(tensor, torch.nn.Parameter):
                tensor.grad = self.grads[place].view(spec.shape)
            else:
                is_buffer[place] = 1
        self.mask = 1 - is_buffer if is_buffer.any() else None
        self._made = [_Made(part, travels=tensors) for part in module.modules()]

    def reload(self, params: Params) -> None:
        """Load other params into the same module, as if it were new. ParamsError as when made.

        Put back is all that a step may change: what travels, buffers that do not, and attributes
        that were assigned to. (A list that was appended to stays longer.)
        """
        if params.manifest is not self.manifest and params.manifest != self.manifest:
            _check_fits(travelling(self.module), params.manifest)
            raise ParamsError("the tensors came in another order than before: the task differs")
        self._copy(params)
        for made in self._made:
            made.restore()

    @property
    def vector_D(self) -> Vector:
        """The values as an array: themselves on a processor, a copy of a GPU's."""
        vector_D: Vector = self.values.cpu().numpy()
        return vector_D

    def _copy(self, params: Params) -> None:
        if self.values.is_cpu:
            np.copyto(self.values.numpy(), params.vector_D)
        else:
            self.values.copy_(torch.tensor(params.vector_D))


class _Made:
    """One part of a module as it was made: its own attributes and buffers."""

    def __init__(self, module: nn.Module, *, travels: dict[str, Tensor]) -> None:
        self._own = vars(module)
        self._attributes = dict(self._own)
        self._buffers = dict(module._buffers)  # noqa: SLF001 - torch has no other way to rebind
        kept = {id(tensor) for tensor in travels.values()}
        self._values = [
            (buffer, buffer.clone())
            for buffer in self._buffers.values()
            if buffer is not None and id(buffer) not in kept
        ]

    def restore(self) -> None:
        if len(self._own) != len(self._attributes):
            for name in self._own.keys() - self._attributes.keys():
                del self._own[name]
        self._own.update(self._attributes)
        self._own["_buffers"].update(self._buffers)
        for buffer, value in self._values:
            buffer.copy_(value)


def _check_frozen(own: str, wanted: str) -> None:
    if own != wanted:
        raise ParamsError(
            f"the frozen weights of this task's model are {own[:16] or 'none'}, those of the "
            f"federation {wanted[:16] or 'none'} (SHA-256): use the base model that its "
            "coordinator names"
        )


def _check_fits(tensors: dict[str, Tensor], manifest: Manifest) -> None:
    for spec in manifest.tensors:
        if spec.name not in tensors:
            raise ParamsError(f"this task's model has no tensor {spec.name!r}: the task differs")
        shape = tuple(tensors[spec.name].shape)
        if shape != spec.shape:
            raise ParamsError(
                f"tensor {spec.name!r} has shape {spec.shape}, but {shape} in this task's model"
            )
    if len(tensors) != len(manifest.tensors):
        names = {spec.name for spec in manifest.tensors}
        lacking = next(name for name in tensors if name not in names)
        raise ParamsError(
            f"tensor {lacking!r} of this task's model was not sent: the task differs"
        )
