"""Every command of the screen, in one table that makes keys, footer, help and palette. Pure.

A command says why it cannot be given now, in words; the palette shows it dim with that reason. Its
`twin` is the same thing on the command line, or the key in a configuration file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fedtui.tui.command import (
    Command,
    alarmed,
    commandable,
    joined,
    member,
    offline,
    paused,
    running,
)
from fedtui.tui.quick import QUICK

if TYPE_CHECKING:
    from fedtui.tui.view import View

SCREENS = ("overview", "training", "rounds", "network", "privacy", "federation", "events")

KEYED: tuple[Command, ...] = (
    *(
        Command(
            id=f"scr.{number}",
            title=f"Go to {name.title()}",
            keys=(str(number),),
            help=f"the {name} screen",
            group="screens",
            does="screen",
            argument=name,
            twin="fedtui",
        )
        for number, name in enumerate(SCREENS, start=1)
    ),
    Command(
        id="pause",
        title="Pause",
        keys=("p",),
        short="Pause",
        footer=3,
        help="take no work after this batch; at once, also offline",
        twin="fedtui pause",
        why_not=running,
    ),
    Command(
        id="resume",
        title="Resume",
        keys=("p",),
        short="Resume",
        footer=3,
        help="take part again",
        twin="fedtui resume",
        why_not=paused,
    ),
    Command(
        id="pause.hour",
        title="Pause for one hour",
        twin="fedtui pause --for 1h",
        does="pause_for",
        argument="3600",
        why_not=running,
    ),
    Command(
        id="throttle",
        title="Throttle and schedule",
        keys=("t",),
        short="Throttle",
        footer=6,
        help="share of processor and network, hours, power",
        twin="fedtui limit",
        why_not=commandable,
    ),
    *(
        Command(
            id=f"throttle.{percent}",
            title=f"Throttle to {percent} %",
            twin=f"fedtui limit --cpu {percent}",
            does="throttle_to",
            argument=str(percent),
            why_not=commandable,
        )
        for percent in (25, 50, 75, 100)
    ),
    Command(
        id="join",
        title="Join a federation",
        keys=("j",),
        short="Join",
        footer=4,
        help="find a coordinator, check it, read what would leave, agree",
        twin="fedtui join",
        why_not=commandable,
    ),
    Command(
        id="leave",
        title="Leave the federation",
        keys=("L",),
        short="Leave",
        footer=5,
        help="asks first: after this round, or now",
        twin="fedtui leave",
        why_not=member,
    ),
    Command(
        id="panic",
        title="Stop sharing now",
        keys=("X",),
        help="kills the trainer, closes the connection, discards what was not sent; asks once",
        twin="fedtui pause --now",
        why_not=member,
    ),
    Command(
        id="withdraw",
        title="Withdraw consent",
        twin="fedtui withdraw",
        why_not=member,
    ),
    Command(
        id="retry",
        title="Retry the connection now",
        keys=("r",),
        short="Retry",
        footer=2,
        help="dial now rather than after the back-off",
        twin="fedtui retry",
        why_not=offline,
    ),
    Command(
        id="ledger",
        title="What left this machine",
        keys=("x",),
        short="What left?",
        footer=2,
        help="the ledger: round, what, bytes, form, receiver, hash",
        twin="fedtui ledger",
        group="trust",
    ),
    Command(
        id="identity",
        title="Who is the coordinator?",
        keys=("i",),
        help="words, digits and QR of both keys, and their history",
        twin="fedtui trust show",
        group="trust",
    ),
    Command(
        id="consent",
        title="Read what you agreed to",
        help="the consent form and its receipt",
        twin="fedtui status",
        group="trust",
        why_not=joined,
    ),
    Command(
        id="alarm",
        title="Newest alarm",
        keys=("!",),
        help="shows the newest alarm in full",
        twin="fedtui log",
        group="trust",
        why_not=alarmed,
    ),
    Command(
        id="acknowledge",
        title="Acknowledge alarms",
        keys=("a",),
        help="they leave line 1 and stay in the events",
        twin="fedtui log",
        group="trust",
        why_not=alarmed,
    ),
    Command(
        id="zoom",
        title="Zoom the focused pane",
        keys=("z",),
        help="Escape goes back",
        group="display",
    ),
    Command(
        id="freeze",
        title="Freeze the display",
        keys=("f",),
        help="data flows on; press again to go on",
        group="display",
    ),
    Command(
        id="filter",
        title="Filter",
        keys=("slash",),
        help="on events and rounds; n and N go to the next and previous",
        group="display",
    ),
    Command(
        id="log_scale",
        title="Logarithmic or linear scale of the loss chart",
        group="display",
    ),
    Command(
        id="copy",
        title="Copy the focused value",
        keys=("y",),
        help="into the terminal's clipboard (OSC 52), also over SSH",
        group="display",
    ),
    Command(
        id="export",
        title="Export what is shown",
        keys=("e",),
        help="CSV and JSON lines into the node's folder",
        twin="fedtui ledger --json",
        group="display",
    ),
    Command(
        id="mouse",
        title="Mouse capture on or off",
        keys=("m",),
        help="off: the terminal selects text",
        group="display",
    ),
    Command(
        id="settings",
        title="Settings",
        keys=("comma",),
        help="theme, glyphs, refresh, keys",
        twin="screen.toml",
        group="program",
    ),
    Command(
        id="help",
        title="Help",
        keys=("question_mark", "f1"),
        short="Help",
        footer=2,
        help="all keys, and what the focused pane shows",
        twin="fedtui --help",
        group="program",
    ),
    Command(
        id="palette",
        title="All commands",
        keys=("ctrl+p", "colon"),
        help="type a part of its name",
        group="program",
    ),
    Command(
        id="detach",
        title="Detach: close the screen, the node keeps working",
        keys=("q",),
        short="Detach",
        footer=1,
        help="the node keeps working",
        twin="q",
        group="program",
    ),
    Command(
        id="stop",
        title="Stop the node and quit",
        keys=("Q",),
        help="asks first: finish the round, or drop it",
        twin="fedtui stop",
        group="program",
        why_not=commandable,
    ),
    Command(
        id="suspend",
        title="Suspend the screen",
        keys=("ctrl+z",),
        help="only the screen; fg brings it back",
        group="program",
    ),
)
COMMANDS: tuple[Command, ...] = (*KEYED, *QUICK)
BY_ID = {command.id: command for command in COMMANDS}


def footer(view: View, most: int = 8) -> tuple[Command, ...]:
    """The commands to show at the bottom, in table order: those that can be given now."""
    possible = [one for one in COMMANDS if one.footer and not one.why_not(view)]
    if view.status.plan is not None:
        possible = [one for one in possible if one.id != "join"]
    ranked = sorted(possible, key=lambda one: one.footer)[:most]
    return tuple(one for one in possible if one in ranked)
