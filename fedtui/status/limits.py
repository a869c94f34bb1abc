"""The operator's limits: how much of this machine and its network a node may use, and when."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Run = Literal["always", "idle", "AC"]
Device = Literal["auto", "cpu", "cuda", "mps"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What node.toml's [limits] says. 0 means no limit, "" any time.

    `cpu_percent` is the trainer's share of the cores it may use (`threads`), 1 to 100; `run` is
    when work is taken; `hours` is "HH:MM-HH:MM" in local time, over midnight too. `leave_on` is a
    date "YYYY-MM-DD" on which the node leaves by itself. `device` is where it trains; `auto` is a
    GPU if there is one.
    """

    cpu_percent: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    threads: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 1
    memory_mb: Annotated[int, msgspec.Meta(ge=0)] = 0
    device: Device = "auto"
    max_upload_mb_per_day: Annotated[float, msgspec.Meta(ge=0)] = 0
    max_upload_kb_per_s: Annotated[float, msgspec.Meta(ge=0)] = 0
    run: Run = "always"
    hours: Annotated[
        str, msgspec.Meta(pattern=r"^(([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d)?$")
    ] = ""
    leave_on: Annotated[str, msgspec.Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""
