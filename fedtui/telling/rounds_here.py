"""Every round as this node lived it: the one under way, and how each came out. Pure.

It is told what the participant's machine was told (`saw`), and says what a screen should show:
`current`, and with `take_passed` the rounds that are over. How a round came out for this node:

    counted   its update is in the model that the coordinator committed to
    late      it was not done in time, or the round went on without it
    refused   the coordinator did not take its update
    sat out   it took no part: no offer came, its policy or its operator said no
    failed    something here went wrong, or the attempt came to nothing for everybody

What the coordinator says later (the result of an attempt that was given up here, a score) changes
the past round that it is about. A result that was heard before changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fedtui.rounds import machine
from fedtui.rounds.participant import Phase
from fedtui.status import PastRound, Round
from fedtui.telling import timeline
from fedtui.telling.showing import PHASES
from fedtui.telling.timeline import Timeline
from fedtui.wire.messages import (
    Abort,
    Declining,
    Ended,
    Evaluate,
    Mailbox,
    Offer,
    Result,
    Reveal,
    Roster,
    Scored,
    Survivors,
)

if TYPE_CHECKING:
    from fedtui import status
    from fedtui.rounds.machine import ParticipantEffect, ParticipantEvent
    from fedtui.telling.timeline import Moment
    from fedtui.wire.messages import FromNode

KEPT = 4
_BEFORE_UPLOAD = {"selected", "download", "train", "share", "mask", "upload"}


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One attempt at a round, or the measuring of one model (`attempt` 0 and `offered` False)."""

    number: int
    attempt: int
    line: Timeline
    offered: bool
    masked: bool
    cohort: int = 0
    threshold: int | None = None
    have: int = 0
    need: int = 0
    outcome: status.Outcome | None = None
    reason: str = ""
    sat_out: str = ""
    deadline_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of a masked cohort or this node's group: its nodes, how many must stay, how many open it."""

    ready: int
    need: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """The machine after an event: what it works at, how far it is, until when (UTC seconds)."""

    work: Offer | Evaluate | None
    phase: Phase
    deadline_at: float
    moment: Moment


@dataclass(slots=True)
class RoundsHere:
    """`masked` is what the plan says of updates, `role` what this node is there for."""

    masked: bool
    role: str = "participant"
    _open: _Attempt | None = None
    _passed: dict[tuple[int, int], PastRound] = field(default_factory=dict)
    _told: list[PastRound] = field(default_factory=list)
    _result: tuple[int, bytes] = (0, b"")

    # ---- what is shown ------------------------------------------------------------------------

    def current(self) -> Round | None:
        """The round under way, or the last one; None before the first."""
        one = self._open
        if one is None:
            return None
        return Round(
            number=one.number,
            attempt=one.attempt,
            phase=one.line.phase,
            deadline_at=round(one.deadline_at) if one.line.phase else 0.0,
            steps=one.line.steps(),
            have=one.have,
            need=one.need,
            cohort=one.cohort,
            sat_out=one.sat_out,
        )

    def take_passed(self) -> list[PastRound]:
        """Rounds that are over since this was called last, and what became of older ones."""
        told, self._told = self._told, []
        return told

    @property
    def under_way(self) -> bool:
        """Whether a step is under way: bytes and seconds go on."""
        return self._open is not None and bool(self._open.line.phase)

    def see(self, moment: Moment) -> None:
        """Time passed."""
        if self._open is not None:
            self._open.line.see(moment)

    # ---- what happens -------------------------------------------------------------------------

    def saw(self, event: ParticipantEvent, effects: list[ParticipantEffect], now: Now) -> None:
        """The machine handled `event`, wants `effects`, and is as `now` says."""
        self.see(now.moment)
        message = event.message if isinstance(event, machine.Heard) else None
        if isinstance(message, Offer):
            self._offered(message, _declined(effects), now)
        elif isinstance(message, Evaluate) and now.work == message:
            self._measured(message, now)
        for said in _said(effects):
            if isinstance(said, Declining):
                self._gave_up(event, said, now)
        match message:
            case Abort():
                self._aborted(message, now)
            case Result():
                self._committed(message, now)
            case Scored():
                self._scored(message, now)
            case Ended():
                self._over("failed", "the federation ended", now)
            case _:
                self._went_on(event, effects, now)

    def counts(self, message: Roster | Mailbox | Survivors, numbers: Numbers) -> None:
        """A masked cohort is known, or smaller than it was; the machine went along with it."""
        one = self._open
        if one is None or (one.number, one.attempt) != (message.round, message.attempt):
            return
        match message:
            case Roster():
                one.have = numbers.ready
            case Mailbox():
                one.have = len(message.included)
            case Survivors():
                one.have = len(message.nodes)
        one.need, one.threshold = numbers.need, numbers.threshold

    def close(self, moment: Moment) -> None:
        """This node stops, or leaves; what is under way comes to nothing here."""
        one = self._open
        if one is not None and one.line.phase:
            one.line.end("failed", moment)
            if one.offered and one.outcome is None:
                one.outcome, one.reason = "failed", "the node stopped in mid-round"
                self._pass(one)

    # ---- small parts --------------------------------------------------------------------------

    def _offered(self, offer: Offer, declined: set[tuple[int, int]], now: Now) -> None:
        key, one, work = (offer.round, offer.attempt), self._open, now.work
        if one is not None and (one.number, one.attempt) == key and one.offered:
            return
        taken = isinstance(work, Offer) and (work.round, work.attempt) == key
        if not taken and (key not in declined or key in self._passed):
            return  # an old one, late or once more
        newer = one is not None and one.number < offer.round
        why = "its result was not heard here" if newer else "another attempt began"
        self._over("failed", why, now)
        phases = timeline.MASKED if self.masked else timeline.VISIBLE
        self._open = _Attempt(
            number=offer.round,
            attempt=offer.attempt,
            line=Timeline(phases, now.moment),
            offered=True,
            masked=self.masked,
            cohort=offer.cohort_size,
        )

    def _measured(self, message: Evaluate, now: Now) -> None:
        one = self._open
        if one is None or one.number != message.round or one.outcome is None:
            self._over("late", "the round went on without this node", now)
            one = self._open = _Attempt(
                number=message.round,
                attempt=message.attempt,
                line=Timeline(timeline.MEASURED, now.moment),
                offered=False,
                masked=self.masked and bool(message.attempt),
                cohort=message.cohort_size,
            )
        else:
            one.line.measure(now.moment)
            one.have = one.need = 0
        one.deadline_at = now.deadline_at

    def _gave_up(self, event: ParticipantEvent, said: Declining, now: Now) -> None:
        """This node said that it takes no part (any more), and why."""
        one = self._open
        if one is None or (one.number, one.attempt) != (said.round, said.attempt):
            return
        if one.outcome is None and one.offered:
            self._over(_outcome(event), said.reason, now)
            one.sat_out = said.reason

    def _aborted(self, message: Abort, now: Now) -> None:
        one = self._open
        if one is not None and (one.number, one.attempt) == (message.round, message.attempt):
            self._over("failed", message.reason, now)
        elif one is not None and one.line.phase == "evaluate" and now.work is None:
            one.line.end("failed", now.moment)
            self._pass_measured(one)

    def _committed(self, message: Result, now: Now) -> None:
        if self._result == (message.round, message.model.digest):
            return  # told again in a new session
        self._result = (message.round, message.model.digest)
        one = self._open
        key = (message.round, message.attempt)
        if one is not None and one.offered and (one.number, one.attempt) == key:
            one.line.end("done" if message.counted else "failed", now.moment)
            if message.counted:
                one.outcome, one.reason, one.sat_out = "counted", "", ""
            elif one.outcome is None:
                one.outcome, one.reason = "late", "the round went on without this node"
            self._pass(one, message)
            return
        if one is not None and one.offered and one.number <= message.round:
            self._over("late", "another attempt of the round was committed", now)
        if key not in self._passed:
            self._tell(
                PastRound(
                    number=message.round,
                    attempt=message.attempt,
                    outcome="counted" if message.counted else "sat out",
                    ended_at=now.moment.at,
                    num_updates=message.num_updates,
                    masked=self.masked,
                    reason="" if message.counted else self._why_not_asked(),
                )
            )

    def _why_not_asked(self) -> str:
        if self.role == "participant":
            return "no offer came to this node"
        return f"this node is an {self.role}: it does not train"

    def _scored(self, message: Scored, now: Now) -> None:
        one = self._open
        if one is not None and one.number == message.round and now.work is None:
            one.line.end("done", now.moment)
            self._pass_measured(one)
        keys = [key for key in self._passed if key[0] == message.round]
        if keys:
            self._pass_again(replace(self._passed[max(keys)], score=message.score))

    def _went_on(
        self, event: ParticipantEvent, effects: list[ParticipantEffect], now: Now
    ) -> None:
        """What the machine's phase says of the round under way."""
        one = self._open
        if one is None or not one.line.phase:
            return
        work = now.work
        if work is None:
            self._rested(one, event, now)
        elif work.round == one.number:
            one.deadline_at = now.deadline_at
            if isinstance(work, Offer) and work.attempt == one.attempt:
                reveals = any(isinstance(said, Reveal) for said in _said(effects))
                shown = "aggregate" if reveals else PHASES[now.phase][1]
                if one.line.phase != "aggregate" or now.phase is not Phase.CONFIRMING:
                    one.line.enter(shown, now.moment)

    def _rested(self, one: _Attempt, event: ParticipantEvent, now: Now) -> None:
        """The machine has nothing to do any more."""
        match event:
            case _ if one.line.phase == "evaluate":
                one.line.end("failed" if _went_wrong(event) else "done", now.moment)
                self._pass_measured(one)
            case machine.UpdateRefused(reason=reason):
                late = reason.startswith("too late")
                self._over("late" if late else "refused", reason, now)
            case machine.UpdateAcknowledged():
                one.line.enter("aggregate", now.moment)
                one.deadline_at = 0.0
            case _ if one.line.phase in _BEFORE_UPLOAD:
                self._over("late", "the round went on without this node", now)
            case _:
                pass

    def _over(self, outcome: status.Outcome, reason: str, now: Now) -> None:
        """What is under way ends so; nothing if that is known already."""
        one = self._open
        if one is None:
            return
        if one.line.phase:
            one.line.end("failed", now.moment)
        if one.offered and one.outcome is None:
            one.outcome, one.reason = outcome, reason
            self._pass(one)

    def _pass(self, one: _Attempt, result: Result | None = None) -> None:
        num_updates = None if result is None else result.num_updates
        self._tell(
            PastRound(
                number=one.number,
                attempt=one.attempt,
                outcome=one.outcome or "failed",
                ended_at=one.line.ended_at,
                seconds=round(max(0.0, one.line.ended_at - one.line.began_at), 3),
                num_updates=num_updates,
                cohort=one.cohort or None,
                dropped=None if num_updates is None else max(0, one.cohort - num_updates),
                masked=one.masked,
                threshold=one.threshold,
                bytes_up=one.line.num_sent,
                bytes_down=one.line.num_received,
                reason=one.reason,
                steps=one.line.steps(),
            )
        )

    def _pass_measured(self, one: _Attempt) -> None:
        """The measuring is over: its step and its bytes belong to the round that it was of."""
        known = self._passed.get((one.number, one.attempt))
        if known is not None and one.offered:
            self._pass_again(
                replace(
                    known,
                    steps=one.line.steps(),
                    bytes_up=one.line.num_sent,
                    bytes_down=one.line.num_received,
                )
            )

    def _pass_again(self, past: PastRound) -> None:
        if past != self._passed.get((past.number, past.attempt)):
            self._tell(past)

    def _tell(self, past: PastRound) -> None:
        self._passed[past.number, past.attempt] = past
        while len(self._passed) > KEPT:
            del self._passed[min(self._passed)]
        self._told.append(past)


def _said(effects: list[ParticipantEffect]) -> list[FromNode]:
    return [effect.message for effect in effects if isinstance(effect, machine.Say)]


def _declined(effects: list[ParticipantEffect]) -> set[tuple[int, int]]:
    """Round and attempt of everything that this node says no to."""
    return {(one.round, one.attempt) for one in _said(effects) if isinstance(one, Declining)}


def _outcome(event: ParticipantEvent) -> status.Outcome:
    """How a round comes out that this node gives up for this reason."""
    match event:
        case machine.Heard(message=Offer()) | machine.LocalOperator():
            return "sat out"
        case machine.Tick():
            return "late"
        case _:
            return "failed"


def _went_wrong(event: ParticipantEvent) -> bool:
    return isinstance(event, machine.JobFailed | machine.Tick | machine.LocalOperator)
