"""Status, plan and ledger as plain text for a terminal or a pipe. Pure: returns strings."""

from __future__ import annotations

import re
import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from node import limits_text

if TYPE_CHECKING:
    from fedtui.status import (
        CheckReport,
        Leaves,
        LedgerLine,
        LogLine,
        MaskedSum,
        NodeStatus,
        PlanSummary,
    )

WIDTH = 79
_COMMAND = re.compile(
    r"\bfedtui (?=(?:join|status|pause|resume|leave|stop|ledger|log|node|trust|key|task|model"
    r"|predict|discover|limit|retry|withdraw)\b)"
)
_NOT_LISTED = (
    "control messages (enrolment, accept, progress) are not listed; they are in\n"
    "the traffic that 'fedtui status' shows"
)


def for_profile(text: str, profile: str) -> str:
    """The text with each `fedtui COMMAND` in it as it must be typed for this profile."""
    return text if profile == "default" else _COMMAND.sub(f"fedtui --profile {profile} ", text)


def status_text(seen: NodeStatus) -> str:
    """Everything worth knowing, a fact a line, the answer to "is all well?" first."""
    rows = [
        ("state", f"{seen.state.upper()}: {seen.sentence}"),
        ("node", f"{seen.label} ({seen.role}), fingerprint {seen.fingerprint}"),
        ("coordinator", _coordinator(seen)),
        ("plan", _plan_line(seen)),
        ("privacy", seen.plan.privacy if seen.plan and seen.consented else ""),
        ("budget", seen.budget.words() if seen.budget else ""),
        ("leaves here", _leaves_text(_leaves(seen))),
        ("round", _round(seen)),
        ("cohort", _cohort(seen)),
        ("sits out", seen.resting if seen.resting not in seen.sentence else ""),
        ("leaving", _leaving(seen)),
        ("limits", limits_text.sentence(seen.limits)),
        ("scores", _scores(seen)),
        ("drift", seen.drift.words() if seen.drift else ""),
        ("traffic", _traffic(seen)),
        ("last left", _ledger_line(seen.ledger[-1]) if seen.ledger else "nothing yet"),
        ("running", f"pid {seen.pid} since {moment(seen.started_at)}, profile {seen.profile}"),
    ]
    if seen.problem:
        rows.insert(1, ("problem", seen.problem.text))
        rows.insert(2, ("what to do", seen.problem.remedy or "see 'fedtui log'"))
    return "\n".join(
        _wrapped(f"{name:<12} {for_profile(value, seen.profile or 'default')}", 13)
        for name, value in rows
        if value
    )


def plan_text(plan: PlanSummary) -> str:
    """The plan as the operator reads it before saying yes."""
    target = f", until {plan.metric} {plan.target:g}" if plan.target is not None else ""
    lines = [
        f"federation   {plan.federation}",
        f"task         {plan.task}, measured by {plan.metric}",
        f"rounds       at most {plan.max_rounds}{target}, {plan.strategy}",
        f"training     {plan.training}",
        f"model        {plan.model}",
        f"plan hash    {plan.plan_hash}",
    ]
    if plan.differs:
        lines += ["", "What changed since you last agreed:", *(f"  {one}" for one in plan.differs)]
    lines += ["", "What leaves this machine:"]
    for one in plan.leaves:
        lines += [
            f"  {one.item}",
            f"      form: {one.form}",
            f"      who can read it: {one.reader}",
            f"      when: {one.when}",
        ]
    lines.append(f"What never leaves it: {plan.stays}")
    return "\n".join(_wrapped(line, 13 if line[:1].strip() else 8) for line in lines)


def check_text(report: CheckReport) -> str:
    return "\n".join((*(_wrapped(f"ok       {one}", 9) for one in report.facts), *report.problems))


def ledger_text(lines: tuple[LedgerLine, ...], *, num_entries: int, num_bytes: int) -> str:
    """The ledger, oldest first, under who got it in which form; and the sum of all there is."""
    if not lines:
        return f"no update and no sums have left this machine\n{_NOT_LISTED}"
    found: list[str] = []
    before: tuple[str, str] | None = None
    for line in lines:
        if (line.receiver, line.form) != before:
            before = (line.receiver, line.form)
            found += [_wrapped(f"to {line.receiver}, {line.form}:", 3)]
        found.append(
            f"  {moment(line.at)}  round {line.round:>3}.{line.attempt}  "
            f"{line.num_bytes:>13,} bytes  {line.what}"
        )
        if line.sum is not None:
            found.append(_wrapped(f"      {_sum_text(line.sum)}", 6))
    count = "1 entry" if num_entries == 1 else f"{num_entries:,} entries"
    total = f"{count}, {num_bytes:,} bytes"
    if len(lines) < num_entries:
        total = f"the last {len(lines):,} of {count}; {num_bytes:,} bytes in all"
    return "\n".join((*found, total, _NOT_LISTED))


def _sum_text(one: MaskedSum) -> str:
    nodes = "1 node" if one.colluders == 1 else f"{one.colluders} nodes"
    return (
        f"in a sum of {one.num_nodes} nodes{_lost_text(one)}; cohort of {one.cohort}, {one.ready} "
        f"ready, {one.threshold} open it; the coordinator and up to {nodes} in league can learn "
        f"sums over at least {one.num_honest} honest nodes"
    )


def _lost_text(one: MaskedSum) -> str:
    if not one.num_lost:
        return ""
    more = one.num_lost - len(one.lost)
    return f", without {', '.join(one.lost)}{f' and {more} more' if more else ''}"


def log_text(lines: tuple[LogLine, ...]) -> str:
    return "\n".join(f"{moment(line.at)} {line.level:<7} {line.text}" for line in lines)


def moment(at: float) -> str:
    """Local time, to the second."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def size(num_bytes: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.1f} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} TB"


def _leaving(seen: NodeStatus) -> str:
    if not seen.leaving:
        return ""
    return f"when round {seen.round.number} is over; to stay: fedtui resume"


def _coordinator(seen: NodeStatus) -> str:
    one = seen.coordinator
    if one is None:
        return "none"
    pinned = f", pinned since {moment(one.pinned_at)}" if one.pinned_at else ""
    formerly = f"; its key was rotated, formerly {one.formerly}" if one.formerly else ""
    return (
        f"{one.label or 'not met yet'} at {one.address}, fingerprint {one.fingerprint}{pinned}"
        f"{formerly}"
    )


def _plan_line(seen: NodeStatus) -> str:
    if seen.plan is None:
        return ""
    agreed = "agreed" if seen.consented else "NOT AGREED: fedtui join"
    return f"{seen.plan.task}, {seen.plan.model}, {seen.plan.plan_hash[:16]} ({agreed})"


def _leaves(seen: NodeStatus) -> tuple[Leaves, ...]:
    return seen.plan.leaves if seen.plan and seen.consented else ()


def _leaves_text(leaves: tuple[Leaves, ...]) -> str:
    """What leaves, under its form: most things share one."""
    forms: dict[str, list[str]] = {}
    for one in leaves:
        forms.setdefault(one.form, []).append(one.item)
    parts = (f"{form}: {'; '.join(items)}" for form, items in forms.items())
    return ". ".join(parts) or "nothing"


def _wrapped(text: str, indent: int) -> str:
    """At most 79 columns if no word is longer; fingerprints, hashes and paths stay whole."""
    return textwrap.fill(
        text,
        WIDTH,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _round(seen: NodeStatus) -> str:
    if not seen.round.number:
        return ""
    attempt = f", attempt {seen.round.attempt}" if seen.round.attempt > 1 else ""
    done = f" {seen.training.fraction:.0%}" if seen.round.phase == "train" else ""
    most = f" of at most {seen.plan.max_rounds}" if seen.plan else ""
    return (
        f"{seen.round.number}{most}{attempt}, {seen.round.phase or 'done here'}{done}; "
        f"your updates counted in {seen.rounds_counted}"
    )


def _cohort(seen: NodeStatus) -> str:
    """Of the last masked roster: its numbers if they are known, who was lost, who is new."""
    numbers, size = seen.privacy, len(seen.roster)
    if not numbers.masked or not size:
        return ""
    text = f"masked, {size} nodes in the last roster"
    if numbers.cohort == size:  # at rest they are those of the plan's smallest cohort
        nodes = "1 node" if numbers.colluders == 1 else f"{numbers.colluders} nodes"
        text += (
            f", {numbers.threshold} open a sum of {numbers.minimum} or more, {nodes} may collude"
        )
    lost = ", ".join(peer.fingerprint for peer in seen.roster if peer.lost)
    new = ", ".join(peer.fingerprint for peer in seen.roster if peer.is_new)
    return (
        text
        + (f"; dropped out: {lost}" if lost else "")
        + (f"; never seen before: {new}" if new else "")
    )


def _scores(seen: NodeStatus) -> str:
    if not seen.scores:
        return ""
    last = seen.scores[-1]
    return (
        f"{last.metric} {last.score:.4f} after round {last.round} "
        f"({last.num_examples:,} examples of {last.num_nodes} nodes)"
    )


def _traffic(seen: NodeStatus) -> str:
    one = seen.traffic
    trip = f", round trip {one.round_trip_s * 1000:.0f} ms" if one.round_trip_s else ""
    return (
        f"up {size(one.up)}, down {size(one.down)}, updates today {size(one.up_today)}, "
        f"now up {size(one.up_per_s)}/s down {size(one.down_per_s)}/s{trip}"
    )


def _ledger_line(line: LedgerLine) -> str:
    return (
        f"{moment(line.at)} round {line.round}.{line.attempt}: {line.what}, "
        f"{line.num_bytes:,} bytes, {line.form}, to {line.receiver}"
    )
