"""Commands of the palette that set or give one thing, without a form and without a key. Pure."""

from __future__ import annotations

from fedtui.tui.command import Command, commandable, member, running
from fedtui.tui.themes import THEMES

_RUN = (
    ("always", "Take part at any time", "--run always"),
    ("idle", "Take part only when this machine is idle", "--run idle"),
    ("AC", "Take part only on AC power", "--run AC"),
)

QUICK: tuple[Command, ...] = (
    Command(
        id="pause.evening",
        title="Pause until 18:00",
        twin="fedtui pause --until 18:00",
        does="pause_until",
        argument="18:00",
        why_not=running,
    ),
    Command(
        id="leave.after",
        title="Leave after this round",
        twin="fedtui leave --after-round",
        does="leave_after",
        why_not=member,
    ),
    *(
        Command(
            id=f"limit.{word.lower()}",
            title=title,
            twin=f"fedtui limit {option}",
            does="limit_run",
            argument=word,
            why_not=commandable,
        )
        for word, title, option in _RUN
    ),
    Command(
        id="limit.night",
        title="Take part only from 20:00 to 07:00",
        twin="fedtui limit --hours 20:00-07:00",
        does="limit_hours",
        argument="20:00-07:00",
        why_not=commandable,
    ),
    Command(
        id="copy.words",
        title="Copy this node's six words",
        twin="fedtui key show",
        group="trust",
        does="copy_words",
        why_not=commandable,
    ),
    Command(
        id="copy.id",
        title="Copy this node's id",
        twin="fedtui status --json",
        group="trust",
        does="copy_id",
    ),
    *(
        Command(
            id=f"theme.{theme.name.removeprefix('fedtui-')}",
            title=f"Theme: {theme.name.removeprefix('fedtui-')}",
            twin="screen.toml: theme",
            group="display",
            does="theme",
            argument=theme.name,
        )
        for theme in THEMES
    ),
    *(
        Command(
            id=f"glyphs.{name}",
            title=f"Signs: {name}",
            twin="FEDTUI_GLYPHS, or screen.toml: glyphs",
            group="display",
            does="glyphs",
            argument=name,
        )
        for name in ("auto", "braille", "block", "ascii")
    ),
    *(
        Command(
            id=f"refresh.{hz}",
            title=f"Repaint at most {hz} times a second",
            twin="screen.toml: hz",
            group="display",
            does="refresh",
            argument=hz,
        )
        for hz in ("0.5", "1", "2", "4")
    ),
    Command(
        id="screenshot",
        title="Picture of this screen (SVG)",
        help="into the folder of exports",
        group="display",
    ),
    Command(
        id="diagnostics",
        title="Export diagnostics without names and addresses",
        help="what a bug report needs; read it before you send it",
        twin="fedtui status --json",
        group="program",
    ),
    Command(
        id="about",
        title="About: versions and process of the node",
        twin="fedtui --version",
        group="program",
    ),
)
