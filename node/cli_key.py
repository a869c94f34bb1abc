"""`fedtui key`: who this node is, and giving it a new key. Nothing secret is ever printed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fedtui.control.client import ControlClient, NotRunningError
from fedtui.crypto.keys import fingerprint
from fedtui.crypto.words import words
from node import keystore, own_key, passphrase, printing
from node.cli_join import ask_passphrase

if TYPE_CHECKING:
    from node.paths import Profile

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

key_app = typer.Typer(help="This node's own key.", no_args_is_help=True, rich_markup_mode=None)


@key_app.callback()
def key() -> None:
    """This node's own key."""


@key_app.command("show")
def show(context: typer.Context, as_json: Json = False) -> None:
    """Print the fingerprint and words of this node, and what it was before."""
    home: Profile = context.obj
    _print(home, asyncio.run(_id_now(home)), as_json=as_json)


@key_app.command("rotate")
def rotate(context: typer.Context, as_json: Json = False) -> None:
    """Give this node a new key. It stays a member; its fingerprint changes."""
    home: Profile = context.obj
    _print(home, asyncio.run(_rotate(home)), as_json=as_json)
    typer.echo(
        "the coordinator knows the new key, and the old one is refused from now on; old copies "
        "of identity.key are of no use any more: make a new backup",
        err=True,
    )


async def _rotate(home: Profile) -> bytes:
    client = ControlClient(home.control())
    await client.rotate_key()
    return bytes.fromhex((await client.status()).node_id)


async def _id_now(home: Profile) -> bytes:
    """The node's id: from the running node, which has the key open, else from the file."""
    try:
        return bytes.fromhex((await ControlClient(home.control()).status()).node_id)
    except NotRunningError:
        secret = ask_passphrase(home) or passphrase.from_file()
        return keystore.load(home.root, secret).id


def _print(home: Profile, node_id: bytes, *, as_json: bool) -> None:
    former = own_key.former(home.root)
    rotating = (home.root / keystore.NEXT_FILE).exists()
    if as_json:
        found = {
            "id": node_id.hex(),
            "fingerprint": fingerprint(node_id),
            "words": words(node_id),
            "former": [fingerprint(one.id) for one in former if one.id != node_id],
            "rotating": rotating,
        }
        typer.echo(msgspec.json.encode(found).decode())
        return
    lines = [
        f"fingerprint  {fingerprint(node_id)}",
        f"words        {' '.join(words(node_id))}",
        *(
            f"formerly     {fingerprint(one.id)}, until {printing.moment(one.until_s)}"
            for one in former
            if one.id != node_id
        ),
    ]
    if rotating:
        lines.append("a rotation is under way: it goes on when the coordinator is reached")
    typer.echo("\n".join(lines))
