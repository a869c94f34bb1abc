"""Membership inference: whether an example was among those that a node trained on.

Three attacks on what was seen of a round. `loss`: a member's loss falls more (Yeom et al., CSF
2018, calibrated by the model before, as Watson et al., arXiv:2111.08440). `alignment`: a member's
own gradient points where the update goes, by the cosine. `fit`: the update is written as a sum of
all candidates' gradients, so that those which are alike do not speak for each other; the strongest
where a model has more values than there are candidates. All give scores, the higher the likelier a
member; how well they tell is the area under the ROC curve.

Shapes: `seen_V` float64, one row for each view; `steps_N` one for each candidate; scores float64
(V, candidates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from fedtui.learning.batches import rows_of, tensors
from fedtui.learning.params import Params

if TYPE_CHECKING:
    import numpy.typing as npt

    from fedtui.learning.data import Examples
    from fedtui.learning.flat import FlatModel
    from fedtui.learning.task import Task

    Scores = npt.NDArray[np.float64]

_RIDGE = 1e-6  # of the mean squared length of a step: two equal candidates share


def by_loss(
    task: Task, model: FlatModel, params: Params, seen_V: Scores, candidates: Examples
) -> Scores:
    """How much the loss of each candidate falls from the model before to that of each view."""
    before = _losses(task, model, params, candidates)
    scores = np.empty((len(seen_V), len(candidates)))
    for view, seen_D in enumerate(seen_V):
        after = Params(params.manifest, (params.vector_D + seen_D).astype(np.float32))
        scores[view] = before - _losses(task, model, after, candidates)
    return scores


def by_alignment(steps_N: Scores, seen_V: Scores) -> Scores:
    """The cosine of each candidate's step downhill to each view."""
    lengths = np.linalg.norm(seen_V, axis=1)[:, None] * np.linalg.norm(steps_N, axis=1)
    cosines: Scores = (seen_V @ steps_N.T) / np.maximum(lengths, 1e-30)
    return cosines


def by_fit(steps_N: Scores, seen_V: Scores) -> Scores:
    """Each candidate's share in the least-squares sum of all candidates' steps, for each view."""
    alike = steps_N @ steps_N.T
    ridge = _RIDGE * float(np.trace(alike)) / len(alike)
    shares = np.linalg.solve(alike + ridge * np.eye(len(alike)), steps_N @ seen_V.T)
    return np.asarray(shares.T, np.float64)


def steps(task: Task, model: FlatModel, params: Params, candidates: Examples) -> Scores:
    """Each candidate's own step downhill, minus its gradient at the model before: (n, D)."""
    model.reload(params)
    model.module.eval()
    x, y = tensors(candidates)
    found = np.empty((len(candidates), len(params.vector_D)))
    for row in range(len(candidates)):
        model.grads.zero_()
        loss = task.loss(model.module, rows_of(x, y, torch.tensor([row])))
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        found[row] = -model.grads.numpy()
    return found


def attacks(
    task: Task, model: FlatModel, params: Params, seen_V: Scores, candidates: Examples
) -> dict[str, Scores]:
    """The scores of every attack, by its name."""
    steps_N = steps(task, model, params, candidates)
    return {
        "loss": by_loss(task, model, params, seen_V, candidates),
        "alignment": by_alignment(steps_N, seen_V),
        "fit": by_fit(steps_N, seen_V),
    }


def auroc(scores: npt.NDArray[np.float64], is_member: npt.NDArray[np.bool_]) -> float:
    """0.5 is a coin, 1 tells all. Scores that are no number count as the lowest."""
    ranked = np.nan_to_num(scores, nan=-np.inf, neginf=-1e300, posinf=1e300)
    return float(roc_auc_score(is_member, np.maximum(ranked, -1e300)))


def _losses(
    task: Task, model: FlatModel, params: Params, candidates: Examples
) -> npt.NDArray[np.float64]:
    model.reload(params)
    model.module.eval()
    x, y = tensors(candidates)
    with torch.no_grad():
        return np.array(
            [
                float(task.loss(model.module, rows_of(x, y, torch.tensor([row]))).item())
                for row in range(len(candidates))
            ]
        )
