"""The drill: every attack on every view of victims' rounds, several times, as one report.

In each repetition other examples are drawn, and another fresh model: a first round, in which
gradients say the most. The figure of a view is the mean of the repetitions, with Student's 95 %
interval. Beside a reconstruction stands the guess: how like the victim's the nearest of as many
pictures of other people is, which needs no update at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from scipy import stats

from fedtui.errors import ExitCode, OperatorError
from fedtui.leakage import inversion, membership, pictures
from fedtui.leakage.cohort import Cohort, View, gather
from fedtui.leakage.inversion import Search
from fedtui.learning.data import DataSource
from fedtui.learning.flat import FlatModel
from fedtui.learning.loading import load_task
from fedtui.learning.task import FixedUpdate, prepared, read
from fedtui.learning.trainer import Workbench, initial, set_num_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from fedtui.leakage.cohort import Sight
    from fedtui.leakage.pictures import Gallery, Pictures
    from fedtui.learning.data import Examples
    from fedtui.learning.task import Task
    from fedtui.rounds.plan import Plan

    Told = Callable[[str], None]

SUCCESS = 0.5  # the SSIM from which a picture counts as reconstructed


class DrillError(OperatorError):
    """What was asked for cannot be drilled; the text says why."""

    exit_code = ExitCode.BAD_CONFIG


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One attack on one view: the mean over the repetitions and its 95 % interval."""

    view: View
    attack: str
    mean: float
    low: float
    high: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All figures. `ssim` are of the victim's pictures, `auroc` of its membership.

    `guess` is the SSIM that needs no update, for each size of a sum; `examples` are those of each
    node in reconstructions, `members` those in membership.
    """

    task: str
    examples: int
    members: int
    repetitions: int
    delta: float
    ssim: tuple[Figure, ...]
    guess: dict[int, float]
    auroc: tuple[Figure, ...]

    def best(self, view: View) -> Figure | None:
        """The reconstruction of this view that came nearest; None where there is none."""
        return max(
            (one for one in self.ssim if one.view == view), key=lambda one: one.mean, default=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to drill. Views are all `cohorts` without noise and with each of `epsilons`."""

    examples: int = 1
    members: int = 32
    cohorts: tuple[int, ...] = (1, 3, 10)
    epsilons: tuple[float, ...] = (1000.0, 8.0, 1.0)
    delta: float = 1e-5
    repetitions: int = 5
    search: Search = field(default_factory=Search)
    most_searched: int = 64  # pictures that `optimised` looks for at once

    @property
    def views(self) -> tuple[View, ...]:
        levels = (None, *self.epsilons)
        return tuple(View(nodes=n, epsilon=level) for level in levels for n in self.cohorts)

    @property
    def largest(self) -> int:
        return max(self.cohorts)


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """A victim's first picture, and the most alike that an attack made, by view."""

    original: Pictures
    made: dict[View, Pictures]


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What is equal in every repetition."""

    plan: Plan
    wishes: Wishes
    task: Task
    bench: Workbench
    examples: Examples
    gallery: Gallery | None

    def cohort(self, rng: np.random.Generator, seed: int, each: int) -> tuple[Cohort, Rows]:
        """A fresh model, trained on by `largest` nodes of `each` examples, and whose those are."""
        rows = rng.permutation(len(self.examples))[: each * self.wishes.largest]
        nodes = rows.reshape(self.wishes.largest, each)
        params = initial(self.task, seed=seed)
        made = gather(
            self.plan, self.bench, params, self.examples, list(nodes), rounding=seed * 2**20
        )
        return made, nodes


if TYPE_CHECKING:
    Rows = npt.NDArray[np.int64]


def drill(
    plan: Plan, wishes: Wishes, tell: Told = lambda _text: None
) -> tuple[Report, tuple[Strip, ...]]:
    """Everything, and a strip of pictures for each repetition, where inputs are pictures.

    `tell` hears how far it is. Sets torch to one thread.

    Raises:
        DrillError: too few examples, or a task that trains nothing.
        DataError, PluginError, ParamsError: the task cannot be used.
    """
    ground = _ground(plan, wishes)
    rows: dict[tuple[View, str], list[float]] = {}
    told: dict[tuple[View, str], list[float]] = {}
    guesses: dict[int, list[float]] = {n: [] for n in wishes.cohorts}
    strips: list[Strip] = []
    for number in range(wishes.repetitions):
        tell(f"repetition {number + 1} of {wishes.repetitions}")
        rng = np.random.default_rng([plan.seed, number])
        if ground.gallery is not None:
            strips.append(_invert(ground, rng, plan.seed + number, rows, guesses))
        _infer(ground, rng, plan.seed + number, told)
    return Report(
        task=plan.task.name,
        examples=wishes.examples,
        members=wishes.members,
        repetitions=wishes.repetitions,
        delta=wishes.delta,
        ssim=_figures(rows, least=-1.0),
        guess={n: float(np.mean(found)) for n, found in guesses.items() if found},
        auroc=_figures(told, least=0.0),
    ), tuple(strips)


def _ground(plan: Plan, wishes: Wishes) -> _Ground:
    set_num_threads(1)
    task = load_task(plan.task.name, plan.task.options, metric=plan.task.metric)
    if isinstance(task, FixedUpdate):
        raise DrillError(f"the task {plan.task.name!r} trains nothing, so nothing can leak")
    raw = read(task, DataSource())
    needed = max(2 * wishes.examples * wishes.largest, wishes.members * (wishes.largest + 1))
    if len(raw) < needed:
        raise DrillError(
            f"the task {plan.task.name!r} has {len(raw)} examples, this drill needs {needed}: ask "
            "for fewer examples, members or nodes"
        )
    return _Ground(
        plan, wishes, task, Workbench(task), prepared(task, raw), pictures.gallery(task, raw.x)
    )


def _invert(
    ground: _Ground,
    rng: np.random.Generator,
    seed: int,
    rows: dict[tuple[View, str], list[float]],
    guesses: dict[int, list[float]],
) -> Strip:
    """One victim's pictures from every view, by every attack that applies."""
    wishes, gallery = ground.wishes, ground.gallery
    assert gallery is not None  # noqa: S101 - asked before
    cohort, nodes = ground.cohort(rng, seed, wishes.examples)
    model = FlatModel(ground.task.model(), cohort.params)
    mine = gallery.hang(ground.examples.x[nodes[0]])
    strangers = np.setdiff1d(np.arange(len(ground.examples)), nodes)
    strip = Strip(mine[0], {})
    for view in wishes.views:
        seen_D = cohort.seen(view, wishes.delta, rng)
        num = view.nodes * wishes.examples
        if view.epsilon is None:
            others = ground.examples.x[rng.choice(strangers, num, replace=False)]
            guesses[view.nodes].append(_found(mine, gallery.hang(others)))
        best = -2.0
        for attack, made in _attacks(ground, model, -seen_D, nodes[: view.nodes], seed):
            hung = gallery.hang(made)
            rows.setdefault((view, attack), []).append(_found(mine, hung))
            place, like = pictures.nearest(mine[0], hung)
            if like > best and place >= 0:
                best, strip.made[view] = like, hung[place]
    return strip


def _attacks(
    ground: _Ground, model: FlatModel, gradient_D: Sight, nodes: Rows, seed: int
) -> list[tuple[str, npt.NDArray[np.float64]]]:
    num_inputs = int(np.prod(ground.examples.x.shape[1:]))
    found = []
    layer = inversion.first_layer(model.manifest, num_inputs)
    if layer is not None:
        found.append(("analytic", inversion.analytic(gradient_D, layer, num_inputs, nodes.size)))
    if nodes.size <= ground.wishes.most_searched and ground.gallery is not None:
        labels = ground.examples.y[nodes.reshape(-1)]
        box = (ground.gallery.low, ground.gallery.high)
        made = inversion.optimised(
            ground.task, model, gradient_D, labels, box, search=ground.wishes.search, seed=seed
        )
        found.append(("search", made.astype(np.float64)))
    return found


def _found(mine: Pictures, among: Pictures) -> float:
    """How like each of the victim's pictures its nearest is, on average."""
    return float(np.mean([pictures.nearest(one, among)[1] for one in mine]))


def _infer(
    ground: _Ground,
    rng: np.random.Generator,
    seed: int,
    told: dict[tuple[View, str], list[float]],
) -> None:
    """The victim's examples against as many that nobody trained on."""
    wishes = ground.wishes
    cohort, nodes = ground.cohort(rng, seed, wishes.members)
    strangers = np.setdiff1d(np.arange(len(ground.examples)), nodes)
    outside = rng.choice(strangers, wishes.members, replace=False)
    candidates = ground.examples.take(np.concatenate([nodes[0], outside]))
    is_member = np.arange(len(candidates)) < wishes.members
    seen_V = np.stack([cohort.seen(view, wishes.delta, rng) for view in wishes.views])
    model = FlatModel(ground.task.model(), cohort.params)
    found = membership.attacks(ground.task, model, cohort.params, seen_V, candidates)
    for attack, scores in found.items():
        for view, ranked in zip(wishes.views, scores, strict=True):
            told.setdefault((view, attack), []).append(membership.auroc(ranked, is_member))


def _figures(found: dict[tuple[View, str], list[float]], *, least: float) -> tuple[Figure, ...]:
    return tuple(_figure(view, attack, values, least) for (view, attack), values in found.items())


def _figure(view: View, attack: str, values: Sequence[float], least: float) -> Figure:
    mean, half = float(np.mean(values)), 0.0
    if len(values) > 1:
        error = float(np.std(values, ddof=1)) / len(values) ** 0.5
        half = error * float(stats.t.ppf(0.975, len(values) - 1))
    return Figure(
        view=view,
        attack=attack,
        mean=mean,
        low=max(least, mean - half),
        high=min(1.0, mean + half),
    )
