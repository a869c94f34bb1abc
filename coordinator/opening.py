"""Opening a coordinator's directory: read, check, take the lock, and find out where to go on."""

import os
from dataclasses import dataclass
from pathlib import Path

from coordinator import checkpoints, config, keystore, lineage, modelfile, statefiles
from coordinator.checkpoints import Checkpoint
from coordinator.config import CoordinatorConfig
from coordinator.files import DISK, StoreInUse
from coordinator.layout import Layout
from coordinator.refusals import BadDataError, LockedError, MissingInputError, os_refusal
from coordinator.store import Store
from fedtui.crypto.keys import Identity, parse_fingerprint
from fedtui.errors import FingerprintError
from fedtui.learning.params import Manifest
from fedtui.learning.sections import narrowed
from fedtui.rounds import gate, strategic
from fedtui.rounds.ending import best_of
from fedtui.rounds.history import FederationSnapshot
from fedtui.rounds.plan import Plan, plan_hash
from fedtui.tomlfile import ConfigError
from fedtui.wire.rotation import Succession

PASSPHRASE_VARIABLE = "FEDTUI_PASSPHRASE_FILE"  # noqa: S105  the name of a variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be read without the lock."""

    layout: Layout
    config: CoordinatorConfig
    plan: Plan
    manifest: Manifest
    plan_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Settings):
    """Everything, with the store open: the caller closes it."""

    identity: Identity
    store: Store
    snapshot: FederationSnapshot
    allowlist: frozenset[bytes]
    successions: tuple[Succession, ...]
    problems: tuple[str, ...]


def read_settings(layout: Layout, *, accounted: bool = False) -> Settings:
    """Configuration, plan and manifest; `accounted` as of `config.load_plan`.

    Raises:
        MissingInputError: there is no coordinator in this directory.
        ConfigError, BadDataError: a file cannot be used.
    """
    if not layout.config.exists():
        raise MissingInputError(
            f"{layout.root} holds no coordinator: make one with 'fedtui-coordinator init', or "
            "give its directory with --dir or FEDTUI_COORDINATOR_DIR"
        )
    settings, plan = config.load(layout), config.load_plan(layout.plan, accounted=accounted)
    manifest = modelfile.read(layout, plan)
    return Settings(
        layout=layout,
        config=settings,
        plan=plan,
        manifest=manifest,
        plan_hash=plan_hash(plan, manifest),
    )


def open_store(layout: Layout, identity: Identity) -> Store:
    """The store, locked. Raises LockedError while another process has it; StoreError."""
    try:
        former = frozenset(key.id for key in lineage.former(layout, identity.id))
        return Store.open(layout.state, identity=identity, former_ids=former)
    except StoreInUse as error:
        raise LockedError(str(error)) from error


def open_coordinator(settings: Settings, identity: Identity) -> Opened:
    """Take the lock and look at what is there. Slow: the newest models are verified.

    Raises:
        LockedError: another process works in this directory.
        BadDataError: the newest model or what the strategy kept with it is damaged, or not of
            this plan.
        StoreError: the disk does not allow it.
    """
    layout = settings.layout
    allowlist = read_allowlist(settings)
    store = open_store(layout, identity)
    try:
        snapshot = _snapshot(store, layout)
        problems = _check_models(settings, snapshot)
    except BaseException:
        store.close()
        raise
    return Opened(
        layout=layout,
        config=settings.config,
        plan=settings.plan,
        manifest=settings.manifest,
        plan_hash=settings.plan_hash,
        identity=identity,
        store=store,
        snapshot=snapshot,
        allowlist=allowlist,
        successions=lineage.leading_to(layout, identity.id),
        problems=(*store.warnings, *problems),
    )


def _snapshot(store: Store, layout: Layout) -> FederationSnapshot:
    snapshot = store.load_federation()
    if snapshot is None or not snapshot.rounds:
        raise BadDataError(
            f"{layout.state} holds no initial model: 'fedtui-coordinator init' did not finish"
        )
    return snapshot


def _check_models(settings: Settings, snapshot: FederationSnapshot) -> tuple[str, ...]:
    folder = settings.layout.checkpoints
    named = [
        Checkpoint(r.checkpoint_name, r.round, r.model_digest, r.num_bytes)
        for r in snapshot.rounds
    ]
    best = best_of(snapshot.rounds, settings.plan.task.metric).round
    bases, passed = gate.bases(snapshot.rounds), gate.passed(snapshot.rounds).round
    milestones = {best, *bases, snapshot.result_round or best}
    swept = checkpoints.sweep(
        folder,
        named,
        keep=settings.config.storage.keep_checkpoints,
        milestones=frozenset(milestones),
    )
    going_on = next(c for c in named if c.round == passed)
    problem = checkpoints.verify(folder, going_on)
    if problem is not None:
        raise BadDataError(f"{folder}: {problem}: restore a backup")
    checkpoints.open_checkpoint(folder / going_on.name, settings.manifest).close()
    _check_state(settings, going_on)
    for name in statefiles.leftovers(DISK.names(folder), named[-1].round, bases):
        DISK.remove(folder / name)
    return swept.broken


def _check_state(settings: Settings, passed: Checkpoint) -> None:
    """What the strategy kept with the global model; without it rounds cannot go on as before."""
    plan, folder = settings.plan, settings.layout.checkpoints
    own = narrowed(settings.manifest, strategic.carried(plan))
    shape = statefiles.Shape(strategic.built(plan), own.num_values)
    problem = statefiles.verify(folder, passed.round, passed.digest, shape)
    if problem is not None:
        raise BadDataError(
            f"{folder}: {problem}; strategy {plan.strategy.name} keeps it from round to round: "
            "restore a backup, or begin a new federation from this model with 'init --initial'"
        )


def load_identity(layout: Layout) -> Identity:
    """The coordinator's identity; a passphrase comes from the file that the environment names.

    Raises:
        KeyFileError: it is missing, exposed, damaged or locked.
    """
    return keystore.load(layout.root, passphrase_from_environment())


def passphrase_from_environment() -> str | None:
    """The first line of the file that FEDTUI_PASSPHRASE_FILE names; None if it names none."""
    name = os.environ.get(PASSPHRASE_VARIABLE)
    if not name:
        return None
    try:
        return Path(name).read_text(encoding="utf-8").splitlines()[0]
    except OSError as error:
        raise os_refusal(error) from error
    except (UnicodeDecodeError, IndexError) as error:
        raise BadDataError(f"{name}: holds no passphrase in its first line") from error


def read_allowlist(settings: Settings) -> frozenset[bytes]:
    """The 20 leading bytes of each id in the allowlist file."""
    name = settings.config.enrolment.allowlist
    if not name:
        return frozenset()
    path = settings.layout.root / name
    found = set()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise os_refusal(error) from error
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found.add(parse_fingerprint(text))
        except FingerprintError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
    return frozenset(found)
