"""The daemon's process: one profile, its lock, its node, its control socket, until told to stop.

Started by `fedtui join` in a session of its own (it outlives the terminal) or by `fedtui node
--foreground`. Free of typer and rich, which would stay in memory for nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from typing import TYPE_CHECKING

from fedtui import __version__, status
from fedtui.control.clock import utc
from fedtui.crypto.keys import fingerprint
from node import config as configs
from node import keystore, passphrase
from node.board import Board
from node.control import ControlServer
from node.controls import Node
from node.exits import Exit, Stop, of_error
from node.hardening import harden
from node.home import Home
from node.ledger import Ledger
from node.link import Link
from node.models import Models
from node.own_key import OwnKey
from node.paths import Profile, profile, write_atomically
from node.plain_log import PlainLog
from node.trainer import TrainerLimits, TrainerProcess
from node.updates import Updates

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fedtui.crypto.keys import Identity
    from fedtui.wire.halves import NodeHello
    from node.config import NodeConfig
    from node.membership import Membership


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the daemon of a profile; ends the process with an exit code of node/exits.py."""
    parser = argparse.ArgumentParser(prog="python -m node.daemon")
    parser.add_argument("--profile", default="default")
    parser.add_argument("--log", action="store_true", help="write node.log instead of stdout")
    parser.add_argument("--passphrase-stdin", action="store_true")
    chosen = parser.parse_args(arguments)
    secret = passphrase.from_stdin() if chosen.passphrase_stdin else None
    sys.exit(run(chosen.profile, into_file=chosen.log, secret=secret))


def run(name: str, *, into_file: bool = False, secret: str | None = None) -> int:
    """Run the daemon until it is stopped; return the exit code."""
    log = PlainLog(None)
    try:
        harden()
        home = profile(name)
        home.create()
        log = PlainLog(home.log if into_file else None)
        lock = _lock(home)
        try:
            asyncio.run(_serve(home, log, secret))
        finally:
            os.close(lock)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        known = of_error(error)
        if known is None:
            raise
        with contextlib.suppress(OSError):  # a full disk takes no line either
            log.line(f"error: {known.text}{'; ' if known.remedy else ''}{known.remedy}")
        return known.exit_code
    return Exit.OK


async def _serve(home: Profile, log: PlainLog, secret: str | None) -> None:
    config = configs.load(home.config)
    key = OwnKey.open(home.root, secret or passphrase.from_file())
    board = Board(_first(home, config, key.identity), clock=utc)
    board.listen(log.event, watches=False)
    node = _node(home, config, key, board)
    socket = home.socket()
    server = ControlServer(socket, controls=node, board=board)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, node.stopped.set)
    try:
        await node.start()
        await server.start()
        with contextlib.suppress(OSError):  # only a shell with other variables needs it
            write_atomically(home.socket_note, f"{socket}\n".encode(), durable=False)
        log.line(  # whoever started this node may wait for the line: commands are answered now
            f"fedtui {__version__}: node {config.label!r}, profile {home.name!r}, "
            f"pid {os.getpid()}, fingerprint {fingerprint(key.identity.id)}"
        )
        await node.stopped.wait()
        log.line("stopping")
    finally:
        await node.close()
        await server.close()
        home.socket_note.unlink(missing_ok=True)


def _first(home: Profile, config: NodeConfig, identity: Identity) -> status.NodeStatus:
    return status.NodeStatus(
        label=config.label,
        profile=home.name,
        node_id=identity.id.hex(),
        fingerprint=fingerprint(identity.id),
        role=config.role,
        version=__version__,
        pid=os.getpid(),
        started_at=utc(),
    )


def _node(home: Profile, config: NodeConfig, key: OwnKey, board: Board) -> Node:
    parts = Home(
        profile=home,
        key=key,
        trust=keystore.TrustStore(home.root),
        board=board,
        ledger=Ledger(home.ledger),
        models=Models(home.models),
        updates=Updates(home.work),
        trainer=TrainerProcess(TrainerLimits.of(config.limits)),
        clock=utc,
    )

    def dial(config: NodeConfig, hello: NodeHello, handler: Membership) -> Link:
        coordinator_id = bytes.fromhex(config.coordinator.id)
        known = parts.trust.get(coordinator_id)
        link = Link(
            key.identity,
            addresses=config.coordinator.addresses,
            coordinator_id=coordinator_id,
            hello=hello,
            handler=handler,
        )
        link.last_rotation = known.last_seq if known is not None else 0
        return link

    return Node(parts, dial)


def _lock(home: Profile) -> int:
    """Hold the profile: one daemon each. The kernel lets go when this process ends, however."""
    lock = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise Stop(
            f"a node is running already for profile {home.name!r}",
            remedy=f"fedtui --profile {home.name} status; or use another profile",
            exit_code=Exit.CANNOT_CREATE,
        ) from error
    return lock


if __name__ == "__main__":
    main()
