"""The wizard's machine: six steps, what leads from one to the next, and what never does. Pure.

    1 find -> 2 is it really this coordinator -> 3 task and data -> 4 limits -> 5 consent -> 6 wait

Nobody is asked to enter before its key was verified: by words or the whole fingerprint typed from
the other screen, by an invite that carries the key, or because this node pinned it before. Nothing
of the operator's data is used before they agreed to the plan whose form they read. All that must
last is the node's: a wizard that is opened again begins where the node's status says.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TYPE_CHECKING

from fedtui.tui.modals.join import events as ev

if TYPE_CHECKING:
    from fedtui.status import (
        CheckReport,
        FoundCoordinator,
        InviteSeen,
        NodeStatus,
        PlanSummary,
        ProbedCoordinator,
        Setup,
    )
    from fedtui.status.wordcheck import WordCheck

AGREED = "share"


class Step(IntEnum):
    """Where the wizard is."""

    FIND = 1
    VERIFY = 2
    DATA = 3
    LIMITS = 4
    CONSENT = 5
    WAIT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Wizard:
    """`busy` says what is under way, `trouble` and `remedy` what went wrong; "" if nothing.

    `pinned`: the node belongs to a coordinator already. `asked`: it has been told of this node.
    `report` is of `plan`, None while nothing was tried.
    """

    step: Step = Step.FIND
    busy: str = ""
    trouble: str = ""
    remedy: str = ""
    found: tuple[FoundCoordinator, ...] = ()
    looked_at: float | None = None
    picked: FoundCoordinator | None = None
    probed: ProbedCoordinator | None = None
    check: WordCheck | None = field(default=None, repr=False)
    invite: str = field(default="", repr=False)
    seen: InviteSeen | None = None
    pinned: bool = False
    asked: bool = False
    plan: PlanSummary | None = None
    report: CheckReport | None = None
    status: NodeStatus | None = None

    @property
    def verified(self) -> bool:
        """Whether we know whose key it is."""
        passed = self.check is not None and self.check.passed
        return passed or self.seen is not None or self.pinned

    @property
    def can_agree(self) -> bool:
        """Whether the plan was tried here and can be agreed to."""
        tried = self.report is not None and not self.report.problems
        return self.plan is not None and tried and not self.busy


Moved = tuple[Wizard, tuple[ev.Effect, ...]]


def begin(status: NodeStatus) -> Moved:
    """The wizard as the node's status has it: at the beginning, or in the middle."""
    away = status.plan is None and (status.coordinator is None or status.state == "idle")
    if away:
        return _calm(Wizard(status=status), busy="listening on this network"), (ev.Discover(),)
    wizard = Wizard(status=status, plan=status.plan, pinned=True, asked=status.plan is not None)
    if status.plan is None:
        return replace(wizard, step=Step.DATA), ()
    if status.consented:
        return replace(wizard, step=Step.WAIT), ()
    step = Step.CONSENT if status.plan.differs else Step.DATA
    return _dry_run(replace(wizard, step=step))


def advance(wizard: Wizard, event: ev.Event) -> Moved:
    """What `event` makes of it, and what is to be done then."""
    match event:
        case ev.Seen(status=status):
            return (
                (wizard, ()) if _is_old(wizard, status) else _seen(replace(wizard, status=status))
            )
        case ev.Back():
            return _back(wizard)
        case ev.Failed(text=text, remedy=remedy):
            kept = wizard.invite if wizard.seen is not None else ""
            return _trouble(replace(wizard, invite=kept), text, remedy)
        case _:
            return _in_step(wizard, event)


def _in_step(wizard: Wizard, event: ev.Event) -> Moved:
    match wizard.step:
        case Step.FIND:
            return _find(wizard, event)
        case Step.VERIFY:
            return _verify(wizard, event)
        case Step.DATA:
            return _data(wizard, event)
        case Step.LIMITS:
            return _limits(wizard, event)
        case Step.CONSENT:
            return _consent(wizard, event)
        case Step.WAIT:
            return wizard, ((ev.Close(),) if isinstance(event, ev.Go) else ())


def _calm(wizard: Wizard, *, busy: str = "") -> Wizard:
    return replace(wizard, busy=busy, trouble="", remedy="")


def _trouble(wizard: Wizard, text: str, remedy: str = "") -> Moved:
    return replace(wizard, busy="", trouble=text, remedy=remedy), ()


def _dry_run(wizard: Wizard) -> Moved:
    tried = _calm(wizard, busy="trying task and data on this machine; nothing is sent")
    return replace(tried, report=None), (ev.DryRun(),)


# ---- one step each -----------------------------------------------------------------------------


def _find(wizard: Wizard, event: ev.Event) -> Moved:
    match event:
        case ev.Look():
            return _calm(wizard, busy="listening on this network"), (ev.Discover(),)
        case ev.Looked(found=found, at=at):
            return replace(_calm(wizard), found=found, looked_at=at), ()
        case ev.Address(address=address, found=found_one):
            if not _is_address(address):
                return _trouble(wizard, "this is no address", "as in 192.168.1.20:8443")
            busy = f"asking who answers at {address.strip()}; nothing of yours is sent"
            there = replace(_calm(wizard, busy=busy), picked=found_one, invite="", seen=None)
            return there, (ev.Probe(address.strip()),)
        case ev.Probed():
            return replace(_probed(wizard, event), step=Step.VERIFY), ()
        case ev.Invite(text=text):
            return _read(replace(wizard, picked=None, probed=None, check=None), text)
        case ev.InviteRead(seen=seen):
            return replace(_calm(wizard), seen=seen, step=Step.VERIFY), ()
        case _:
            return wizard, ()


def _is_address(text: str) -> bool:
    host, colon, port = text.strip().rpartition(":")
    return bool(host and colon) and port.isdecimal() and 0 < int(port) < 65536 and " " not in host


def _probed(wizard: Wizard, event: ev.Probed) -> Wizard:
    who = event.who
    wizard = replace(_calm(wizard), probed=who, check=event.check)
    if who.remedy:
        text = f"{who.label or who.address} cannot be joined with this node; nothing was sent"
        return replace(wizard, check=None, trouble=text, remedy=who.remedy)
    if event.check is None:
        remedy = "ask its operator for an invite: it carries the key"
        return replace(wizard, trouble="it has no words to compare", remedy=remedy)
    return wizard


def _read(wizard: Wizard, text: str) -> Moved:
    stripped = "".join(text.split())
    if not stripped:
        return _trouble(wizard, "there is no invite in it")
    busy = _calm(wizard, busy="reading the invite")
    return replace(busy, invite=stripped, seen=None), (ev.ReadInvite(stripped),)


def _verify(wizard: Wizard, event: ev.Event) -> Moved:
    match event:
        case ev.Typed(words=words) if wizard.check is not None and not wizard.verified:
            return _typed(wizard, wizard.check, words)
        case ev.Probed():
            return _probed(wizard, event), ()
        case ev.Invite(text=text):
            return _read(wizard, text)
        case ev.InviteRead(seen=seen):
            who = wizard.probed
            if who is not None and seen.coordinator_id != who.coordinator_id:
                other = replace(wizard, invite="", seen=None)
                text = (
                    f"this invite is for ANOTHER key than the one that answered at {who.address}"
                )
                return _trouble(other, text, "go back and use the invite by its own address")
            return replace(_calm(wizard), seen=seen), ()
        case ev.Go() if wizard.verified and not wizard.busy:
            return replace(_calm(wizard), step=Step.DATA), ()
        case _:
            return wizard, ()


def _typed(wizard: Wizard, before: WordCheck, words: tuple[str, ...]) -> Moved:
    check = copy(before)
    passed = check.type_words(words) if len(words) > 1 else check.type_fingerprint("".join(words))
    wizard = replace(_calm(wizard), check=check)
    if passed:
        return wizard, ()
    if check.spent:
        return _trouble(
            wizard,
            "too often wrong: this is not the coordinator whose screen you read, or someone is in "
            "between. Nothing was sent",
            "ask its operator for an invite: it carries the key",
        )
    times = "once more" if check.tries_left == 1 else f"{check.tries_left} times"
    return _trouble(
        wizard,
        "these are not the words of the key that answered",
        f"read them again from THAT screen; you may try {times}",
    )


def _data(wizard: Wizard, event: ev.Event) -> Moved:
    match event:
        case ev.Data(setup=setup) if wizard.verified and not wizard.busy:
            busy = _calm(wizard, busy="asking the coordinator for its plan")
            return replace(busy, report=None), (_enter(wizard, setup),)
        case ev.Arrived(status=status):
            arrived = replace(wizard, status=status, plan=status.plan, asked=True, invite="")
            if status.consented:
                return replace(_calm(arrived), step=Step.WAIT), ()
            return _dry_run(arrived)
        case ev.Checked(report=report):
            return replace(_calm(wizard), report=report), ()
        case ev.Go() if wizard.can_agree:
            return replace(_calm(wizard), step=Step.LIMITS), ()
        case _:
            return wizard, ()


def _enter(wizard: Wizard, setup: Setup) -> ev.Enter:
    if wizard.asked or wizard.pinned:
        return ev.Enter(setup)
    if wizard.seen is not None:
        return ev.Enter(setup, invite=wizard.invite)
    who = wizard.probed
    if who is None:  # verified without either is what `pinned` means
        return ev.Enter(setup)
    return ev.Enter(setup, address=who.address, coordinator_id=who.coordinator_id)


def _limits(wizard: Wizard, event: ev.Event) -> Moved:
    match event:
        case ev.Limited(limits=limits) if not wizard.busy:
            return _calm(wizard, busy="keeping your limits"), (ev.SetLimits(limits),)
        case ev.LimitsKept():
            return replace(_calm(wizard), step=Step.CONSENT), ()
        case ev.Checked(report=report):
            return replace(_calm(wizard), report=report), ()
        case _:
            return wizard, ()


def _consent(wizard: Wizard, event: ev.Event) -> Moved:
    match event:
        case ev.Said(text=text, plan_hash=read_hash) if wizard.plan is not None:
            if not wizard.can_agree:
                return wizard, ()
            if read_hash != wizard.plan.plan_hash:
                return _trouble(wizard, "the plan changed while you read", "read the form again")
            if text.strip().casefold() != AGREED:
                return _trouble(wizard, f"to agree, type the word {AGREED}", "Esc: do not agree")
            return _calm(wizard, busy="keeping your consent"), (ev.Agree(read_hash),)
        case ev.Checked(report=report):
            return replace(_calm(wizard), report=report), ()
        case ev.Agreed(status=status):
            return replace(_calm(wizard), step=Step.WAIT, status=status), ()
        case ev.Go() if wizard.report is None and not wizard.busy:
            return _dry_run(wizard)
        case _:
            return wizard, ()


# ---- from every step ---------------------------------------------------------------------------


def _seen(wizard: Wizard) -> Moved:
    """The node's status is the truth: another screen may have agreed, left, or met a new plan."""
    status = wizard.status
    if status is None or not wizard.asked:
        return wizard, ()
    plan = status.plan
    if plan is None:
        if status.state != "idle":
            return wizard, ()  # on its way to the coordinator
        gone = Wizard(status=status, found=wizard.found, looked_at=wizard.looked_at)
        return _trouble(gone, "the node is in no federation any more", "choose one")
    changed = wizard.plan is None or _identity(plan) != _identity(wizard.plan)
    wizard = replace(wizard, plan=plan)
    if status.consented:
        done = wizard.step is Step.WAIT
        return (wizard if done else replace(_calm(wizard), step=Step.WAIT)), ()
    if wizard.step is Step.WAIT:
        return _dry_run(replace(wizard, step=Step.CONSENT))
    if changed:
        return _dry_run(wizard)
    return wizard, ()


def _is_old(wizard: Wizard, status: NodeStatus) -> bool:
    """Whether the wizard knows better: what the screen is told may be a moment behind."""
    known = wizard.status
    if known is None or known.started_at != status.started_at:
        return False
    return status.seq < known.seq


def _identity(plan: PlanSummary) -> tuple[str, str]:
    return plan.plan_hash, plan.form_hash


def _back(wizard: Wizard) -> Moved:
    match wizard.step:
        case Step.FIND if wizard.busy and wizard.looked_at is not None:
            return _calm(wizard), (ev.Cancel(),)
        case Step.VERIFY if wizard.busy:
            return _calm(wizard), (ev.Cancel(),)
        case Step.VERIFY:
            clean = replace(_calm(wizard), invite="", seen=None, probed=None, check=None)
            return replace(clean, step=Step.FIND, picked=None), ()
        case Step.DATA if not (wizard.asked or wizard.pinned):
            return replace(_calm(wizard), step=Step.VERIFY), (ev.Cancel(),)
        case Step.LIMITS:
            return replace(_calm(wizard), step=Step.DATA), (ev.Cancel(),)
        case Step.CONSENT if not wizard.busy:
            return replace(_calm(wizard), step=Step.LIMITS), ()
        case _:
            return wizard, (ev.Cancel(), ev.Close())
