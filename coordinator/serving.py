"""`serve`: one life of the coordinator as a process, from its arguments to its exit status."""

import asyncio
import signal
import sys
from dataclasses import dataclass

from coordinator import filechanges, hardening, logs
from coordinator.answers import ServeReport
from coordinator.cli_options import show
from coordinator.exits import Exit
from coordinator.layout import Layout
from coordinator.opening import Settings, load_identity, open_coordinator, read_settings
from coordinator.service import CoordinatorService, Ports
from coordinator.spokenwords import spoken
from fedtui.crypto.keys import Identity, fingerprint


@dataclass(slots=True)
class _Run:
    """What a run needs besides the settings, and which signal ended it."""

    words: tuple[str, ...]
    as_json: bool
    announce: bool
    caught: int | None = None


def serve(layout: Layout, *, as_json: bool, announce: bool = False) -> int:
    """Serve until SIGTERM, Ctrl-C or `stop`; returns the exit status.

    Raises:
        FedtuiError, StoreError, OSError: it cannot start, or the disk failed; see exits.py.
    """
    hardening.harden()
    settings = read_settings(layout, accounted=True)
    identity = load_identity(layout)
    run = _Run(spoken(layout.root, identity.id), as_json, announce)
    wanted = settings.config.log
    logs.set_up(
        wanted.level,
        file=layout.root / wanted.file if wanted.file else None,
        max_bytes=wanted.max_bytes,
        keep=wanted.keep,
    )
    asyncio.run(_serve(settings, identity, run))
    return Exit.INTERRUPTED if run.caught == signal.SIGINT else Exit.OK


async def _serve(settings: Settings, identity: Identity, run: _Run) -> None:
    opened = await asyncio.to_thread(open_coordinator, settings, identity)
    try:
        changes = await asyncio.to_thread(filechanges.since_last_start, settings.layout)
        await opened.store.commit(changes)
        service = CoordinatorService(opened, announce=run.announce)
        _listen_to_signals(service, run)
        started: asyncio.Future[Ports] = asyncio.get_running_loop().create_future()
        running = asyncio.ensure_future(service.run(started))
        both: set[asyncio.Future[Ports] | asyncio.Future[None]] = {running, started}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if started.done():
            _greet(service, identity, run)
        await running
    finally:
        await asyncio.to_thread(opened.store.close)


def _listen_to_signals(service: CoordinatorService, run: _Run) -> None:
    def caught(number: int) -> None:
        run.caught = number
        service.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, caught, number)


def _greet(service: CoordinatorService, identity: Identity, run: _Run) -> None:
    status = service.status()
    report = ServeReport(
        address=status.address,
        health=status.health,
        fingerprint=fingerprint(identity.id),
        words=run.words,
        incarnation=status.incarnation,
        announced=run.announce,
        without_invite=service.may_ask,
    )
    text = (
        f"listening on {report.address}, fingerprint {report.fingerprint} "
        f"({' '.join(report.words)})"
    )
    if report.announced:
        text += "\nannounced on this network: nodes find it with 'fedtui discover'"
    if report.without_invite:
        text += (
            "\nnodes without an invite may ask to join. Read the words above to their operators, "
            "who type two of them;\ncompare each node's fingerprint with its operator before you "
            "let it in: fedtui-coordinator nodes"
        )
    show(report, text, as_json=run.as_json)
    sys.stdout.flush()
