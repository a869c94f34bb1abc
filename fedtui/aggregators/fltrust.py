"""FLTrust: updates count by how well they agree with one that is trusted (Cao et al. 2021).

arXiv:2012.13995: g = sum of relu(cos(g_i, g_0)) * (|g_0| / |g_i|) * g_i, over the sum of the
relu(cos). g_0 is the update of the plan's `root`: a node whose operator trains on examples that
are known to be right. In the paper the server trains g_0 itself; here nobody but a node ever holds
examples, and g_0 itself has no part in the mean, as there.

It is the only rule here that holds while most nodes are bad. The traps: whoever has the root's
machine has the model; what the root's examples do not show (classes that it lacks) is voted down
for all; with unlike nodes, honest updates at a right angle to it count nothing. Where updates are
much shorter than the root's, the paper makes them longer, some of them without bound: here their
shares add up to 1 at most, so the step is shorter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from fedtui.aggregators.base import Aggregator, View

if TYPE_CHECKING:
    from fedtui.aggregators.base import Products, Shares

LEAST = 3


@dataclass(frozen=True, slots=True)
class FLTrust(Aggregator):
    """`root`: the fingerprint of the node whose update is trusted."""

    view: ClassVar[View] = View.EACH
    by_products: ClassVar[bool] = True
    guided: ClassVar[bool] = True

    root: str = ""

    def misfit(self, num_updates: int) -> str:
        return "" if num_updates >= LEAST else f"at least {LEAST} updates, the root's among them"

    def shares(self, products_NN: Products) -> Shares:
        length_N = np.sqrt(np.diagonal(products_NN))
        below_N = length_N * length_N[0]
        cosine_N = np.divide(
            products_NN[0], below_N, out=np.zeros_like(below_N), where=below_N > 0
        )
        trust_N = np.maximum(cosine_N, 0.0)
        trust_N[0] = 0.0
        share_N = np.divide(
            trust_N * length_N[0], length_N, out=np.zeros_like(length_N), where=length_N > 0
        )
        total = max(float(trust_N.sum()), float(share_N.sum()))
        share_N = share_N / total if total > 0 else share_N
        found: Shares = share_N[None, :]
        return found


build = FLTrust
