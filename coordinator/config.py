"""coordinator.toml, what the coordinator's operator decides, and where everything lies.

What nodes consent to is not here but in plan.toml: changing a port asks nobody, changing the plan
asks everybody.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from coordinator.layout import Layout
from coordinator.templates import DEFAULT_HEALTH_PORT, DEFAULT_PORT
from fedtui import plugins, tomlfile
from fedtui.privacy import accounting
from fedtui.rounds import promised
from fedtui.rounds.plan import Plan, check
from fedtui.tomlfile import ConfigError

_ADDRESS = re.compile(r"^(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.\-]{1,253})(:[0-9]{1,5})?$")

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Host = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=10**6)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=10**6)]
Hours = Annotated[float, msgspec.Meta(gt=0, le=24 * 365)]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of coordinator.toml; an unknown key in it is an error."""


class ServerSection(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where nodes connect. Port 0 takes any free one (it is in `status`)."""

    host: Host = "0.0.0.0"  # noqa: S104  nodes come from other machines; each one authenticates
    port: Port = DEFAULT_PORT


class InvitesSection(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an invite says: how nodes reach this machine, and until when."""

    addresses: Annotated[tuple[str, ...], msgspec.Meta(max_length=8)] = ()
    hours: Hours = 24.0

    def __post_init__(self) -> None:
        for address in self.addresses:
            if not _ADDRESS.match(address):
                raise ValueError(
                    f"{address!r} is not an address: write name:8443, 192.168.1.20:8443 or "
                    "[fd00::1]:8443"
                )


class EnrolmentSection(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may come: with an invite, and whoever may ask `without_invite` and wait for approval.

    "announced" is while `serve --announce` runs. `max_pending` bounds how many wait without an
    invite, `newcomers_per_minute` how many of one address may ask.
    """

    without_invite: Literal["never", "announced", "always"] = "announced"
    max_pending: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    newcomers_per_minute: Positive = 10.0
    allowlist: str = ""
    pending_s: Seconds = 3600.0


class HealthSection(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """/healthz, /readyz and /metrics, for this machine only. Port 0 takes any free one."""

    enabled: bool = True
    host: Literal["127.0.0.1", "::1", "localhost"] = "127.0.0.1"
    port: Port = DEFAULT_HEALTH_PORT


class StorageSection(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many models of the last rounds are kept, and what updates on their way in may take."""

    keep_checkpoints: Annotated[int, msgspec.Meta(ge=2, le=10**6)] = 5
    spool_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**50)] = 2**36


class LimitsSection(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much strangers and nodes may ask of this machine; see docs/operating.md."""

    handshake_s: Seconds = 5.0
    max_waiting: Count = 256
    max_waiting_per_address: Count = 16
    handshakes_per_s: Positive = 50.0
    handshake_burst: Count = 200
    failed_enrolments_per_minute: Positive = 5.0
    heartbeat_s: Seconds = 20.0


class LogSection(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """JSON lines, to standard error or to a file that is rotated."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: str = ""
    max_bytes: Annotated[int, msgspec.Meta(ge=4096, le=2**40)] = 10_000_000
    keep: Annotated[int, msgspec.Meta(ge=0, le=100)] = 5


class TrackingSection(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the figures of finished rounds go besides, each an optional extra; see tracking.py.

    `folder` is below the coordinator's directory unless it is a path in full. `uri` is MLflow's
    server; empty, it writes to the folder too.
    """

    writers: Annotated[tuple[str, ...], msgspec.Meta(max_length=8)] = ()
    folder: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)] = "tracking"
    uri: Annotated[str, msgspec.Meta(max_length=1000)] = ""

    def __post_init__(self) -> None:
        known = plugins.names("tracking")
        for name in self.writers:
            if name not in known:
                raise ValueError(f"there is no writer {name!r}; there are: {', '.join(known)}")


class CoordinatorConfig(_Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: ServerSection = ServerSection()
    invites: InvitesSection = InvitesSection()
    enrolment: EnrolmentSection = EnrolmentSection()
    health: HealthSection = HealthSection()
    storage: StorageSection = StorageSection()
    limits: LimitsSection = LimitsSection()
    log: LogSection = LogSection()
    tracking: TrackingSection = TrackingSection()


def load(layout: Layout) -> CoordinatorConfig:
    """Read coordinator.toml. Raises ConfigError."""
    return tomlfile.read(layout.config, CoordinatorConfig)


def load_plan(path: Path, *, accounted: bool = False) -> Plan:
    """Read a plan and check that its choices fit together, with the operator's own plug-ins.

    Those lie in the folder `plugins` beside the plan. `accounted` asks dp-accounting, too, whether
    all rounds stay within [dp] epsilon: a second, where there is one.

    Raises:
        ConfigError: as tomlfile.read, or every conflict of `plan.check`, a line each.
        AccountingError: dp-accounting does not answer.
    """
    plan = tomlfile.read(path, Plan)
    plugins.use_own(path.parent / "plugins")
    conflicts = check(plan)
    if accounted:
        conflicts += promised.cap_conflicts(plan, accounting.epsilon_now, accounting.noise_now)
    if conflicts:
        raise ConfigError("\n".join(f"{path}: {sentence}" for sentence in conflicts))
    return plan
