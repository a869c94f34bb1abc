"""`fedtui trust`: which coordinators this node trusts, and changing that by hand."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from fedtui.crypto.keys import SEED_BYTES, Identity, fingerprint, parse_fingerprint
from fedtui.crypto.words import words
from fedtui.errors import ChannelError
from node import config as configs
from node import keystore, launch, printing
from node.exits import Exit, Stop

if TYPE_CHECKING:
    from fedtui.crypto.keys import PublicIdentity
    from node.config import NodeConfig
    from node.keystore import TrustedCoordinator
    from node.paths import Profile

trust_app = typer.Typer(
    help="Which coordinator's key this node trusts.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@trust_app.callback()
def trust(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the coordinators that this node pinned."""
    if context.invoked_subcommand is not None:
        return
    found = keystore.TrustStore(context.obj.root).all() if context.obj.trusted.exists() else ()
    if as_json:
        typer.echo(msgspec.json.encode([_as_json(one) for one in found]).decode())
    elif not found:
        text = "this node trusts no coordinator yet: fedtui join"
        typer.echo(printing.for_profile(text, context.obj.name))
    else:
        typer.echo("\n".join(_as_text(one) for one in found))


@trust_app.command("replace")
def replace(
    context: typer.Context,
    new: Annotated[
        str,
        typer.Option("--id", help="Fingerprint of the new key, from the coordinator's screen."),
    ],
) -> None:
    """Trust a coordinator's new key. Compare the fingerprint with its operator first."""
    home: Profile = context.obj
    config = configs.load(home.config)
    if not config.coordinator.id:
        raise Stop("this node is in no federation", remedy="fedtui join", exit_code=Exit.USAGE)
    wanted = parse_fingerprint(new)
    found = asyncio.run(_replace(home, config, wanted))
    text = f"from now on this node trusts {found}; go on with: fedtui join"
    typer.echo(printing.for_profile(text, context.obj.name), err=True)


async def _replace(home: Profile, config: NodeConfig, wanted: bytes) -> str:
    found = await _meet(config, wanted)
    keystore.TrustStore(home.root).replace(bytes.fromhex(config.coordinator.id), found)
    table = msgspec.structs.replace(config.coordinator, id=found.id.hex())
    configs.save(home.config, msgspec.structs.replace(config, coordinator=table))
    if await launch.is_running(home):
        await launch.stop(home)
    return fingerprint(found.id)


async def _meet(config: NodeConfig, wanted: bytes) -> PublicIdentity:
    """Both keys of the coordinator with this fingerprint, asked at the addresses we have.

    It learns nothing about this node: the question is asked with a key made for it.
    """
    import aiohttp  # noqa: PLC0415 - slow to import, and needed here only

    from node.dial import identify  # noqa: PLC0415

    nobody = Identity.from_seed(os.urandom(SEED_BYTES))
    reasons: list[str] = []
    for address in config.coordinator.addresses:
        try:
            found = (await identify(nobody, address)).identity
        except (ChannelError, OSError, ValueError, aiohttp.ClientError) as error:
            reasons.append(f"{address}: {error}")
            continue
        if found.id.startswith(wanted):
            return found
        reasons.append(f"{address} is {fingerprint(found.id)}")
    raise Stop(
        f"nobody with that fingerprint was found ({'; '.join(reasons)})",
        remedy="compare the fingerprint with the coordinator's operator",
        exit_code=Exit.IDENTITY_CHANGED,
    )


def _as_text(one: TrustedCoordinator) -> str:
    former = "".join(f"\n  formerly     {fingerprint(old)}" for old in one.former_ids)
    return (
        f"{one.label or 'a coordinator'} at {', '.join(one.addresses)}\n"
        f"  fingerprint  {fingerprint(one.id)}\n"
        f"  words        {' '.join(words(one.id))}\n"
        f"  pinned       {printing.moment(one.first_seen_s)}{former}"
    )


def _as_json(one: TrustedCoordinator) -> dict[str, object]:
    return {
        "label": one.label,
        "addresses": one.addresses,
        "id": one.id.hex(),
        "fingerprint": fingerprint(one.id),
        "words": words(one.id),
        "pinned_at": one.first_seen_s,
        "former": [fingerprint(old) for old in one.former_ids],
    }
