"""The consent form: item by item what leaves a node under a plan, and what never does. Pure.

Computed from the plan alone, so that the same plan gives the same form on every node of a role;
`form_hash` covers every word of it. Whoever changes what leaves changes a sentence here, and every
operator is asked again. The ledger lists updates and sums; the rest are control messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fedtui.crypto.keys import digest
from fedtui.learning.metrics import said
from fedtui.rounds import choices, claims, compression, masking, strategic
from fedtui.rounds.plan import MASKED, VISIBLE
from fedtui.status import Leaves

if TYPE_CHECKING:
    from fedtui.rounds.plan import Plan
    from fedtui.telling.agreement import Agreement
    from fedtui.wire.messages import Role

STAYS = (
    "your examples, their names and paths; your local model; your scores on what you hold out; "
    "why something failed here, beyond its kind"
)
_PAUSE = "pause, leave"
_MOST_NAMES = 8


def leaves(agreement: Agreement, role: Role) -> tuple[Leaves, ...]:
    """Everything that leaves a node of this role, the weightiest first."""
    plan = agreement.plan
    match role:
        case "observer":
            work: tuple[Leaves, ...] = ()
        case "evaluator":
            work = (_sums_of_an_evaluator(plan), _answers(role))
        case _ if plan.masked:
            work = (*_masked_work(agreement), _masked_keys(), _answers(role))
        case _:
            work = (*_visible_work(agreement), _answers(role))
    if role == "participant":
        work = (*work, *_declared(plan))
    return (*work, *_connection(shown_to_nodes=plan.masked and role == "participant"))


def worst(plan: Plan, role: Role) -> str:
    """What could be learned at worst, and by whom."""
    if role == "observer":
        return "nothing of your data: no work is done here"
    if role == "evaluator":
        return "the coordinator sees how well each model does on your test examples, exactly"
    if not plan.masked:
        return (
            "the coordinator, or whoever takes it over, examines your updates one by one: parts "
            "of training examples can be recovered from them"
        )
    return (
        f"{claims.of_plan(plan)}; if more nodes are in league with it, your update is theirs to "
        "read. A sum is not hidden itself: of few nodes, or of one dominant node, it shows much, "
        "and sums of rounds with slightly different cohorts can be subtracted. The global model "
        "is open to every node"
    )


def form_hash(items: tuple[Leaves, ...], stays: str, at_worst: str) -> str:
    """Hash of every word of the form, as hex."""
    return digest("fedtui1-form", msgspec.json.encode((items, stays, at_worst))).hex()


def changed(before: tuple[Leaves, ...], now: tuple[Leaves, ...]) -> tuple[str, ...]:
    """What leaves otherwise than it did, as sentences."""
    old, new = ({one.item: one for one in items} for items in (before, now))
    gone = [f"what leaves: was {item!r}, is no more" for item in old.keys() - new.keys()]
    come = [f"what leaves: was not there, is {item!r}" for item in new.keys() - old.keys()]
    other = [
        f"{item}: was {getattr(old[item], field)!r}, is {getattr(new[item], field)!r}"
        for item in old.keys() & new.keys()
        for field in ("form", "reader", "when")
        if getattr(old[item], field) != getattr(new[item], field)
    ]
    return tuple(sorted(gone) + sorted(come) + sorted(other))


def _visible_work(agreement: Agreement) -> tuple[Leaves, ...]:
    plan = agreement.plan
    found = (
        Leaves(
            item=_update(agreement),
            form=VISIBLE,
            reader="the coordinator: it can examine each one",
            when="each round you are picked for",
            can=_PAUSE,
        ),
        Leaves(
            item=_said_with_it(plan),
            form=VISIBLE,
            reader="the coordinator",
            when="with each update",
        ),
    )
    return (*found, *_held_out(plan, VISIBLE, "the coordinator"))


def _masked_work(agreement: Agreement) -> tuple[Leaves, ...]:
    plan = agreement.plan
    reader = _readers(plan)
    found = (
        Leaves(
            item=_update(agreement),
            form=MASKED,
            reader=reader,
            when="each round you are picked for",
            can=_PAUSE,
        ),
        Leaves(
            item=_said_with_it(plan),
            form=f"{MASKED}; in the update",
            reader=reader,
            when="with each update",
        ),
    )
    return (*found, *_held_out(plan, MASKED, reader))


def _update(agreement: Agreement) -> str:
    size = f"{agreement.upload_bytes / 1e6:.2f} MB{_made_smaller(agreement)}"
    if carried := strategic.carried(agreement.plan):
        return (
            f"update of the model, and of what its strategy sends along: {', '.join(carried)} "
            f"({size})"
        )
    if staying := strategic.staying(agreement.plan, agreement.manifest):
        return f"update of the model, zeros for what stays here: {_listed(staying)} ({size})"
    return f"update of the model ({size})"


def _made_smaller(agreement: Agreement) -> str:
    """How an update is made smaller before it leaves, and what it would have been."""
    num_values = agreement.manifest.num_values
    steps = compression.chosen(agreement.plan, num_values).steps
    if not steps:
        return ""
    said = ", ".join(
        f"{name}{''.join(f' {options[key]}' for key in ('fraction',) if key in options)}"
        for name, options in steps
    )
    return f" of {agreement.manifest.num_bytes / 1e6:.2f} MB, made smaller by {said}"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _said_with_it(plan: Plan) -> str:
    """The strategy's numbers follow from training: how many steps, how well the model did."""
    more = "".join(f", {name} of the strategy" for name in strategic.scalars(plan))
    return f"number of your examples, sums over training (loss_sum, examples{more})"


def _readers(plan: Plan) -> str:
    least = masking.numbers(plan, plan.minimum)
    nodes = "1 of them colludes" if least.colluders == 1 else f"{least.colluders} of them collude"
    of = "each random group of " if least.group else ""
    return (
        f"nobody: the coordinator reads the sum of {of}at least {least.minimum} nodes, as long as "
        f"at most {nodes} with it"
    )


def _held_out(plan: Plan, form: str, reader: str) -> tuple[Leaves, ...]:
    """What participants measure of each new model, where no evaluator does."""
    evaluation = plan.evaluation
    if evaluation.with_evaluator or not evaluation.held_out:
        return ()
    item = f"sums over the examples that you hold out ({_sums(plan)})"
    return (Leaves(item=item, form=form, reader=reader, when="after each round", can=_PAUSE),)


def _masked_keys() -> Leaves:
    return Leaves(
        item="fresh public keys, shares of their secrets, votes for sums",
        form="signed; each share is sealed for one node",
        reader="keys and votes: the coordinator and the nodes of the round; a share: one node, "
        "until it helps to open the sum",
        when="in each masked round",
        can=_PAUSE,
    )


def _sums_of_an_evaluator(plan: Plan) -> Leaves:
    """Visible under masks, too: there is nobody to add them up with."""
    return Leaves(
        item=f"sums over your test examples ({_sums(plan)})",
        form=VISIBLE,
        reader="the coordinator",
        when="with each evaluation",
        can=_PAUSE,
    )


def _declared(plan: Plan) -> tuple[Leaves, ...]:
    """What the plan picks or weighs nodes by, and only they can say."""
    return tuple(
        Leaves(
            item=f"what your node.toml says under [declare] {name}, if it does",
            form=VISIBLE,
            reader="the coordinator: it picks nodes, or weighs updates, by it",
            when="when it connects",
            can=f"leave {name} out of node.toml",
        )
        for name in choices.asked(plan)
    )


def _answers(role: Role) -> Leaves:
    trains = role == "participant"
    return Leaves(
        item=f"whether you take part or are paused{', how far training is' if trains else ''}; "
        "if something fails, of which kind",
        form=VISIBLE,
        reader="the coordinator",
        when="in each round",
    )


def _connection(*, shown_to_nodes: bool) -> tuple[Leaves, ...]:
    nodes = "; the keys: also the nodes of your rounds" if shown_to_nodes else ""
    return (
        Leaves(
            item="this node's name (its label), role, software version",
            form=VISIBLE,
            reader="the coordinator",
            when="when it connects",
            can="use an alias: label in node.toml",
        ),
        Leaves(
            item="public keys of this node, the invite it enters with, its consent to this plan",
            form=VISIBLE,
            reader=f"the coordinator{nodes}",
            when="when it connects; once for the invite",
            can="fedtui key rotate gives it new keys",
        ),
        Leaves(
            item="IP address; when it is connected, and how much is sent",
            form="plain, as of every connection",
            reader="the coordinator, and whoever is on the way",
            when="while connected",
            can="leave, stop the node",
        ),
    )


def _sums(plan: Plan) -> str:
    return said(plan.task.metric)
