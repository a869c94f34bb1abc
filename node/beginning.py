"""Beginning: what a certificate must say, and how a service is put together of a home's parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui.crypto.keys import fingerprint
from fedtui.wire import enrolment
from node.budget import Budget
from node.masked_rounds import open_journal
from node.service import Contract, NodeService, Parts
from node.trimming import trim

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.telling.agreement import Agreement
    from fedtui.wire.messages import Enrolled, FromNode
    from node.allowance import Allowance
    from node.config import NodeConfig
    from node.home import Home
    from node.lookback import Lookback
    from node.masked_rounds import Parties
    from node.transfers import Transfers
    from node.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a membership lends to its service; `totals` gives the link's bytes so far."""

    transfers: Transfers
    work: Work
    lookback: Lookback
    totals: Callable[[], tuple[int, int]]
    say: Callable[[FromNode], None]
    changed: Callable[[], None]
    over: Callable[[], None]


def refuses(message: Enrolled, parties: Parties, config: NodeConfig) -> tuple[str, str]:
    """Why this node is not enrolled so, and the remedy; both "" if it is."""
    certificate = enrolment.Certificate(
        federation_id=parties.federation_id,
        node=parties.signer.public,
        role=message.role,
        not_before=message.not_before,
    )
    if not enrolment.verify(parties.coordinator, certificate, message.signature):
        return "the coordinator's certificate for this node is not genuine", ""
    if message.role != config.role:
        return (
            f"the coordinator enrolled this node as {message.role}, you asked for {config.role}",
            f"if you agree: fedtui join --role {message.role}",
        )
    return "", ""


def begin_service(
    home: Home,
    config: NodeConfig,
    agreement: Agreement,
    parties: Parties,
    tools: Tools,
    *,
    paused: bool,
) -> NodeService:
    """A machine without memory but the journal and the budget. Raises OSError and BudgetError."""
    home.updates.drop_masked()
    journal = open_journal(home, parties) if agreement.plan.masked else None
    parts = Parts(
        board=home.board,
        ledger=home.ledger,
        journal=journal,
        allowance=_allowance(home, config, agreement, parties),
        models=home.models,
        updates=home.updates,
        transfers=tools.transfers,
        work=tools.work,
        watch=tools.lookback.watch(
            agreement,
            role=config.role,
            federation_id=parties.federation_id,
            totals=tools.totals,
        ),
        clock=home.clock,
        say=tools.say,
        changed=tools.changed,
        over=tools.over,
    )
    contract = Contract(
        agreement=agreement,
        parties=parties,
        config=config,
        role=config.role,
        receiver=fingerprint(bytes.fromhex(config.coordinator.id)),
    )
    trim()  # joining took more than serving does
    return NodeService(parts, contract, paused=paused)


def _allowance(
    home: Home, config: NodeConfig, agreement: Agreement, parties: Parties
) -> Allowance | None:
    """What the plan may spend of this node's privacy; None if nothing of it is counted."""
    if agreement.plan.dp is None or config.role != "participant":
        return None
    from node import allowance as allowances  # noqa: PLC0415 - memory is short, few plans need it

    budget = Budget(home.profile.budget, federation_id=parties.federation_id, clock=home.clock)
    allowance = allowances.Allowance(budget, agreement.plan, config.privacy.epsilon, home.board)
    allowance.start()
    return allowance
