"""The model card: what a model is, how it came about, and what its figures mean."""

from coordinator import spending
from coordinator.opening import Settings
from coordinator.report import privacy_of
from fedtui.crypto.keys import fingerprint
from fedtui.learning.params import Manifest
from fedtui.learning.sections import narrowed
from fedtui.rounds import lateness, strategic
from fedtui.rounds.history import FederationSnapshot, FinishedRound
from fedtui.rounds.plan import Plan

_MEANS = {
    "accuracy": "share of examples answered correctly (1.0 is all of them)",
    "loss": "mean loss per example (lower is better)",
    "rmse": "root of the mean squared error, in the target's unit (lower is better)",
    "perplexity": "e to the mean loss per token: as unsure as between so many (lower is better)",
    "balanced_accuracy": "mean over classes of the share of a class answered correctly",
    "macro_f1": "mean over classes of F1, which asks for few misses and few false alarms",
    "auroc": "how often a positive example is scored above a negative one (0.5 is chance)",
    "calibration_error": "how far confidence and correctness are apart (lower is better)",
    "r2": "share of the target's variance explained (1.0 is all of it)",
}


def card(settings: Settings, snapshot: FederationSnapshot, finished: FinishedRound) -> str:
    """Markdown for the exported model of round `finished`."""
    plan, carried = settings.plan, strategic.carried(settings.plan)
    own = narrowed(settings.manifest, carried)
    more = f" and of what travelled with them ({', '.join(carried)})" if carried else ""
    parts = [
        f"# {plan.federation.name}: model after round {finished.round}",
        "",
        f"Trained by federated learning with fedtui on the task `{plan.task.name}`. The examples "
        "never left the machines of the participants; the coordinator combined their updates.",
        "",
        "## Files",
        "",
        "- `model.safetensors`: the tensors, float32, by name",
        "- `model.pt`: the same as a state dict; read it with "
        '`torch.load("model.pt", weights_only=True)`',
        "- `plan.toml`: everything the participants consented to",
        "",
        "## Figures",
        "",
        f"- {_score(plan.task.metric, finished)}",
        f"- rounds: {snapshot.rounds[-1].round} committed"
        + (f"; ended: {snapshot.ended}" if snapshot.ended is not None else "; not ended yet"),
        f"- participants in any round: {len(_everybody(snapshot))}; in this one: "
        f"{len(finished.survivors)} of {len(finished.cohort)} chosen",
        f"- {own.num_values:,} values in {len(own.tensors)} tensors{_beside(own)}",
        f"- digest of the tensors{more} (BLAKE2b-256): `{finished.model_digest.hex()}`",
        f"- H(plan): `{settings.plan_hash.hex()}`",
        "",
        _what_it_means(settings),
        "",
        *_spent(settings, snapshot),
        "## Rounds",
        "",
        f"| round | {plan.task.metric} | participants | dropped out | seconds |",
        "|---:|---:|---:|---:|---:|",
        *(_row(plan, each) for each in snapshot.rounds if each.round),
        "",
        "## Limits",
        "",
        "The score says nothing about data unlike the participants' own. A model can remember "
        "examples it was trained on; treat it as carefully as the data. Under this plan "
        f"{privacy_of(plan)}.",
        "",
    ]
    return "\n".join(parts)


def _score(metric: str, finished: FinishedRound) -> str:
    if finished.score is None:
        return f"{metric}: not measured"
    examples = int(finished.score_sums.get("examples", 0))
    return (
        f"{metric}: {finished.score:.4f} over {examples:,} examples at {finished.num_evaluators} "
        f"nodes ({_MEANS.get(metric, metric)})"
    )


def _spent(settings: Settings, snapshot: FederationSnapshot) -> list[str]:
    """How private the model is, under [dp]: for the node that was in most rounds."""
    spent = spending.of_stopped(settings.plan, snapshot)
    if spent is None or settings.plan.dp is None:
        return []
    mechanism = settings.plan.dp.mechanism
    return [
        "## Differential privacy",
        "",
        f"Of nodes, mechanism `{mechanism}`: {spent.text()}. All models of these rounds "
        "together are covered, this one among them; docs/privacy.md of fedtui says what that "
        "means and what it does not.",
        "",
    ]


def _what_it_means(settings: Settings) -> str:
    if settings.plan.evaluation.with_evaluator:
        return (
            "The score was measured by a node with the role `evaluator`, on its own test set, "
            "which took no part in training."
        )
    share = settings.plan.evaluation.held_out
    return (
        f"The score was measured by the participants, each on the {share:.0%} of its own examples "
        f"that it held out of training, and combined from their sums.{_of_whose_models(settings)}"
    )


def _of_whose_models(settings: Settings) -> str:
    plan = settings.plan
    if not strategic.personal(plan):
        return ""
    said = (
        f" Under strategy `{plan.strategy.name}` it is that of the models as the nodes use them, "
        "which are not in this file: of these tensors alone it says nothing."
    )
    if staying := strategic.staying(plan, settings.manifest):
        named = ", ".join(f"`{name}`" for name in staying)
        said += f" Here {named} are as they were before round one: each node has its own."
    return said


def _beside(manifest: Manifest) -> str:
    """What else the model needs and this file does not hold."""
    if not manifest.frozen:
        return ""
    return f"; beside frozen weights that are not in this file (SHA-256): `{manifest.frozen}`"


def _row(plan: Plan, each: FinishedRound) -> str:
    score = f"{each.score:.4f}" if each.score is not None else "-"
    dropped = len(lateness.dropped(plan, each))
    return f"| {each.round} | {score} | {len(each.survivors)} | {dropped} | {each.seconds:.1f} |"


def _everybody(snapshot: FederationSnapshot) -> set[str]:
    return {fingerprint(node) for each in snapshot.rounds for node in each.survivors}
