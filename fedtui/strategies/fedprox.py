"""FedProx: a pull back to the global model during local steps (Li et al. 2020, arXiv:1812.06127).

Node i minimises F_i(w) + mu/2 * |w - w_global|**2, so its gradient becomes
grad + mu * (w - w_global). The coordinator averages, as under FedAvg. The trap: a large mu keeps
all nodes where they began; begin with 0.01 or less.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.strategies.base import Strategy, within

if TYPE_CHECKING:
    from fedtui.strategies.base import Arithmetic


@dataclass(frozen=True, slots=True)
class FedProx(Strategy):
    """`mu` in (0, 100]: the strength of the pull."""

    mu: float = 0.01

    def __post_init__(self) -> None:
        within(0, self.mu, 100, "mu")

    def correct(
        self,
        grad: Arithmetic,
        param: Arithmetic,
        anchor: Arithmetic,
        extra: Arithmetic | None,  # noqa: ARG002 - the anchor is all it needs
    ) -> Arithmetic:
        return grad + self.mu * (param - anchor)


build = FedProx
