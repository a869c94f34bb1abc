"""Which engine a run is done on, by name."""

from dataclasses import dataclass
from typing import Literal

from fedtui.simulation.engine import Engine
from fedtui.simulation.ground import Ground, Setup

EngineName = Literal["serial", "processes", "ray"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """An engine and its options; `workers` 0 means one for each core that may be used.

    `address` is that of a Ray cluster (empty: one of this machine alone), `gpus` the share of a
    GPU that each job of it takes.
    """

    name: EngineName = "serial"
    workers: int = 0
    address: str = ""
    gpus: float = 0.0


def start(choice: EngineChoice, setup: Setup, ground: Ground) -> Engine:
    """Start the engine. Raises EngineError, PluginError."""
    match choice.name:
        case "serial":
            from fedtui.simulation.serial_engine import SerialEngine  # noqa: PLC0415 - as below
            from fedtui.simulation.workshop import Workshop  # noqa: PLC0415 - brings torch along

            return SerialEngine(Workshop(setup, ground))
        case "processes":
            from fedtui.simulation.process_engine import ProcessEngine  # noqa: PLC0415

            return ProcessEngine(setup, ground, num_workers=choice.workers or None)
        case "ray":
            from fedtui.simulation.ray_engine import RayEngine  # noqa: PLC0415 - an extra

            return RayEngine(setup, ground, address=choice.address, gpus_per_job=choice.gpus)
