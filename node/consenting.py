"""Consenting: the plan at hand, whether this node may follow it, and the operator's yes.

    expect(hash) -> kept from before, or fetched -> received(data) -> verdict()

The consent is on disk before anybody hears of it, and covers exactly one plan hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fedtui import status
from fedtui.rounds import plan as plans
from node import consent, policy, terms
from node.consent import Consent
from node.exits import Exit, Stop

if TYPE_CHECKING:
    from node.config import NodeConfig
    from node.home import Home


@dataclass(frozen=True, slots=True)
class Verdict:
    """Both empty: go on under the plan. `refused` cannot be cured by asking the operator."""

    refused: str = ""
    asking: str = ""


class Consenting:
    """Plan and consent of one membership."""

    def __init__(self, home: Home, config: NodeConfig) -> None:
        self._home = home
        self._board = home.board
        self._config = config
        self._consent = consent.load(home.profile.consent)
        self._offered: tuple[terms.Agreement, bytes] | None = None
        kept = terms.load(home.profile.terms)
        if kept is not None and policy.lacks_consent(kept.facts, self._consent) is None:
            self._show(kept, consented=True)
        else:
            self._board.post(status.PlanSeen(plan=None, consented=False))

    @property
    def agreement(self) -> terms.Agreement:
        """The plan at hand, consented to or not. Raises Stop if there is none."""
        if self._offered is None:
            raise Stop(
                "the coordinator's plan is not here yet",
                remedy="wait until 'fedtui status' shows it",
                exit_code=Exit.UNREACHABLE,
            )
        return self._offered[0]

    @property
    def has_plan(self) -> bool:
        return self._offered is not None

    def expect(self, plan_hash: bytes) -> bool:
        """The coordinator announced this plan: whether it is here already."""
        kept = terms.load(self._home.profile.terms, plan_hash)
        self._offered = (kept, b"") if kept is not None else None
        if kept is None:
            self._board.post(status.PlanSeen(plan=None, consented=False))
        return kept is not None

    def received(self, data: bytes, plan_hash: bytes) -> None:
        """The plan came. Raises RemoteProtocolError if it is not the one announced."""
        self._offered = (terms.read(data, plan_hash), data)

    def verdict(self) -> Verdict:
        """Whether to refuse the plan, ask about it, or go on under it; shows it."""
        agreement = self.agreement
        conflicts = plans.check(agreement.plan)
        refusal = policy.refuses_plan(agreement.facts, self._config)
        missing = policy.lacks_consent(agreement.facts, self._consent)
        self._show(agreement, consented=not missing)
        if refusal or conflicts:
            return Verdict(refused=refusal or f"the plan contradicts itself: {conflicts[0]}")
        if missing:
            if self._consent is not None:
                self._board.problem(missing, remedy="read it and decide: fedtui join")
            return Verdict(asking=f"{missing}: fedtui join")
        self._keep()
        return Verdict()

    def agree(self, plan_hash: str) -> None:
        """The operator says yes to exactly this plan. Raises Stop if it is another."""
        agreement = self.agreement
        if plan_hash != agreement.plan_hash.hex():
            raise Stop(
                f"you accept plan {plan_hash}, the coordinator has {agreement.plan_hash.hex()}",
                remedy="read the plan with 'fedtui join' and decide anew",
                exit_code=Exit.REFUSED,
            )
        refusal = policy.refuses_plan(agreement.facts, self._config)
        if refusal:
            raise Stop(refusal, exit_code=Exit.REFUSED)
        given = Consent(
            plan_hash=plan_hash,
            coordinator_id=self._config.coordinator.id,
            at=self._home.clock(),
            visible_updates=agreement.facts.visible_updates,
            leaves=self._summary(agreement).leaves,
            data_path=self._config.data.path,
        )
        consent.save(self._home.profile.consent, given)
        self._consent = given
        self._board.log("info", f"you agreed to plan {plan_hash[:16]}")
        self._board.solved()

    def withdraw(self) -> None:
        consent.withdraw(self._home.profile.consent)
        self._consent = None

    def _keep(self) -> None:
        """Terms that count are kept, so that a restart need not fetch them."""
        if self._offered is not None and self._offered[1]:
            terms.save(self._home.profile.terms, self._offered[1])
            self._offered = (self._offered[0], b"")

    def _show(self, agreement: terms.Agreement, *, consented: bool) -> None:
        differs: tuple[str, ...] = ()
        if not consented and self._consent is not None:
            before = terms.load(self._home.profile.terms)
            differs = terms.differences(before.plan, agreement.plan) if before else ()
        summary = self._summary(agreement, differs)
        self._board.post(status.PlanSeen(plan=summary, consented=consented))

    def _summary(
        self, agreement: terms.Agreement, differs: tuple[str, ...] = ()
    ) -> status.PlanSummary:
        config = self._config
        return terms.summary(agreement, label=config.label, role=config.role, differs=differs)
