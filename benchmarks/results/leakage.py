"""What an attacker makes of an update, of masked sums, and of both with noise.

    python -m benchmarks.results.leakage [--short] [--only mlp] [--out FOLDER]

Fashion-MNIST, both models, freshly initialised; gradient inversion with 1, 4 and 16 examples for
each node, membership with 32. `--short`: digits, few repetitions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.results.section import Section, Table, main
from fedtui.experiments import leak_picture
from fedtui.leakage.cohort import View
from fedtui.leakage.drill import Wishes, drill
from fedtui.leakage.inversion import Search
from fedtui.rounds.plan import FederationSection, Plan, TaskSection

if TYPE_CHECKING:
    from fedtui.experiments.drawing import Picture
    from fedtui.leakage.drill import Figure, Report

MODELS = ("mlp", "cnn")
EXAMPLES = (1, 4, 16)
VIEWS = tuple(
    View(nodes=nodes, epsilon=epsilon)
    for epsilon in (None, 1000.0, 8.0, 1.0)
    for nodes in (1, 3, 10)
)
SHOWN = tuple(
    View(nodes=nodes, epsilon=epsilon)
    for nodes, epsilon in (
        (1, None), (3, None), (10, None), (1, 1000.0), (1, 8.0), (3, 8.0), (10, 8.0), (1, 1.0)
    )
)  # fmt: skip
ATTACKS = ("loss", "alignment", "fit")


def measure(short: bool, only: str) -> Section:
    task = "digits" if short else "fashion_mnist"
    members = 8 if short else 32
    pictures: dict[str, Picture] = {}
    inverted, inferred = [], []
    for model in [one for one in MODELS if only in one]:
        for examples in EXAMPLES[: 1 if short else None]:
            wishes = Wishes(
                examples=examples,
                repetitions=3 if short else 6,
                members=members,
                search=Search(steps=100 if short else 400),
                most_searched=10 if short else 48,
            )
            plan = Plan(
                federation=FederationSection(name="leakage"),
                task=TaskSection(name=task, options={"model": model}),
            )
            report, strips = drill(plan, wishes)
            inverted.append(_row(model, report))
            if examples in {1, 16} and (model, examples) != ("cnn", 16):
                caption = (
                    f"{model}, {examples} example{'s' * (examples > 1)} a node: what comes back"
                )
                pictures[caption] = leak_picture.draw(report, strips, SHOWN)
            if examples == 1:
                inferred += [[model, str(view), *_aurocs(report, view)] for view in VIEWS]
    return Section(
        name="leakage",
        title="What an attacker makes of an update, of sums and of noise",
        parts=[
            _about(task, short),
            "Reconstruction: mean SSIM of the victim's pictures to the nearest that the best "
            "attack made, with its 95 % interval. `guess` is the SSIM of the nearest of as many "
            "pictures of others (as many as the sum of 1, 3, 10 nodes has), which needs no "
            "update: what is not above it tells nothing. A dash: no attack within the budget.",
            Table(["model", "examples a node", *map(_short, SHOWN), "guess"], inverted),
            f"Membership: area under the ROC curve (0.5 is a coin), {members} members of one node "
            "against as many others, with its 95 % interval. In a sum it says that somebody of "
            "the cohort trained on an example, not who.",
            Table(["model", "seen", *ATTACKS], inferred),
        ],
        pictures=pictures,
    )


def _about(task: str, short: bool) -> str:
    return (
        f"{task}, fresh models, one step of SGD on all of a node's examples"
        f"{' (short)' if short else ''}: the case in which an update says the most. Sums are "
        "quantised and added as under masks. Noise is Gaussian, for one release at node level, "
        "delta 1e-05; updates are clipped to their median length. Attacks: the quotient of a "
        "first layer's weight and bias gradients, and the search of Geiping et al. "
        "(arXiv:2003.14053), which is given the labels. [leakage.md](leakage.md) says more."
    )


def _row(model: str, report: Report) -> list[str]:
    cells = [model, str(report.examples)]
    cells += [_said(report.best(view)) for view in SHOWN]
    return [*cells, " / ".join(f"{report.guess[nodes]:.2f}" for nodes in (1, 3, 10))]


def _aurocs(report: Report, view: View) -> list[str]:
    found = {one.attack: one for one in report.auroc if one.view == view}
    return [_said(found[attack]) for attack in ATTACKS]


def _said(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    return f"{figure.mean:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def _short(view: View) -> str:
    what = "plain update" if view.nodes == 1 else f"sum of {view.nodes}"
    return what if view.epsilon is None else f"{what}, epsilon {view.epsilon:g}"


if __name__ == "__main__":
    main("leakage", __doc__, measure)
