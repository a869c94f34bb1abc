"""SGD, Adam and AdamW over one flat tensor, with the update rules of torch.optim.

Why not torch.optim: building its first optimiser imports torch's compiler, which costs every
trainer over a second of CPU and 70 MB. Over one flat tensor each rule is a few lines, and one
operation per step instead of one per parameter tensor. The tests hold them against torch.optim.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from fedtui.learning.training import TrainingSpec

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Optimizer(Protocol):
    """Changes `param` in place along `grad`, both flat and of equal length."""

    def step(self, param: Tensor, grad: Tensor) -> None: ...


class Sgd:
    """Stochastic gradient descent, with momentum (not Nesterov's) and weight decay if asked."""

    def __init__(self, training: TrainingSpec, mask: Tensor | None) -> None:
        self._training = training
        self._mask = mask
        self._velocity: Tensor | None = None

    def step(self, param: Tensor, grad: Tensor) -> None:
        grad = _decayed(param, grad, self._training.weight_decay, self._mask)
        if self._training.momentum:
            if self._velocity is None:
                self._velocity = grad.clone()
            else:
                self._velocity.mul_(self._training.momentum).add_(grad)
            grad = self._velocity
        param.add_(grad, alpha=-self._training.learning_rate)


class Adam:
    """Adam (Kingma & Ba 2015); decay is coupled, or decoupled as in AdamW (Loshchilov 2019)."""

    def __init__(self, training: TrainingSpec, mask: Tensor | None, *, decoupled: bool) -> None:
        self._training = training
        self._mask = mask
        self._decoupled = decoupled
        self._num_steps = 0
        self._mean: Tensor | None = None
        self._square: Tensor | None = None

    def step(self, param: Tensor, grad: Tensor) -> None:
        rate, decay = self._training.learning_rate, self._training.weight_decay
        if self._mean is None or self._square is None:
            self._mean, self._square = torch.zeros_like(param), torch.zeros_like(param)
        if self._decoupled:
            param.sub_(_masked(param, self._mask), alpha=rate * decay)
        else:
            grad = _decayed(param, grad, decay, self._mask)
        self._num_steps += 1
        self._mean.lerp_(grad, 1 - _BETA1)
        self._square.mul_(_BETA2).addcmul_(grad, grad, value=1 - _BETA2)
        correction1 = 1 - _BETA1**self._num_steps
        correction2 = math.sqrt(1 - _BETA2**self._num_steps)
        spread = self._square.sqrt().div_(correction2).add_(_EPSILON)
        param.addcdiv_(self._mean, spread, value=-rate / correction1)


def make(training: TrainingSpec, mask: Tensor | None) -> Optimizer:
    """The optimiser that the plan names. `mask` is 0 where a value is a buffer, never decayed."""
    if training.optimizer == "sgd":
        return Sgd(training, mask)
    return Adam(training, mask, decoupled=training.optimizer == "adamw")


def _masked(param: Tensor, mask: Tensor | None) -> Tensor:
    return param if mask is None else param * mask


def _decayed(param: Tensor, grad: Tensor, decay: float, mask: Tensor | None) -> Tensor:
    return grad.add(_masked(param, mask), alpha=decay) if decay else grad
