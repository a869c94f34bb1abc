"""`status`, `follow`, `pause`, `resume`, `next`, `stop`: how the run stands, and steering it."""

from typing import Annotated

import typer

from coordinator import adminclient
from coordinator.answers import Done, Status
from coordinator.asks import AskNext, AskPause, AskResume, AskStatus, AskStop
from coordinator.cli_options import Dir, Json, layout_of, megabytes, show
from coordinator.layout import Layout
from fedtui.status.coordinator import RoundLine

SHOWN_ROUNDS = 10
SHOWN_UPDATES = 10


def status(directory: Dir = None, as_json: Json = False) -> None:
    """How the federation stands; also when the coordinator does not run."""
    layout = layout_of(directory)
    if adminclient.is_running(layout):
        found = adminclient.ask(layout, AskStatus(), Status)
    else:
        from coordinator import offline  # noqa: PLC0415  brings the database with it

        found = offline.status(layout)
    show(found, _text(found), as_json=as_json)


def _text(found: Status) -> str:
    lines = [
        f"{found.federation}: {found.text}",
        f"  task         {found.task}, {found.metric}"
        + (f", target {found.target:g}" if found.target is not None else ""),
        f"  privacy      {found.privacy}",
        f"  nodes        {found.connected} connected, {found.pending} waiting for approval",
        f"  fingerprint  {found.fingerprint}",
    ]
    if found.address:
        lines.append(f"  listening    {found.address}")
    if found.best.score is not None:
        lines.append(
            f"  best         {found.metric} {found.best.score:.4f} after round {found.best.round}"
        )
    if found.rounds:
        lines.append(f"  rounds       {len(found.rounds)} of at most {found.maximum}")
        lines += [_round_text(line, found.metric) for line in found.rounds[-SHOWN_ROUNDS:]]
    lines += _seen(found)
    if found.saved_up or found.saved_down:
        lines.append(
            f"  saved        {megabytes(found.saved_up)} up by shorter updates, "
            f"{megabytes(found.saved_down)} down by changes in place of models (since its start)"
        )
    if found.spent is not None:
        lines.append(f"  spent        {found.spent.text()}")
    if found.suspects:
        lines.append(
            f"  suspects     {', '.join(found.suspects)}; 'fedtui-coordinator nodes revoke' puts "
            "one out"
        )
    if found.ended:
        lines.append("  next         'fedtui-coordinator export' writes the model")
    return "\n".join(lines)


def _seen(found: Status) -> list[str]:
    """What the updates of the newest round looked like, the longest first."""
    lines = sorted(found.updates_seen, key=lambda line: (-line.length, line.node))
    if not lines:
        return []
    told = [
        f"    {line.label:<24} length {line.length:.4g}"
        + ("" if line.cosine is None else f", {line.cosine:+.3f} along the median")
        for line in lines[:SHOWN_UPDATES]
    ]
    more = len(lines) - len(told)
    told += [f"    and {more} shorter ones; --json has all"] if more else []
    return [f"  updates      of round {found.rounds[-1].round}, the longest first", *told]


def _round_text(line: RoundLine, metric: str) -> str:
    score = f"{metric} {line.score:.4f}" if line.score is not None else "not measured"
    moved = ""
    if line.bytes_up is not None and line.bytes_down is not None:
        form = "masked" if line.masked else "visible"
        moved = f", {megabytes(line.bytes_up)} up ({form}), {megabytes(line.bytes_down)} down"
    return (
        f"    {line.round:>4}  {score}, {line.participants} nodes{_lost_text(line)}, "
        f"{line.seconds:.1f} s{moved}\n          {_mask_text(line)}{_gate_text(line)}"
    )


def _gate_text(line: RoundLine) -> str:
    return f"\n          rolled back: {line.rolled_back}" if line.rolled_back else ""


def _lost_text(line: RoundLine) -> str:
    if not line.dropped:
        return ""
    names = ", ".join(line.lost)
    more = line.dropped - len(line.lost)
    return f" ({names}{f' and {more} more' if more else ''} dropped out)"


def weights_text(line: RoundLine) -> str:
    """How unequal the weights of a visible round were."""
    return (
        f"shares {line.smallest:.1%} to {line.largest:.1%}, median {line.median:.1%}; spread as "
        f"{line.alike:.1f} of {line.participants} equal nodes"
    )


def _mask_text(line: RoundLine) -> str:
    if not line.masked:
        seen = f"visible: the coordinator can read each update; cohort of {line.cohort}"
        return seen + (f"\n          weights: {weights_text(line)}" if line.alike else "")
    if not line.ready:  # a round of a version that did not keep it
        return f"masked; cohort of {line.cohort}"
    nodes = "1 node" if line.colluders == 1 else f"{line.colluders} nodes"
    return (
        f"masked: {line.ready} of a cohort of {line.cohort} were ready, {line.threshold} open a "
        f"sum; up to {nodes} in league\n          with the coordinator can learn sums over at "
        f"least {line.num_honest} honest nodes, nothing else"
    )


def follow(directory: Dir = None) -> None:
    """Print a JSON line for everything that happens, until the coordinator stops."""
    for line in adminclient.follow(layout_of(directory)):
        typer.echo(line.decode())


def pause(directory: Dir = None, as_json: Json = False) -> None:
    """Begin no new round until 'resume'."""
    _steer(layout_of(directory), AskPause(), as_json=as_json)


def resume(directory: Dir = None, as_json: Json = False) -> None:
    """Let rounds go on."""
    _steer(layout_of(directory), AskResume(), as_json=as_json)


def next_round(directory: Dir = None, as_json: Json = False) -> None:
    """Begin a round with the nodes that are here, without waiting for more."""
    _steer(layout_of(directory), AskNext(), as_json=as_json)


def stop(
    directory: Dir = None,
    *,
    end: Annotated[
        bool,
        typer.Option("--end", help="End the federation for good; the best model is its result."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Stop the coordinator. The federation goes on with the next 'serve', unless --end."""
    _steer(layout_of(directory), AskStop(end=end), as_json=as_json)


def _steer(
    layout: Layout, command: AskPause | AskResume | AskNext | AskStop, *, as_json: bool
) -> None:
    done = adminclient.ask(layout, command, Done)
    show(done, done.text, as_json=as_json)
