"""What can be asked over the admin socket, and the frame of an answer. Light: commands use it."""

from typing import Annotated, Literal

import msgspec

MAX_LINE_BYTES = 64 * 1024

Role = Literal["participant", "evaluator", "observer"]  # as in fedtui.wire.messages


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """A command; the tag is the name of its class."""


class AskStatus(Ask, frozen=True, kw_only=True):
    """Answered with a report.Status."""


class AskNodes(Ask, frozen=True, kw_only=True):
    """Answered with a list of nodes."""


class AskApprove(Ask, frozen=True, kw_only=True):
    fingerprint: str


class AskRevoke(Ask, frozen=True, kw_only=True):
    fingerprint: str


class AskInvite(Ask, frozen=True, kw_only=True):
    """A new invite; `hours` None takes the configured default."""

    role: Role = "participant"
    label: str = ""
    hours: Annotated[float, msgspec.Meta(gt=0, le=24 * 365)] | None = None
    uses: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1
    auto_approve: bool = False


class AskPause(Ask, frozen=True, kw_only=True):
    """No new round begins."""


class AskResume(Ask, frozen=True, kw_only=True):
    """Rounds go on."""


class AskStop(Ask, frozen=True, kw_only=True):
    """Stop the program; with `end`, end the federation for good and leave the program running."""

    end: bool = False


class AskFollow(Ask, frozen=True, kw_only=True):
    """Answered with a status line, then with one line for everything that happens."""


AnyAsk = (
    AskStatus
    | AskNodes
    | AskApprove
    | AskRevoke
    | AskInvite
    | AskPause
    | AskResume
    | AskStop
    | AskFollow
)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back. With an `error`, `exit` is the exit status that the command ends with."""

    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    exit: int = 0
