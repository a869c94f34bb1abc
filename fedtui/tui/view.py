"""View: all that a screen draws from, at one moment. Frozen, so that widgets can compare."""

from __future__ import annotations

from dataclasses import dataclass, field

from fedtui.status import NodeStatus
from fedtui.tui.glyphs import BRAILLE, Glyphs


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`now` and `heard_at` are UTC seconds; `heard_at` is when the node last said something.

    `frozen_at` is when the operator froze the display (None: it is live). `lost_at` is when the
    connection to the node was lost (None: it is there), `read_only` why commands are refused.
    """

    status: NodeStatus = field(default_factory=NodeStatus)
    now: float = 0.0
    heard_at: float = 0.0
    frozen_at: float | None = None
    lost_at: float | None = None
    read_only: str = ""
    remote: str = ""
    glyphs: Glyphs = BRAILLE
    log_scale: bool = False
