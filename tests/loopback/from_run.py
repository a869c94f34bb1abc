"""A real federation, by the real programs, whose coordinator is made from a simulated run."""

import json
from pathlib import Path
from typing import Any

from fedtui.demo.federation import LocalFederation, free_port


class FromRun(LocalFederation):
    """Its coordinator is made from a run."""

    run: Path

    async def start_coordinator(self) -> dict[str, Any]:
        self.port = free_port()
        options = ["--from-run", str(self.run), "--host", "127.0.0.1", "--port", str(self.port)]
        options += ["--health-port", "0", "--json"]
        made = json.loads(await self.programs.run(*self.coordinator("init", *options)))
        program = await self.programs.start("coordinator", *self.coordinator("serve"))
        await self.programs.ready(program, "listening on")
        return dict(made)
