"""Consenting: the plan at hand, whether this node may follow it, and the operator's yes.

    expect(hash) -> kept from before, or fetched -> received(data) -> verdict()

The consent is on disk before anybody hears of it, and covers exactly one plan, form, coordinator
and set of examples. What the trainer reads is compared with it each time (`read`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fedtui import status
from fedtui.crypto.keys import fingerprint
from fedtui.rounds import choices, compression, owned
from fedtui.rounds import plan as plans
from fedtui.telling import agreement as agreements
from fedtui.telling import form, privacy
from node import consent, limits_text, policy, tasks, terms
from node.consent import Consent
from node.exits import Exit, Stop
from node.jobs import DataSeen

if TYPE_CHECKING:
    from node.config import NodeConfig
    from node.home import Home

_OTHER_DATA = "your data is not what it was when you agreed"


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
        self._offered: tuple[agreements.Agreement, bytes] | None = None
        self._data = DataSeen()  # as the trainer read it last
        self._other_data = ""
        kept = terms.load(home.profile.terms)
        if kept is not None and not self._missing(kept):
            self._show(kept, consented=True)
        else:
            self._board.post(status.PlanSeen(plan=None, consented=False))
        self._show_receipt()

    @property
    def agreement(self) -> agreements.Agreement:
        """The plan at hand, consented to or not. Raises Stop if there is none."""
        if self._offered is None:
            raise Stop(
                "the coordinator's plan is not here yet",
                remedy="wait until 'fedtui status' shows it",
                exit_code=Exit.UNREACHABLE,
            )
        return self._offered[0]

    @property
    def declared(self) -> dict[str, str]:
        """What the plan asks a participant to declare, as far as its operator does."""
        if self._config.role != "participant":
            return {}
        return choices.told(self.agreement.plan, self._config.declare)

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
        lacking = owned.of_strategy(agreement.plan)
        if lacking:
            return Verdict(refused=lacking[0])
        conflicts = plans.check(agreement.plan)
        if conflicts:  # what would leave under it cannot be told, and nobody needs to know
            return Verdict(refused=f"the plan contradicts itself: {conflicts[0]}")
        misfit = compression.misfit_of(agreement.plan, agreement.manifest)
        refusal = policy.refuses_plan(policy.facts_of(agreement), self._config)
        missing = self._missing(agreement)
        self._show(agreement, consented=not missing)
        if refusal or misfit:
            return Verdict(refused=refusal or f"the plan contradicts itself: {misfit}")
        if missing:
            if self._consent is not None:
                self._board.problem(missing, remedy="read it and decide: fedtui join")
                self._alarm(missing)
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
        refusal = policy.refuses_plan(policy.facts_of(agreement), self._config)
        if refusal:
            raise Stop(refusal, exit_code=Exit.REFUSED)
        summary = self._summary(agreement)
        given = Consent(
            plan_hash=plan_hash,
            coordinator_id=self._config.coordinator.id,
            at=self._home.clock(),
            visible_updates=policy.facts_of(agreement).visible_updates,
            leaves=summary.leaves,
            data_path=self._config.data.path,
            form_hash=summary.form_hash,
            data_digest=self._data.digest,
            num_examples=self._data.num_examples,
            limits=limits_text.sentence(self._config.limits) or "none",
        )
        consent.save(self._home.profile.consent, given)
        self._consent, self._other_data = given, ""
        self._show_receipt()
        self._board.log("info", f"you agreed to plan {plan_hash[:16]}", "operator")
        self._board.solved()

    def read(self, data: DataSeen) -> str:
        """The trainer read the examples: why nothing may be made of them, "" if it may.

        Those that it reads first after the operator agreed are those agreed to.
        """
        if not data.digest:
            return ""
        self._data = data
        known = self._consent
        if known is None:
            return "nobody here has agreed to the plan yet"
        if not known.data_digest:
            self._consent = msgspec.structs.replace(
                known, data_digest=data.digest, num_examples=data.num_examples
            )
            consent.save(self._home.profile.consent, self._consent)
            self._show_receipt()
        elif known.data_digest != data.digest:
            self._other_data = (
                f"your data: was {known.num_examples:,} examples ({known.data_digest[:16]}), is "
                f"{data.num_examples:,} examples ({data.digest[:16]})"
            )
            return _OTHER_DATA
        return ""

    def checked(self, data: DataSeen) -> None:
        """The operator had the data checked: they agree to these examples, if to any."""
        if data.digest:
            self._data = data

    def withdraw(self) -> None:
        consent.withdraw(self._home.profile.consent)
        self._consent = None
        self._show_receipt()

    def _keep(self) -> None:
        """Terms that count are kept, so that a restart need not fetch them."""
        if self._offered is not None and self._offered[1]:
            terms.save(self._home.profile.terms, self._offered[1])
            self._offered = (self._offered[0], b"")

    def _missing(self, agreement: agreements.Agreement) -> str:
        """Why the operator must be asked (again); "" if they need not be."""
        missing = policy.lacks_consent(policy.facts_of(agreement), self._consent)
        if missing or self._consent is None:
            return missing or ""
        if not self._is_same_coordinator(self._consent.coordinator_id):
            return "the coordinator has another key than the one that you agreed with"
        if self._consent.form_hash != self._summary(agreement).form_hash:
            return "what leaves under the plan is not what you agreed to"
        return _OTHER_DATA if self._other_data else ""

    def _is_same_coordinator(self, agreed_with: str) -> bool:
        """Also if its key was handed over to another one since: that was checked, and told."""
        trust = self._home.trust
        now, then = (
            trust.current_id(bytes.fromhex(one))
            for one in (self._config.coordinator.id, agreed_with)
        )
        return now == then

    def _alarm(self, missing: str) -> None:
        plan = self._board.status.plan
        self._board.alarm(
            "data changed" if missing == _OTHER_DATA else "plan changed",
            f"{missing}: this node sits out until you agree again",
            remedy="read what changed and decide: fedtui join",
            detail=plan.differs if plan is not None else (),
        )

    def _show(self, agreement: agreements.Agreement, *, consented: bool) -> None:
        differs = () if consented else self._differences(agreement)
        summary = self._summary(agreement, differs)
        self._board.post(status.PlanSeen(plan=summary, consented=consented))
        if not self._board.status.round.phase:
            seen = privacy.seen(agreement.plan, self._config.role)
            self._board.post(status.PrivacySeen(privacy=seen))

    def _differences(self, agreement: agreements.Agreement) -> tuple[str, ...]:
        """What is another than what was agreed to, as sentences."""
        known = self._consent
        if known is None:
            return ()
        found: list[str] = []
        if not self._is_same_coordinator(known.coordinator_id):
            now, then = (
                fingerprint(bytes.fromhex(one))
                for one in (self._config.coordinator.id, known.coordinator_id)
            )
            found.append(f"the coordinator's key: was {then}, is {now}")
        if self._other_data:
            found.append(self._other_data)
        before = terms.load(self._home.profile.terms)
        if before is not None:
            found += agreements.differences(before, agreement)
        if known.leaves:
            found += form.changed(known.leaves, self._summary(agreement).leaves)
        return tuple(found)

    def _show_receipt(self) -> None:
        receipt = None if self._consent is None else self._consent.receipt()
        if receipt != self._board.status.receipt:
            self._board.post(status.ReceiptKept(receipt=receipt))

    def _summary(
        self, agreement: agreements.Agreement, differs: tuple[str, ...] = ()
    ) -> status.PlanSummary:
        needs = tasks.about(agreement.plan.task, self._home.profile.tasks)
        return agreements.summary(agreement, role=self._config.role, needs=needs, differs=differs)
