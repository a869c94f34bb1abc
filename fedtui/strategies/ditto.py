"""Ditto: each node trains a model of its own beside the global one (Li et al. 2021, 2012.04221).

Node k keeps a model v_k, which begins as the global one that it first received, w. In each of its
rounds (Algorithm 1, with as many steps for v_k as for w):

    node          w_k: trained from w as under FedAvg; sends w_k - w
                  v_k: trained from v_k along  grad F_k(v) + lam * (v - w);  stays
    coordinator   w <- w + mean of w_k - w

v_k never leaves its node, which measures and uses it: the federation's score is that of the nodes'
own models, and says nothing of the global one. A large `lam` keeps them near it; 0 would be
training alone, and is refused. The traps: every round trains twice, so it takes twice as long; of
a node that is away for long v_k is old; learning_rate * lam above 2 makes v_k swing ever wider.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from fedtui.learning.params import Params
from fedtui.strategies.base import Finished, Strategy, within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fedtui.learning.params import Vector
    from fedtui.strategies.base import Arithmetic, Local


@dataclass(frozen=True, slots=True)
class Ditto(Strategy):
    """`lam` in (0, 100]: the strength of the pull of a node's own model to the global one."""

    held: ClassVar[tuple[str, ...]] = ("personal",)
    trains_own: ClassVar[bool] = True
    wants: ClassVar[frozenset[str]] = frozenset({"own figures", "all steps"})

    lam: float = 0.1

    def __post_init__(self) -> None:
        within(0, self.lam, 100, "lam")

    def held_at_first(self, name: str, model: Params) -> Vector:  # noqa: ARG002 - there is one
        return model.vector_D

    def used(self, model: Params, held: Mapping[str, Vector]) -> Params:
        return Params(model.manifest, held["personal"])

    def correct_own(
        self,
        grad: Arithmetic,
        param: Arithmetic,
        anchor: Arithmetic,  # noqa: ARG002 - the pull is to the global model
        extra: Arithmetic | None,
    ) -> Arithmetic:
        return grad if extra is None else grad + self.lam * (param - extra)

    def finish(self, local: Local) -> Finished:
        own_D = local.held["personal"] if local.own_D is None else local.own_D
        return Finished(update_D=local.update_D, held={"personal": own_D})


build = Ditto
