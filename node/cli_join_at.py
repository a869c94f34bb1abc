"""`fedtui join --at HOST:PORT`: from an address to a coordinator whose key the operator verified.

    probe (nothing of ours is sent) -> known here? the fingerprint given? two words typed?

Our own words are not shown: the operator reads the coordinator's, from the coordinator's screen.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from hmac import compare_digest
from typing import TYPE_CHECKING

import typer

from fedtui.crypto.keys import fingerprint, parse_fingerprint
from fedtui.crypto.words import words
from fedtui.status.wordcheck import WordCheck, looks_like_fingerprint
from node import pins, printing
from node.exits import Exit, Stop

if TYPE_CHECKING:
    from node.paths import Profile
    from node.probing import Probed


def verified(home: Profile, address: str, given: str) -> Probed:
    """Who answers there, and is who it should be. `given` is a whole fingerprint, or empty.

    Raises:
        FingerprintError: what was given is none.
        Stop: nobody answers, it is somebody else, or nobody is here to compare.
    """
    from node.probing import probe  # noqa: PLC0415 - aiohttp is slow to import

    wanted = parse_fingerprint(given) if given else b""
    found = asyncio.run(probe(address))
    known = next((p for p in pins.pins(home.root.parent) if p.id == found.identity.id), None)
    if wanted:
        _compare(found, wanted)
    elif known is not None:
        _say(f"known: this machine pinned that key {printing.moment(known.since_s)}")
    else:
        _ask(found)
    _say(f"coordinator  {found.federation or '(no name)'} at {found.address}")
    _say(f"fingerprint  {fingerprint(found.identity.id)}")
    return found


def _compare(found: Probed, wanted: bytes) -> None:
    if not compare_digest(found.identity.id[: len(wanted)], wanted):
        raise Stop(
            f"the coordinator at {found.address} is another one\n"
            f"  you gave:  {fingerprint(wanted)}\n"
            f"  it has:    {fingerprint(found.identity.id)}\n"
            "Nothing was sent to it",
            remedy="check address and fingerprint with the coordinator's operator",
            exit_code=Exit.IDENTITY_CHANGED,
        )


def _ask(found: Probed) -> None:
    """Have the operator type two words of the coordinator's screen, or its fingerprint."""
    if not sys.stdin.isatty():
        raise Stop(
            "nobody is here to compare the coordinator's words",
            remedy=f"fedtui join --at {found.address} --fingerprint ITS-WHOLE-FINGERPRINT",
            exit_code=Exit.USAGE,
        )
    check = WordCheck.draw(
        words(found.identity.id), fingerprint(found.identity.id), secrets.randbelow
    )
    _say(
        f"a coordinator of {found.federation or 'a federation without a name'} answers at "
        f"{found.address}; nothing was sent yet.\n"
        "Is it the right one? Its operator's screen shows six words: type two of THOSE\n"
        "(or its whole fingerprint). No words at hand? Ask for an invite: it carries the key."
    )
    while not _passes(check):
        if check.spent:
            raise Stop(
                f"those are not the words of the coordinator at {found.address}. Nothing was sent",
                remedy="read them from the coordinator's own screen (fedtui-coordinator key show)"
                ", and check the address; if they still differ, somebody else answers there",
                exit_code=Exit.IDENTITY_CHANGED,
            )
        _say("that is not what this coordinator's key says; look again at ITS screen")


def _passes(check: WordCheck) -> bool:
    typed: list[str] = []
    for position in check.positions:
        typed.append(str(typer.prompt(f"word {position}", err=True)))
        if looks_like_fingerprint(typed[0]):
            return check.type_fingerprint(typed[0])
    return check.type_words(typed)


def _say(text: str) -> None:
    typer.echo(text, err=True)
