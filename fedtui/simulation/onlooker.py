"""Onlooker: keeps the status of one simulated node, as a real node's daemon keeps its own.

It is shown every event that the node's machine handles, with the effects that the machine wants,
and decides nothing. The clock of what it tells is the virtual one: a simulation begins at
BEGINNING_S, midnight (UTC) on the first day of 2000. What happens between two events, namely the
training, is told afterwards, with the times at which it happened.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fedtui import __version__, status
from fedtui.crypto.keys import fingerprint
from fedtui.rounds import machine, masking_steps, strategic
from fedtui.rounds.machine import ParticipantEffect, ParticipantEvent
from fedtui.rounds.plan import MASKED
from fedtui.telling import agreement, privacy, showing
from fedtui.telling.cohort_here import CohortHere
from fedtui.telling.rounds_here import Now, RoundsHere
from fedtui.telling.timeline import Moment
from fedtui.wire.labels import safe_label
from fedtui.wire.masked_messages import Mailbox, Roster, Survivors
from fedtui.wire.messages import Declining, Ended, Evaluate, Offer, Result, Scored, Waiting

if TYPE_CHECKING:
    from fedtui.simulation.federation import SimulatedFederation
    from fedtui.simulation.node_host import NodeHost

BEGINNING_S = 946_684_800.0
PROFILE = "simulated"
_POINTS = 8
"""A training is told in so many pieces."""
_LAST_WORDS_S = 10.0

Tell = Callable[[status.NodeStatus, float], None]


@dataclass(frozen=True, slots=True)
class _Training:
    """One training under way: when it began and will end (virtual seconds), and its batches.

    `share` is the part of them that fits into the time.
    """

    began_s: float
    ends_s: float
    num_epochs: int
    num_batches: int
    examples_per_s: float
    share: float = 1.0

    def at(self, fraction: float) -> status.Training:
        """How far it is."""
        done = int(fraction * self.share * self.num_epochs * self.num_batches)
        epoch, batch = divmod(max(0, done - 1), self.num_batches)
        length_s = self.ends_s - self.began_s
        return status.Training(
            fraction=fraction,
            epoch=epoch + 1,
            num_epochs=self.num_epochs,
            batch=batch + 1 if done else 0,
            num_batches=self.num_batches,
            examples_per_s=round(self.examples_per_s, 1),
            left_s=round(length_s * (1 - fraction), 1),
            reported_at=BEGINNING_S + self.began_s + fraction * length_s,
        )

    def points(self, after_s: float, upto_s: float) -> Iterator[tuple[float, status.Training]]:
        """What would have been told in this time, with when."""
        for piece in range(1, _POINTS):
            fraction = piece / _POINTS
            when_s = self.began_s + fraction * (self.ends_s - self.began_s)
            if after_s < when_s <= upto_s:
                yield when_s, self.at(fraction)


class Onlooker:
    """Looks at one node. `tell` hears each new status, with its time in UTC seconds."""

    def __init__(self, world: "SimulatedFederation", node: "NodeHost", tell: Tell) -> None:
        """Looks on from now on, and tells the first status at once."""
        self._world = world
        self._node = node
        self._tell_it = tell
        self._rounds = RoundsHere(masked=world.plan.masked, role=node.role)
        self._here = CohortHere(plan=world.plan, role=node.role, me=node.name)
        self._met: set[bytes] = set()
        self._training: _Training | None = None
        self._seen_s = world.clock.now
        self._measured = (world.clock.now, 0, 0)
        self._noted: set[tuple[int, int, bytes]] = set()
        self._offline = "not connected yet"
        self._paused = False
        self._ended = ""
        self._receiver = fingerprint(world.keys.id)
        self.status = self._first()
        world.post.watched[node.name] = [0, 0]
        node.onlooker = self
        self._log("info", "this node is simulated, and its clock is virtual: it begins at 0:00")
        self._show_line()
        tell(self.status, self._now())

    # ---- what the node shows --------------------------------------------------------------------

    def saw(self, event: ParticipantEvent, effects: list[ParticipantEffect]) -> None:
        """The node's machine handled `event` and wants `effects`; nothing of that is done yet."""
        before = self.status
        self._catch_up()
        at = self._node.machine
        self._before_the_round(event)
        deadline = at.deadline
        now = Now(
            work=at.work,
            phase=at.phase,
            deadline_at=0.0 if deadline is None else BEGINNING_S + deadline,
            moment=self._moment(),
        )
        for effect in effects:
            self._on_effect(effect)
        self._rounds.saw(event, effects, now)
        if isinstance(event, machine.Heard):
            self._on_cohort(event.message)
        if at.work is None and self._here.is_known:
            self._here.leave()
            self._show_cohort()
        self._finish(before)

    def vanished(self) -> None:
        """Its program was killed; what it had in memory is gone."""
        before = self.status
        self._catch_up()
        self._rounds.close(self._moment())
        self._show_rounds()
        self._rounds = RoundsHere(masked=self._world.plan.masked, role=self._node.role)
        self._training = None
        self._post(status.TrainingMoved(training=status.Training()))
        self._here.leave()
        self._show_cohort()
        self._offline = "its program was killed, as the population says; it comes back later"
        self._log("warning", self._offline)
        self._finish(before)

    def close(self) -> None:
        """The simulation ends, or stops here; what the coordinator said last is still heard."""
        clock, reason = self._world.clock, self._world.coordinator.ended
        ended_s = clock.now
        while reason is not None and not self._ended:
            if clock.next_at is None or clock.next_at > ended_s + _LAST_WORDS_S:
                break
            clock.step()
        before = self.status
        self._catch_up()
        if reason is not None and not self._ended:
            self._over(reason)
        self._finish(before)
        clock.now = ended_s  # nobody else is to notice

    # ---- events -------------------------------------------------------------------------------

    def _before_the_round(self, event: ParticipantEvent) -> None:
        """What a real node's link, trainer and service would show of it."""
        match event:
            case machine.Connected():
                num_reconnects = self.status.traffic.num_reconnects + bool(self._measured[1])
                traffic = replace(self.status.traffic, num_reconnects=num_reconnects)
                self._post(status.TrafficMeasured(traffic=traffic))
                self._offline = ""
                self._log("ok", "connected", "link")
            case machine.Disconnected():
                is_off = self._node.name in self._world.offline
                self._offline = "this machine is off" if is_off else "the connection was lost"
                self._log("warning", self._offline, "link")
            case machine.Trained(header=header):
                self._trained(header.sums)
            case machine.JobFailed(reason=reason):
                self._training = None
                self._log("error", f"the task failed here: {safe_label(reason, 200)}", "train")
            case machine.UpdateRefused(reason=reason):
                self._log("warning", f"update refused: {safe_label(reason, 200)}", "round")
            case machine.Heard(message=message):
                self._heard(message)
            case _:
                pass

    def _heard(self, message: object) -> None:
        match message:
            case Result():
                self._post(status.RoundCounted(round=message.round, counted=message.counted))
                self._log(*showing.committed(message), "round")
            case Scored():
                score = showing.score_of(message)
                self._post(status.ScoreSeen(score=score))
                text = f"round {score.round}: {score.metric} {score.score:.4f}"
                self._log("info", text, "round")
            case Waiting():
                self._paused = message.paused
                waiting = status.Waiting(have=message.present, need=message.needed)
                self._post(status.WaitingFor(waiting=waiting))
            case Ended():
                self._over(message.reason)
            case Offer() | Evaluate():
                self._paused = False
                self._post(status.WaitingFor(waiting=None))
            case _:
                pass

    def _over(self, reason: str) -> None:
        self._ended = reason or "its rounds are done"
        self._log("info", f"the federation is over: {self._ended}")
        self._post(status.FederationEnded())

    def _on_cohort(self, message: object) -> None:
        if not isinstance(message, Offer | Roster | Mailbox | Survivors):
            return
        here, at, before = self._here, self._node.machine, self._here.ids
        heard = here.heard(message, at)
        if isinstance(heard, Roster) and here.ids != before:
            here.new = frozenset(set(here.ids) - self._met - {self._node.name})
            self._met.update(here.ids)
        numbers = here.numbers(at)
        if heard is not None and numbers is not None:
            self._rounds.counts(heard, numbers)
        self._show_cohort()

    def _on_effect(self, effect: ParticipantEffect) -> None:
        match effect:
            case machine.Train():
                self._begin_training(effect)
            case machine.CancelJob():
                self._training = None
            case machine.Note():
                self._on_note(effect)
            case masking_steps.Journal(step="vote", attempt=attempt):
                work = self._node.machine.work
                if isinstance(work, Offer) and attempt.purpose == "update":
                    plan = self._world.plan
                    text = privacy.what_is_known(plan, effect, work.cohort_size)
                    self._log("info", text, "privacy")
            case machine.Say(message=Declining(reason=reason)):
                self._log("warning", f"takes no part: {safe_label(reason, 200)}", "round")
            case machine.Tell(level=level, text=text):
                self._log(level, text, "round")
            case _:
                pass

    def _on_note(self, note: machine.Note) -> None:
        key = (note.round, note.attempt, note.digest or note.what.encode())
        if key in self._noted:
            return
        self._noted = {one for one in self._noted if one[0] >= note.round} | {key}
        among = ""
        if note.form == MASKED:
            among = privacy.in_cohort(self._world.plan, self._node.machine.work)
        line = status.LedgerLine(
            at=self._now(),
            round=note.round,
            attempt=note.attempt,
            what=note.what + among,
            num_bytes=note.num_bytes,
            form=note.form,
            receiver=self._receiver,
            digest=note.digest.hex(),
        )
        self._post(status.LedgerWritten(line=line))

    # ---- training -----------------------------------------------------------------------------

    def _begin_training(self, train: machine.Train) -> None:
        spec, node = self._world.plan.training, self._node
        share = node.share_of(train)
        held_out = self._world.plan.evaluation.held_out if node.num_examples > 1 else 0.0
        num_kept = max(1, round(node.num_examples * (1 - held_out)))
        num_epochs = strategic.trainings(self._world.plan) * (1 if spec.steps else spec.epochs)
        num_batches = spec.steps or ceil(num_kept / spec.batch_size)
        num_done = num_batches * min(spec.batch_size, num_kept) if spec.steps else num_kept
        began_s = self._world.clock.now
        self._training = _Training(
            began_s=began_s,
            ends_s=began_s + node.train_s * share,
            num_epochs=num_epochs,
            num_batches=num_batches,
            examples_per_s=num_epochs * num_done / node.train_s if node.train_s else 0.0,
            share=share,
        )
        self._post(status.TrainingMoved(training=status.Training()))

    def _trained(self, sums: dict[str, float]) -> None:
        training, self._training = self._training, None
        if training is None:
            return
        num = sums.get("examples", 0.0)
        loss = sums.get("loss_sum", 0.0) / num if num else None
        losses = () if loss is None else (loss,)
        told = replace(training.at(1.0), left_s=0.0, loss=loss, losses=losses)
        self._post(status.TrainingMoved(training=told))

    def _catch_up(self) -> None:
        """Tell what happened since the event before, which nobody could see happen."""
        now_s, training = self._world.clock.now, self._training
        if training is not None:
            for when_s, told in training.points(self._seen_s, now_s):
                self._post(status.TrainingMoved(training=told))
                self._tell_it(self.status, BEGINNING_S + when_s)
        self._seen_s = now_s

    # ---- small parts --------------------------------------------------------------------------

    def _first(self) -> status.NodeStatus:
        world, node = self._world, self._node
        agreed = agreement.Agreement(world.plan, world.manifest, world.plan_hash)
        needs = f"{node.num_examples:,} examples, the simulated node's share"
        return status.NodeStatus(
            label=f"simulated {node.index}",
            profile=PROFILE,
            node_id=node.name.hex(),
            fingerprint=fingerprint(node.name),
            role=node.role,
            version=__version__,
            started_at=BEGINNING_S,
            coordinator=status.Coordinator(
                label="simulated",
                address="in the same process",
                fingerprint=self._receiver,
                pinned_at=BEGINNING_S,
            ),
            plan=agreement.summary(agreed, role=node.role, needs=needs),
            consented=True,
            machine=status.Machine(device="simulated"),
            privacy=privacy.seen(world.plan, node.role),
        )

    def _finish(self, before: status.NodeStatus) -> None:
        """Everything that may have changed is shown; a change is told."""
        self._show_rounds()
        self._show_traffic()
        self._show_line()
        if self.status is not before:
            self._tell_it(self.status, self._now())

    def _show_rounds(self) -> None:
        shown = self._rounds.current()
        if shown is not None and shown != self.status.round:
            self._post(status.RoundMoved(round=shown))
        for past in self._rounds.take_passed():
            self._post(status.RoundPassed(past=past))

    def _show_cohort(self) -> None:
        if (seen := self._here.privacy()) != self.status.privacy:
            self._post(status.PrivacySeen(privacy=seen))
        if (roster := self._here.roster()) != self.status.roster:
            self._post(status.RosterSeen(roster=roster))

    def _show_traffic(self) -> None:
        """Once a virtual second at most: rates are of the time since the last reading."""
        now_s = self._world.clock.now
        then_s, up_then, down_then = self._measured
        up, down = self._world.post.watched[self._node.name]
        passed_s = now_s - then_s
        if (up, down) == (up_then, down_then) or passed_s < 1.0:
            return
        self._measured = (now_s, up, down)
        link = self._world.post.links.get(self._node.name)
        traffic = replace(
            self.status.traffic,
            up=up,
            down=down,
            up_today=up,
            down_today=down,
            up_per_s=(up - up_then) / passed_s,
            down_per_s=(down - down_then) / passed_s,
            round_trip_s=None if link is None else 2 * link.latency_s,
        )
        self._post(status.TrafficMeasured(traffic=traffic))

    def _show_line(self) -> None:
        work = self._node.machine.work
        facts = showing.Facts(
            joined=True,
            offline=self._offline,
            phase=self._node.machine.phase,
            round=0 if work is None else work.round,
            waiting=self.status.waiting,
            coordinator_paused=self._paused,
            ended=self._ended,
        )
        state, sentence = showing.line(facts)
        if (state, sentence) != (self.status.state, self.status.sentence):
            self._post(status.StateChanged(state=state, sentence=sentence))

    def _post(self, event: status.Event) -> None:
        self.status = status.reduce(self.status, replace(event, seq=self.status.seq + 1))

    def _log(self, level: status.Level, text: str, source: status.Source = "node") -> None:
        line = status.LogLine(at=self._now(), level=level, text=text, source=source)
        self._post(status.Logged(line=line))

    def _now(self) -> float:
        return BEGINNING_S + self._world.clock.now

    def _moment(self) -> Moment:
        return Moment(self._now(), *self._world.post.watched[self._node.name])
