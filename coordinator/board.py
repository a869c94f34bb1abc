"""The board: how a running coordinator stands, with every node, as its operator's screen sees it.

Put together when somebody asks, from what the parts know anyway. What nobody may see under secure
aggregation is not in it, because the coordinator does not have it.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from coordinator.attendance import owing_now
from coordinator.roster import Member
from fedtui import __version__
from fedtui.crypto.keys import fingerprint
from fedtui.learning.metrics import higher_is_better
from fedtui.rounds.federation import Federation, Phase
from fedtui.rounds.masked_round import MaskedRound
from fedtui.status.coordinator import (
    MAX_AWAITED,
    MAX_NODES,
    MAX_ROUNDS,
    Board,
    Health,
    Masks,
    NodePhase,
    NodeRow,
)

if TYPE_CHECKING:
    from coordinator.service import CoordinatorService

_ORDER = {"pending": 0, "enrolled": 1}


def of(service: "CoordinatorService") -> Board:
    """How this coordinator stands now."""
    status, federation = service.status(), service.federation
    at_work = federation.attempt.members if federation.attempt is not None else {}
    members = sorted(
        service.store.roster.members.values(),
        key=lambda m: (_ORDER.get(m.state, 2), m.node_id not in at_work, m.created),
    )
    return Board(
        at=service.now,
        federation=status.federation,
        task=status.task,
        metric=status.metric,
        higher_is_better=higher_is_better(status.metric),
        target=status.target,
        maximum=status.maximum,
        state=status.state,
        text=status.text,
        round=status.round,
        attempt=status.attempt,
        present=status.present,
        needed=status.needed,
        connected=status.connected,
        pending=status.pending,
        paused=federation.pause_asked,
        ended=status.ended,
        masked=status.masked,
        privacy=status.privacy,
        fingerprint=status.fingerprint,
        words=service.words.of(service.identity_id),
        address=status.address,
        pid=status.pid,
        incarnation=status.incarnation,
        started_at=service.began,
        version=__version__,
        degraded=service.driver.degraded,
        can_begin=can_begin(federation),
        nodes=tuple(_rows(service, members[:MAX_NODES])),
        num_nodes=len(members),
        health=_health(service),
        rounds=status.rounds[-MAX_ROUNDS:],
        saved_up=status.saved_up,
        saved_down=status.saved_down,
        spent=status.spent,
        num_rounds=len(status.rounds),
        best_round=status.best.round,
        best_score=status.best.score,
        alarms=tuple(service.chronicle.alarms.newest),
        invites_changed=service.store.invites_changed,
    )


_name = lru_cache(maxsize=2 * MAX_NODES)(fingerprint)


def can_begin(federation: Federation) -> bool:
    """Whether a round could begin now if nobody waited for more nodes."""
    here = len(federation.available)
    return federation.phase is Phase.GATHERING and here >= federation.plan.minimum


def _rows(service: "CoordinatorService", members: Iterable[Member]) -> Iterator[NodeRow]:
    """A row for each node, with how often it was in a bad group of a masked round."""
    counts, suspects = service.groups.counts, service.groups.suspects
    for member in members:
        bad, num = counts.get(member.node_id, (0, 0))
        is_suspect = member.node_id in suspects
        yield replace(_row(service, member), groups=num, bad_groups=bad, suspect=is_suspect)


def _row(service: "CoordinatorService", member: Member) -> NodeRow:
    node, attendance = member.node_id, service.attendance
    visit = service.gatekeeper.visits.get(node)
    phase, reason, fraction = _phase(service, member)
    moved = service.gatekeeper.traffic_of(node)
    _, figure = service.figures.of.get(node, (0, None))
    return NodeRow(
        fingerprint=_name(node),
        label=member.label,
        role=member.role,
        state=member.state,
        phase=phase,
        reason=reason,
        fraction=fraction,
        since=attendance.since(node),
        connected=visit is not None,
        address=member.address,
        created=member.created,
        approved_by=member.approved_by or "",
        last_seen=member.last_seen,
        round_trip_s=visit.link.round_trip_s if visit is not None else None,
        bytes_up=moved.up,
        bytes_down=moved.down,
        chosen=attendance.chosen[node],
        counted=attendance.counted[node],
        late=attendance.late[node],
        rejected=service.gatekeeper.unfit[node],
        weight=_weight(service.federation, node),
        length=figure.length if figure else None,
        cosine=figure.cosine if figure else None,
        words=service.words.of(node) if member.state == "pending" and visit is not None else (),
    )


def _phase(service: "CoordinatorService", member: Member) -> tuple[NodePhase, str, float]:
    visit = service.gatekeeper.visits.get(member.node_id)
    match member.state:
        case "pending":
            return ("asks", "", 0.0) if visit is not None else ("away", "it asked before", 0.0)
        case "enrolled":
            if visit is not None and not visit.joined:
                return "joining", "connected; its operator has not consented yet", 0.0
            return service.attendance.phase_of(member.node_id)
        case _:
            return "out", "", 0.0


def _weight(federation: Federation, node: bytes) -> float | None:
    """What the node's update counts in this round, if the coordinator can know it."""
    work = federation.attempt
    if work is None or isinstance(work, MaskedRound):
        return None
    contribution = work.contributions.get(node)
    return float(contribution.weight) if contribution is not None else None


def _health(service: "CoordinatorService") -> Health:
    federation, attendance = service.federation, service.attendance
    work = federation.attempt
    owing = owing_now(federation)
    busy = federation.phase in {Phase.ROUND, Phase.EVALUATING}
    names = tuple(service.chronicle.name_of(node) for node in owing[:MAX_AWAITED])
    health = Health(
        phase=(work.phase if work is not None else federation.phase).name.lower(),
        deadline_at=federation.deadline if busy and owing else None,
        awaited=names,
        num_awaited=len(owing),
        failures=tuple(federation.failures[-3:]),
        attempts_failed=attendance.attempts_failed,
        late=attendance.late.total(),
        unfit=service.gatekeeper.unfit.total(),
        turned_away=service.num_turned_away,
    )
    if work is None:
        return health
    return replace(
        health,
        answered=work.num_answered if isinstance(work, MaskedRound) else len(work.contributions),
        cohort=len(work.members),
        masks=_masks(work) if isinstance(work, MaskedRound) else None,
    )


def _masks(work: MaskedRound) -> Masks:
    numbers = work.numbers
    return Masks(keys=work.secret.num_ready, needed=numbers.quorum, colluders=numbers.colluders)
