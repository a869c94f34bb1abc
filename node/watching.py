"""RoundWatch: tells the board what the participant's machine lives through; decides nothing.

The service shows it every event with the effects that the machine wants (`saw`), the trainer's
words and figures, and once a second the time (`refresh`). From that come the timeline of the round
under way, past rounds on screen and disk, training, own scores, privacy figures, the roster, and
the alarms that belong to rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fedtui import status
from fedtui.rounds import machine
from fedtui.rounds.cohort import ENOUGH
from fedtui.telling import privacy, showing
from fedtui.telling.cohort_here import CohortHere
from fedtui.telling.rounds_here import Now, RoundsHere
from fedtui.telling.timeline import Moment
from fedtui.wire.labels import safe_label
from fedtui.wire.messages import (
    Declining,
    Mailbox,
    Offer,
    Result,
    Roster,
    Survivors,
    ToMasker,
    Votes,
)
from node import own_scores
from node.own_scores import OwnScores
from node.progressing import Progressing

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.rounds.machine import ParticipantEffect, ParticipantEvent
    from fedtui.rounds.participant import RoundParticipant
    from fedtui.rounds.plan import Plan
    from fedtui.wire.messages import Role
    from node import jobs
    from node.board import Board
    from node.history import History
    from node.peers import Peers

_TOO_FEW = ("only ", "sums of ", "a sum of ", "a cohort of ", "the roster has ", "the plan counts")
_STRANGERS = "nodes that this node's operator did not approve"
_WORSE = (
    "ask the coordinator's operator; fedtui pause takes no part meanwhile, and "
    '[model] got_worse = "refuse" in node.toml takes no part in such rounds'
)
_REFUSED = "nothing was sent, as node.toml says: ask the coordinator's operator"
_OURS = "this node was restarted since"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a watch works with. `totals` gives the link's bytes so far; `me` is this node's id."""

    board: Board
    plan: Plan
    role: Role
    me: bytes
    federation_id: bytes
    history: History | None
    peers: Peers
    totals: Callable[[], tuple[int, int]]
    clock: Callable[[], float]


class RoundWatch:
    """One federation's rounds, as the board shows them."""

    def __init__(self, watched: Watched) -> None:
        self._at = watched
        self._board = watched.board
        self._rounds = RoundsHere(masked=watched.plan.masked, role=watched.role)
        self._progress = Progressing()
        self._own = OwnScores(watched.plan.task.metric)
        self._here = CohortHere(plan=watched.plan, role=watched.role, me=watched.me)
        self._epoch = 0
        self._show_privacy()

    # ---- what the service tells -----------------------------------------------------------------

    def moment(self) -> Moment:
        """The time, and what the link has carried so far."""
        return Moment(self._at.clock(), *self._at.totals())

    def now(self, at: RoundParticipant, left_s: float, moment: Moment) -> Now:
        """Where the machine is; `left_s` until its deadline."""
        return Now(work=at.work, phase=at.phase, deadline_at=moment.at + left_s, moment=moment)

    def saw(
        self,
        event: ParticipantEvent,
        effects: list[ParticipantEffect],
        now: Now,
        at: RoundParticipant,
    ) -> None:
        """The machine `at` handled `event` and wants `effects`."""
        self._rounds.saw(event, effects, now)
        if isinstance(event, machine.Heard):
            self._on_cohort(event.message, at)
            if isinstance(event.message, ToMasker | Offer):
                self._on_declined(event.message, effects)
        if isinstance(event, machine.Trained | machine.JobFailed):
            self._trained()
        if isinstance(event, machine.UpdateRefused):
            self._on_refused(event.reason)
        if at.work is None and self._here.is_known:
            self._here.leave()
            self._show_privacy()
        self._tell()

    def began_training(self) -> None:
        self._epoch = 0
        self._board.post(status.TrainingMoved(training=self._progress.begin()))

    def _trained(self) -> None:
        """The trainer is done, in whatever way."""
        training = self._progress.done(self._at.clock())
        if training is not None and training != self._board.status.training:
            self._board.post(status.TrainingMoved(training=training))
            self._progress.begin()

    def progressed(self, progress: jobs.Progress) -> float:
        """Show how far the trainer is; return the fraction that is done."""
        training = self._progress.told(progress, self._at.clock())
        if progress.epoch != self._epoch:
            if self._epoch:
                text = f"epoch {self._epoch}/{progress.num_epochs} done, loss {progress.loss:.4f}"
                self._board.log("info", text, "train")
            self._epoch = progress.epoch
        if self._board.post_quick(status.TrainingMoved(training=training)):
            self._progress.posted()
        return training.fraction

    def judged(self, number: int, judged: jobs.Judged, *, refuses: bool) -> str:
        """The trainer judged the model of a round, on what this node holds out.

        Return what is alarming about it, "" if nothing is; `refuses`: as OwnScores.judged.
        """
        score, alarm = self._own.judged(
            number,
            before=judged.before,
            after=judged.after,
            num_examples=judged.num_examples,
            refuses=refuses,
        )
        if score is not None:
            self._board.post(status.OwnScoreSeen(score=score))
        if alarm:
            self._board.alarm(
                "got worse",
                f"round {number}: {alarm}",
                remedy=_REFUSED if refuses else _WORSE,
                detail=(
                    f"judged by {judged.num_examples} examples that this node never trains on "
                    f"(at most {own_scores.MOST_EXAMPLES})",
                ),
            )
        return alarm

    def refresh(self) -> None:
        """Time passed: seconds and bytes of the step under way."""
        if self._rounds.under_way:
            self._rounds.see(self.moment())
            shown = self._rounds.current()
            if shown is not None and shown != self._board.status.round:
                self._board.post_quick(status.RoundMoved(round=shown))

    def close(self) -> None:
        self._rounds.close(self.moment())
        self._tell()

    # ---- small parts ----------------------------------------------------------------------------

    def _tell(self) -> None:
        shown = self._rounds.current()
        if shown is not None and _differs(shown, self._board.status.round):
            self._board.post(status.RoundMoved(round=shown))
        for past in self._rounds.take_passed():
            self._board.post(status.RoundPassed(past=past))
            if self._at.history is None:
                continue
            try:
                self._at.history.keep(self._at.federation_id.hex(), past)
            except OSError as error:
                self._disk(f"the history of rounds cannot be written: {error.strerror or error}")

    def _show_privacy(self) -> None:
        seen = self._here.privacy()
        if seen != self._board.status.privacy:
            self._board.post(status.PrivacySeen(privacy=seen))

    def _on_cohort(self, message: object, at: RoundParticipant) -> None:
        """The cohort is known, or smaller than before; only if the machine went along with it."""
        before = self._here.ids
        heard = self._here.heard(message, at)
        self._show_privacy()
        if isinstance(heard, Roster):
            self._meet(heard, before)
        elif heard is not None:
            self._lose(heard)
        numbers = self._here.numbers(at)
        if heard is not None and numbers is not None:
            self._rounds.counts(heard, numbers)

    def _meet(self, roster: Roster, before: tuple[bytes, ...]) -> None:
        at, ids = self._at, self._here.ids
        met_before = at.peers.knows(at.federation_id)
        try:
            new = at.peers.met(at.federation_id, ids) - {at.me}
        except OSError as error:
            new = frozenset()
            self._disk(f"the nodes of the roster are not noted: {error.strerror or error}")
        if ids != before:
            self._here.new = new
        if new and met_before:
            shown = [one for one in privacy.peers(ids, me=at.me, new=new) if one.is_new]
            count = "1 node" if len(new) == 1 else f"{len(new)} nodes"
            self._board.alarm(
                "new identities",
                f"round {roster.round}: {count} in the roster that were in none before",
                remedy="ask the coordinator's operator who they are: nodes that nobody knows "
                "could be in league with the coordinator",
                detail=tuple(one.fingerprint for one in shown),
            )
        self._show_roster()

    def _lose(self, message: Mailbox | Survivors) -> None:
        lost, all_of_it = self._here.num_lost, len(self._here.ids)
        if lost > sum(peer.lost for peer in self._board.status.roster):
            nodes = "1 node is" if lost == 1 else f"{lost} nodes are"
            left = f"{all_of_it - lost} of {all_of_it} are left"
            text = f"round {message.round}: {nodes} lost; {left}, {self._here.least} are needed"
            self._board.log("warning", text, "peer")
        self._show_roster()

    def _show_roster(self) -> None:
        roster = self._here.roster()
        if roster != self._board.status.roster:
            self._board.post(status.RosterSeen(roster=roster))

    def _on_declined(self, message: ToMasker | Offer, effects: list[ParticipantEffect]) -> None:
        """Why this node goes no further: too few nodes, strangers, or a coordinator that lies."""
        if isinstance(message, Survivors | Votes):
            so_far = "nothing is revealed"
        else:
            so_far = "nothing was sent"
        for effect in effects:
            said = effect.message if isinstance(effect, machine.Say) else None
            if not isinstance(said, Declining) or said.reason.startswith(_OURS):
                continue
            what = f"round {said.round}, attempt {said.attempt}"
            reason = safe_label(said.reason, 200)
            if reason.startswith(_TOO_FEW):
                self._board.alarm(
                    "cohort too small",
                    f"{what}: {reason}; {so_far}",
                    remedy="the least that this node takes part in is in node.toml, [privacy]",
                )
            elif reason.startswith(_STRANGERS):
                self._board.alarm(
                    "new identities",
                    f"{what}: {reason}",
                    remedy="add those that you know to [privacy] peers in node.toml",
                )
            elif isinstance(message, ToMasker):
                self._board.alarm(
                    "lied",
                    f"{what}: the coordinator said what an honest one does not say: {reason}",
                    remedy="nothing more is sent in this attempt; ask its operator, or leave",
                    detail=(
                        f"in its message {type(message).__name__}",
                        "roster as this node saw it: "
                        f"{self._here.roster_hash or 'none that it accepted'}",
                    ),
                )
            elif "limit of" in reason and "used up" in reason:
                self._board.alarm("budget", f"{what}: {reason}", remedy="fedtui limit raises it")

    def _on_refused(self, reason: str) -> None:
        if ENOUGH in reason:  # nobody's fault: more were invited than wanted
            return
        shown = self._board.status.round.number
        masked = "Nothing was revealed." if self._at.plan.masked else "It does not count."
        self._board.alarm(
            "update refused",
            f"round {shown}: update refused (coord: {safe_label(reason, 200)}). {masked}",
            remedy="fedtui log has more; the coordinator's operator can see why",
        )

    def _disk(self, text: str) -> None:
        self._board.alarm("disk", text, remedy="free some space, or mend the disk")


def saw_result(board: Board, message: Result) -> None:
    """Count a committed round, and say whether this node's update is in it."""
    board.post(status.RoundCounted(round=message.round, counted=message.counted))
    board.log(*showing.committed(message), "round")


def drift_seen(told: jobs.Drift) -> status.DriftSeen:
    """What the trainer says of its training before, for the board."""
    return status.DriftSeen(drift=status.Drift(**msgspec.structs.asdict(told)))


def _differs(now: status.Round, shown: status.Round) -> bool:
    """Whether more than time and bytes of the step under way is another."""
    if len(now.steps) != len(shown.steps):
        return True
    states = [(one.phase, one.state) for one in now.steps]
    before = [(one.phase, one.state) for one in shown.steps]
    return states != before or _rest(now) != _rest(shown)


def _rest(one: status.Round) -> tuple[object, ...]:
    deadline = round(one.deadline_at / 2)  # a clock that is read twice is not news
    return (
        one.number,
        one.attempt,
        one.phase,
        deadline,
        one.have,
        one.need,
        one.cohort,
        one.sat_out,
    )
