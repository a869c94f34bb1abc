"""What the screen needs of the world outside, given to it by whoever starts it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fedtui.tui.lastplace import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fedtui.status import NodeStatus
    from fedtui.tui.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """`environment` decides the signs (TERM, FEDTUI_GLYPHS, ENCODING of the output).

    `save` keeps settings that the operator changed, `keep` where the operator is; `place` is what
    was kept the last time. `note` hears of every status, to record it; `exports` is the folder
    for what is exported.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: {"TERM": "xterm"})
    save: Callable[[Settings], None] = lambda _: None
    keep: Callable[[Place], None] = lambda _: None
    place: Place = field(default_factory=Place)
    note: Callable[[NodeStatus], None] = lambda _: None
    exports: Path = Path()
