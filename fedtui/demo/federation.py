"""LocalFederation: a coordinator and nodes on this machine, brought up through their commands.

    init, serve; for every node: invite, node --foreground, join --accept; then approve them all.

Nothing here knows how fedtui works inside: what this file does, a person can type.
"""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fedtui.demo.programs import ProgramError, Programs, together
from fedtui.errors import ExitCode

AGAIN_S = 0.2
OF_DATA = {ExitCode.BAD_DATA, ExitCode.MISSING_INPUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSpec:
    """One node: its label, role, and its data (empty: what the task brings along)."""

    label: str
    data: str = ""
    split: str = "iid"
    shard: str = "0/1"
    split_seed: int = 1
    role: str = "participant"
    options: tuple[str, ...] = ()


@dataclass(slots=True)
class LocalFederation:
    """Everything lies below `programs.folder`; `say` gets a line per step.

    `remedy` is what helps against data that a node cannot use.
    """

    programs: Programs
    plan_toml: str
    nodes: tuple[NodeSpec, ...]
    initial: Path | None = None
    init_options: tuple[str, ...] = ()
    say: Callable[[str], None] = lambda _text: None
    remedy: str = ""
    port: int = 0
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def coordinator_dir(self) -> Path:
        return self.programs.folder / "coordinator"

    def coordinator(self, *command: str) -> tuple[str, ...]:
        """A command line for the coordinator's program."""
        return ("fedtui-coordinator", *command, "--dir", str(self.coordinator_dir))

    def node(self, spec: NodeSpec, *command: str) -> tuple[str, ...]:
        """A command line for one node's program."""
        return ("fedtui", "--profile", spec.label, *command)

    # ---- bringing up --------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring everything up; returns when all nodes are approved. Raises ProgramError."""
        made, *_ = await together(
            self.start_coordinator(), *(self._start_node(spec) for spec in self.nodes)
        )
        hash_hex = made["plan_hash"]
        self.say(f"coordinator on 127.0.0.1:{self.port}, plan {hash_hex[:16]}")
        await together(*(self._join(spec, hash_hex) for spec in self.nodes))
        await together(
            *(self.programs.run(*self.coordinator("nodes", "approve", f)) for f in self.labels)
        )
        self.say(f"approved {len(self.labels)} nodes")

    async def start_coordinator(self) -> dict[str, Any]:
        """Make and serve a coordinator; what its `init` said."""
        plan = self.programs.folder / "plan.toml"
        plan.write_text(self.plan_toml, encoding="utf-8")
        self.port = free_port()
        options = ["--plan", str(plan), "--host", "127.0.0.1", "--port", str(self.port)]
        options += ["--health-port", "0", *self.init_options]
        if self.initial is not None:
            options += ["--initial", str(self.initial)]
        made = json.loads(await self.programs.run(*self.coordinator("init", "--json", *options)))
        program = await self.programs.start("coordinator", *self.coordinator("serve"))
        await self.programs.ready(program, "listening on")
        return dict(made)

    async def _start_node(self, spec: NodeSpec) -> None:
        program = await self.programs.start(spec.label, *self.node(spec, "node", "--foreground"))
        await self.programs.ready(program, "fingerprint")

    async def _join(self, spec: NodeSpec, hash_hex: str) -> None:
        invite = self.programs.folder / f"{spec.label}.invite"
        options = ["--label", spec.label, "--role", spec.role]
        text = await self.programs.run(*self.coordinator("invite", *options))
        invite.touch(mode=0o600)
        invite.write_text(text, encoding="utf-8")
        command = (
            *self.node(spec, "join", "--json"),
            *("--invite-file", str(invite), "--accept", hash_hex),
            *("--label", spec.label, "--role", spec.role),
            *(("--data", spec.data) if spec.data else ()),
            *("--split", spec.split, "--shard", spec.shard),
            *("--split-seed", str(spec.split_seed), *spec.options),
        )
        try:
            joined = await self.programs.run(*command)
        except ProgramError as error:
            if self.remedy and error.status in OF_DATA:
                raise error.advising(self.remedy) from error
            raise
        fingerprint = json.loads(joined)["fingerprint"]
        self.labels[fingerprint] = spec.label
        self.say(f"{spec.label} joined: {fingerprint}")

    # ---- asking -------------------------------------------------------------------------------

    async def status(self) -> dict[str, Any]:
        """What the coordinator says about itself."""
        status = json.loads(await self.programs.run(*self.coordinator("status", "--json")))
        if not status["running"]:
            raise ProgramError("the coordinator does not run yet")
        return dict(status)

    async def follow(self) -> AsyncGenerator[dict[str, Any], None]:
        """What the coordinator tells as it happens; a program that died is started again."""
        while True:
            await self._revive()
            told = self.programs.lines(*self.coordinator("follow"))
            async with contextlib.aclosing(told) as lines:
                async for line in lines:
                    yield dict(json.loads(line))
                    await self._revive()
            await asyncio.sleep(AGAIN_S)

    async def _revive(self) -> None:
        for program in await self.programs.restart_dead():
            code = program.process.returncode
            self.say(f"{program.name} ended unexpectedly ({code}): started again")


def free_port() -> int:
    """A TCP port of loopback that nobody listens on at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
