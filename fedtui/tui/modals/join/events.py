"""What happens in the join wizard, and what it then wants done. Plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedtui.status import (
        CheckReport,
        FoundCoordinator,
        InviteSeen,
        Limits,
        NodeStatus,
        ProbedCoordinator,
        Setup,
    )
    from fedtui.status.wordcheck import WordCheck

# ---- events: what the operator did, what the node answered ------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """Listen on the network (again)."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What announced itself; `at` is UTC seconds."""

    found: tuple[FoundCoordinator, ...]
    at: float


@dataclass(frozen=True, slots=True)
class Address:
    """The operator chose an address: of `found`, or typed."""

    address: str
    found: FoundCoordinator | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """Who answered there, and the check that was drawn for its words (None: it has none)."""

    who: ProbedCoordinator
    check: WordCheck | None


@dataclass(frozen=True, slots=True)
class Invite:
    """The operator gave an invite: a secret."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InviteRead:
    """What it says."""

    seen: InviteSeen


@dataclass(frozen=True, slots=True)
class Typed:
    """The words that were asked for, or one fingerprint."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Go:
    """On to the next step, if this one is done."""


@dataclass(frozen=True, slots=True)
class Data:
    """Where the examples are, and how this node is called: ask the coordinator for its plan."""

    setup: Setup


@dataclass(frozen=True, slots=True)
class Arrived:
    """The plan is here, or this node was a member all along."""

    status: NodeStatus


@dataclass(frozen=True, slots=True)
class Checked:
    """The dry run is over."""

    report: CheckReport


@dataclass(frozen=True, slots=True)
class Limited:
    """The limits that the operator chose."""

    limits: Limits


@dataclass(frozen=True, slots=True)
class LimitsKept:
    """The node took them."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the operator typed below the consent form for the plan with this hash."""

    text: str
    plan_hash: str


@dataclass(frozen=True, slots=True)
class Agreed:
    """The node keeps the consent; its status after that."""

    status: NodeStatus


@dataclass(frozen=True, slots=True)
class Seen:
    """The node's status now."""

    status: NodeStatus


@dataclass(frozen=True, slots=True)
class Failed:
    """What was asked for was refused."""

    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Back:
    """One step back, or what is under way stopped."""


Event = (
    Look
    | Looked
    | Address
    | Probed
    | Invite
    | InviteRead
    | Typed
    | Go
    | Data
    | Arrived
    | Checked
    | Limited
    | LimitsKept
    | Said
    | Agreed
    | Seen
    | Failed
    | Back
)

# ---- effects: what the wizard's screen does for it --------------------------------------------


@dataclass(frozen=True, slots=True)
class Discover:
    """Ends in Looked."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Ends in Probed."""

    address: str


@dataclass(frozen=True, slots=True)
class ReadInvite:
    """Ends in InviteRead."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enter:
    """Write the setup, ask to enter, wait for the plan; ends in Arrived.

    With an invite, or at an address that was verified, or (both empty) where the node belongs.
    """

    setup: Setup
    invite: str = field(default="", repr=False)
    address: str = ""
    coordinator_id: str = ""


@dataclass(frozen=True, slots=True)
class DryRun:
    """Try task and data here; ends in Checked."""


@dataclass(frozen=True, slots=True)
class SetLimits:
    """Ends in LimitsKept."""

    limits: Limits


@dataclass(frozen=True, slots=True)
class Agree:
    """Ends in Agreed."""

    plan_hash: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop what is under way."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the wizard; the node goes on."""


Effect = Discover | Probe | ReadInvite | Enter | DryRun | SetLimits | Agree | Cancel | Close
