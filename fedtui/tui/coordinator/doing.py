"""What each command of the coordinator's screen does. Nothing here knows how it is drawn."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from fedtui.tui.coordinator import exporting
from fedtui.tui.coordinator.asking import Details, HelpSheet, NewInvite, Question, ShownInvite
from fedtui.tui.coordinator.state import Acknowledged, FormerShown

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fedtui.status.coordinator import NodeRow
    from fedtui.tui.coordinator.app import CoordinatorApp


async def _pane(app: CoordinatorApp, name: str) -> None:
    app.go_to(name)


def _asking(app: CoordinatorApp) -> NodeRow | None:
    """The chosen node if it waits, else the first that does."""
    chosen = app.chosen_node
    if chosen is not None and chosen.state == "pending":
        return chosen
    return next(iter(app.view.pending), None)


async def _approve(app: CoordinatorApp, _: str) -> None:
    node = _asking(app)
    if node is None:
        return
    question = Question(
        "Let this node in?",
        "Compare with the node's own screen: 'fedtui key show' there. Same name proves nothing.",
        "Approve",
        node=node,
    )
    if await app.push_screen_wait(question):
        app.say(await app.controls.approve(node.fingerprint))


async def _reject(app: CoordinatorApp, _: str) -> None:
    node = _asking(app)
    if node is None:
        return
    text = "It is told so, and its key cannot ask again."
    if await app.push_screen_wait(
        Question("Turn this node away?", text, "Reject", node=node, grave=True)
    ):
        app.say(await app.controls.reject(node.fingerprint))


async def _revoke(app: CoordinatorApp, _: str) -> None:
    if app.focused_pane == "invites":
        await _revoke_invite(app)
        return
    node = app.chosen_node
    if node is None:
        return
    text = (
        "At once and for good. It can only come back with a new key and a new invite. Rounds that "
        "it took part in stay as they are."
    )
    if await app.push_screen_wait(
        Question("Put this node out?", text, "Revoke", node=node, grave=True)
    ):
        app.say(await app.controls.revoke(node.fingerprint))


async def _revoke_invite(app: CoordinatorApp) -> None:
    invite = app.chosen_invite
    if invite is None:
        return
    name = f"{invite.label} ({invite.id})" if invite.label else invite.id
    text = f"Nobody can join with invite {name} any more. Who came with it before stays in."
    if await app.push_screen_wait(Question("Take this invite back?", text, "Revoke", grave=True)):
        app.say(await app.controls.revoke_invite(invite.id))


async def _evict(app: CoordinatorApp, _: str) -> None:
    node = app.chosen_node
    if node is None:
        return
    text = "The round goes on without it, if enough are left. It may come back for the next one."
    question = Question("Put this node out of the round?", text, "Evict", node=node, grave=True)
    if await app.push_screen_wait(question):
        app.say(await app.controls.evict(node.fingerprint))


async def _invite(app: CoordinatorApp, _: str) -> None:
    made = await app.push_screen_wait(NewInvite())
    if made is not None:
        await app.push_screen_wait(ShownInvite(made))


async def _pause(app: CoordinatorApp, _: str) -> None:
    app.say(await app.controls.pause())


async def _resume(app: CoordinatorApp, _: str) -> None:
    app.say(await app.controls.resume())


async def _next(app: CoordinatorApp, _: str) -> None:
    app.say(await app.controls.next_round())


async def _stop(app: CoordinatorApp, _: str) -> None:
    text = (
        "The program ends; nodes wait and come back. 'fedtui-coordinator serve' goes on where it "
        "was. To end the federation for good: 'fedtui-coordinator stop --end'."
    )
    if await app.push_screen_wait(Question("Stop the coordinator?", text, "Stop", grave=True)):
        app.say(await app.controls.stop())


async def _details(app: CoordinatorApp, _: str) -> None:
    if app.focused_pane == "nodes" and app.chosen_node is not None:
        await app.push_screen_wait(Details(app.chosen_node))


async def _copy(app: CoordinatorApp, _: str) -> None:
    invite, node = app.chosen_invite, app.chosen_node
    if app.focused_pane == "invites" and invite is not None:
        app.copy_to_clipboard(invite.id)
        app.say(f"copied: {invite.id}")
    elif node is not None:
        app.copy_to_clipboard(node.fingerprint)
        app.say(f"copied: {node.fingerprint}")


async def _acknowledge(app: CoordinatorApp, _: str) -> None:
    app.take(Acknowledged())


async def _export(app: CoordinatorApp, _: str) -> None:
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = app.folder / f"fedtui-export-{stamp}"
    texts = exporting.files(app.frozen or app.view)

    def write() -> None:
        folder.mkdir(mode=0o700)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")

    try:
        await asyncio.to_thread(write)
    except OSError as error:
        app.say(f"not exported: {folder}: {error.strerror or error}", severity="error")
        return
    app.say(f"exported {', '.join(texts)} to {folder}")


async def _filter(app: CoordinatorApp, _: str) -> None:
    app.open_filter()


async def _former(app: CoordinatorApp, _: str) -> None:
    app.take(FormerShown())


async def _zoom(app: CoordinatorApp, _: str) -> None:
    app.zoom()


async def _freeze(app: CoordinatorApp, _: str) -> None:
    app.freeze()


async def _theme(app: CoordinatorApp, _: str) -> None:
    app.next_theme()


async def _help(app: CoordinatorApp, _: str) -> None:
    await app.push_screen_wait(HelpSheet())


async def _palette(app: CoordinatorApp, _: str) -> None:
    app.action_command_palette()


async def _detach(app: CoordinatorApp, _: str) -> None:
    app.exit()


DOING: dict[str, Callable[[CoordinatorApp, str], Awaitable[None]]] = {
    "pane": _pane,
    "approve": _approve,
    "reject": _reject,
    "revoke": _revoke,
    "evict": _evict,
    "invite": _invite,
    "pause": _pause,
    "resume": _resume,
    "next": _next,
    "stop": _stop,
    "details": _details,
    "copy": _copy,
    "acknowledge": _acknowledge,
    "export": _export,
    "filter": _filter,
    "former": _former,
    "zoom": _zoom,
    "freeze": _freeze,
    "theme": _theme,
    "help": _help,
    "palette": _palette,
    "detach": _detach,
}
