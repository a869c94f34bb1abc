"""Where torch computes, in this process: the processor, or a GPU where there is one.

The choice is the process's, as the number of torch's threads is. Results on a GPU differ from the
processor's in their last bits; with `deterministic` they are the same from run to run on one kind
of GPU (docs.pytorch.org, "Reproducibility").
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, get_args

import torch

from fedtui.learning.result import TrainError
from fedtui.status.limits import Device

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.learning.training import Precision

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"  # without it cuBLAS adds up in any order
_DTYPES = {"bfloat16": torch.bfloat16}
CPU = torch.device("cpu")


class _Choice:
    device = CPU


def use(wanted: Device) -> None:
    """Compute there from now on. TrainError if this machine has no such device."""
    _Choice.device = find(wanted)


def current() -> torch.device:
    """Where models and batches belong."""
    return _Choice.device


def find(wanted: Device) -> torch.device:
    """The device of this name; `auto` is a GPU if there is one. TrainError if there is none."""
    if wanted not in get_args(Device):
        raise TrainError(
            f"there is no device {wanted!r} (there are: {', '.join(get_args(Device))})"
        )
    here: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    if wanted == "auto":
        found = [name for name, is_here in here.items() if is_here()]
        return torch.device(found[0]) if found else CPU
    if wanted != "cpu" and not here[wanted]():
        raise TrainError(
            f"this machine has no {wanted} device that torch can use: choose another "
            "--device (cpu, or auto)"
        )
    return torch.device(wanted)


def make_deterministic(*, wanted: bool) -> None:
    """Whether the GPU must give equal bits for equal inputs; the processor does anyway.

    An operation that a GPU cannot do so raises RuntimeError when it is reached.
    """
    if _Choice.device.type == "cpu":
        return  # telling torch imports its compiler, two seconds in every trainer
    os.environ.setdefault(_WORKSPACE, ":4096:8")
    torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.allow_tf32 = False  # 10 bits of mantissa: far from the processor's


def precision(name: Precision) -> contextlib.AbstractContextManager[object]:
    """In which the forward pass computes; weights, gradients and updates are float32 always."""
    if name == "float32":
        return contextlib.nullcontext()
    return torch.autocast(_Choice.device.type, _DTYPES[name])


def make_room() -> None:
    """Give back what torch keeps of the GPU's memory for later."""
    if _Choice.device.type == "cuda":
        torch.cuda.empty_cache()
    elif _Choice.device.type == "mps":
        torch.mps.empty_cache()
