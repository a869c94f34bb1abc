"""`init`: a new coordinator's directory, whole or not at all.

Everything is made in a temporary folder beside the target and then renamed to it, so that a full
disk, Ctrl-C or a wrong plan leaves nothing behind. The initial model comes from the plan's task,
in a child process that may load torch, or from a safetensors file.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from coordinator import filechanges, hardening, keystore, modelfile
from coordinator.answers import InitReport
from coordinator.checkpoints import CheckpointWriter
from coordinator.config import load as load_config
from coordinator.config import load_plan
from coordinator.layout import Layout
from coordinator.opening import passphrase_from_environment
from coordinator.refusals import BadDataError, CannotCreateError, DiskError, os_refusal
from coordinator.spokenwords import spoken
from coordinator.store import Store
from coordinator.templates import PlanChoices, ServerChoices, coordinator_toml, plan_toml
from fedtui import plugins
from fedtui.crypto.keys import Identity, fingerprint
from fedtui.errors import ExitCode
from fedtui.learning.params import Manifest, Params, ParamsError, first_outside
from fedtui.learning.sections import with_zeros
from fedtui.rounds import strategic
from fedtui.rounds.plan import Plan, plan_hash
from fedtui.rounds.records import RoundFinished
from fedtui.telling import bounds
from fedtui.tomlfile import ConfigError
from fedtui.wire.tensors import VALUE_LIMIT, to_bytes

CHILD_TIMEOUT_S = 600.0
MAX_INITIAL_BYTES = 2 * 2**30
_HOW_TO_SAY_OPTIONS = (
    ". Write the task's options under [task.options] of a plan.toml, as README, 'Your own data', "
    "shows, and type: fedtui-coordinator init --dir {root} --plan plan.toml"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What `init` was asked for. `plan` is the text of plan.toml, or what to write into it.

    `plugins` is a folder of the operator's own strategies and selections.
    """

    server: ServerChoices
    plan: str | PlanChoices
    initial: Path | None = None
    task_file: Path | None = None
    plugins: Path | None = None
    notes: tuple[str, ...] = ()


class _OptionsError(ConfigError):
    """The task refuses what the command line said of it, which cannot say everything."""


class _Said(msgspec.Struct):
    """The part of what the task's process writes that is needed here."""

    metric: str


@dataclass(frozen=True, slots=True)
class Initialised:
    """What was made."""

    layout: Layout
    identity: Identity
    plan: Plan
    plan_hash: bytes
    manifest: Manifest


def init(root: Path, wishes: Wishes) -> InitReport:
    """`initialise` as a command: with the process hardened and what there is to tell."""
    hardening.harden()
    made = initialise(root, wishes)
    return InitReport(
        directory=str(root),
        fingerprint=fingerprint(made.identity.id),
        words=spoken(root, made.identity.id),
        plan_hash=made.plan_hash.hex(),
        task=made.plan.task.name,
        num_values=made.manifest.num_values,
        port=wishes.server.port,
        bound=bounds.of_updates(made.plan, made.manifest.num_values),
        notes=wishes.notes,
    )


def initialise(root: Path, wishes: Wishes) -> Initialised:
    """Make the directory `root`.

    Raises:
        CannotCreateError: there is something already, or the task's child could not run.
        ConfigError: the plan does not hold together, or `serve` would refuse coordinator.toml.
        BadDataError: the initial model cannot be used.
        NoPermissionError, DiskError: the operating system refused.
    """
    _check_vacant(root)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=f".{root.name}.", dir=root.parent))
    except OSError as error:
        raise os_refusal(error) from error
    try:
        made = _fill(Layout(half), wishes)
        half.rename(root)
    except ConfigError as error:  # the files go away with the folder: their paths help nobody
        text = str(error).replace(f"{half}{os.sep}", "")
        if isinstance(error, _OptionsError):
            text += _HOW_TO_SAY_OPTIONS.format(root=root)
        raise ConfigError(text) from error
    except OSError as error:
        raise os_refusal(error) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return Initialised(Layout(root), *made)


def _check_vacant(root: Path) -> None:
    try:
        vacant = not os.path.lexists(root) or (root.is_dir() and not any(root.iterdir()))
    except OSError as error:
        raise os_refusal(error) from error
    if vacant:
        return
    if Layout(root).config.exists():
        raise CannotCreateError(
            f"{root} holds a coordinator already and was left as it is: start it with "
            "'fedtui-coordinator serve', or give another --dir"
        )
    raise CannotCreateError(f"{root} exists and is not empty: give another --dir")


def _fill(layout: Layout, wishes: Wishes) -> tuple[Identity, Plan, bytes, Manifest]:
    layout.config.write_text(coordinator_toml(wishes.server), encoding="utf-8")
    load_config(layout)
    if wishes.plugins is not None:
        plugins.keep_own(wishes.plugins, layout.plugins)
    plan, params = _plan_and_model(layout, wishes)
    identity = keystore.create(layout.root, passphrase_from_environment())
    params = with_zeros(params, strategic.carried(plan))
    modelfile.write(layout, params.manifest, plan)
    layout.state.mkdir(mode=0o700)
    asyncio.run(_store_first_model(layout, identity, plan, params))
    for path in (layout.config, layout.plan, layout.manifest):
        path.chmod(0o600)
    return identity, plan, plan_hash(plan, params.manifest), params.manifest


def _plan_and_model(layout: Layout, wishes: Wishes) -> tuple[Plan, Params]:
    """Write plan.toml and have the first model made.

    Only the task knows its own metric, so a plan that leaves it open is written twice, and its
    target is judged the second time.
    """
    scratch = layout.root / "initial.tmp"
    choices = wishes.plan
    if isinstance(choices, str):
        plan = _write_plan(layout, choices)
        return plan, _initial_model(plan, wishes, scratch=scratch)[0]
    draft = choices if choices.metric is not None else replace(choices, target=None)
    plan = _write_plan(layout, plan_toml(draft))
    params, said = _initial_model(plan, wishes, scratch=scratch)
    if draft is not choices:
        metric = plan.task.metric if wishes.initial is not None else _metric_in(said)
        plan = _write_plan(layout, plan_toml(replace(choices, metric=metric)))
    return plan, params


def _write_plan(layout: Layout, text: str) -> Plan:
    layout.plan.write_text(text, encoding="utf-8")
    return load_plan(layout.plan, accounted=True)


async def _store_first_model(
    layout: Layout, identity: Identity, plan: Plan, params: Params
) -> None:
    store = Store.open(layout.state, identity=identity)
    try:
        await store.describe_federation(name=plan.federation.name, task=plan.task.name)
        writer = CheckpointWriter(layout.checkpoints, 0, params.manifest)
        writer.write(to_bytes(params.vector_D))
        done = writer.finish()
        record = RoundFinished(
            0,
            0,
            model_digest=done.digest,
            checkpoint_name=done.name,
            sums={},
            num_bytes=done.num_bytes,
        )
        await store.commit([record, *filechanges.first(layout)])
    finally:
        store.close()


def _initial_model(plan: Plan, wishes: Wishes, *, scratch: Path) -> tuple[Params, str]:
    """The model to begin with, and what the task's process said of it, if that made it."""
    if wishes.task_file is not None and not plan.task.sha256:
        raise ConfigError(
            f"plan.toml: [task] names the task {plan.task.name!r} that comes with fedtui, and "
            f"--task-file another one: leave --task-file away, or write its hash into [task]: "
            f'sha256 = "..." (see fedtui task check)'
        )
    if wishes.initial is not None:
        return _read_model(wishes.initial), ""
    said = _run_task(plan, wishes, out=scratch)
    try:
        return _read_model(scratch), said
    finally:
        scratch.unlink(missing_ok=True)


def _read_model(path: Path) -> Params:
    try:
        if path.stat().st_size > MAX_INITIAL_BYTES:
            raise BadDataError(f"{path} is larger than {MAX_INITIAL_BYTES} bytes")
        params = Params.from_safetensors(path.read_bytes())
    except OSError as error:
        raise os_refusal(error) from error
    except ParamsError as error:
        raise BadDataError(f"{path}: {error}") from error
    found = first_outside(params.vector_D, limit=VALUE_LIMIT)
    if found is not None:
        raise BadDataError(
            f"{path}: tensor {params.manifest.tensor_at(found)!r} holds a value that is not "
            f"finite or not below {VALUE_LIMIT:g}: a model cannot start from it"
        )
    return params


def _run_task(plan: Plan, wishes: Wishes, *, out: Path) -> str:
    """Let the task write its fresh model, in a process of its own that may load torch."""
    command = [sys.executable, "-m", "fedtui.learning.trainer", "--task", plan.task.name]
    command += ["--options", msgspec.json.encode(plan.task.options).decode()]
    command += ["--seed", str(plan.seed), "--out", str(out)]
    if isinstance(wishes.plan, str) or wishes.plan.metric is not None:
        command += ["--metric", plan.task.metric]
    if plan.task.sha256:
        if wishes.task_file is None:
            raise ConfigError(
                "plan.toml pins the operator's own task file: give it with --task-file, or the "
                "initial model with --initial"
            )
        command += ["--file", str(wishes.task_file), "--sha256", plan.task.sha256]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command, capture_output=True, check=False, timeout=CHILD_TIMEOUT_S, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise CannotCreateError("the task took too long to make its initial model") from error
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.strip().splitlines()
    text = f"task {plan.task.name!r} made no initial model: {said[-1] if said else 'no reason'}"
    if done.returncode == ExitCode.BAD_CONFIG:
        by_command_line = not (isinstance(wishes.plan, str) or plan.task.sha256)
        kind = _OptionsError if by_command_line else ConfigError
        raise kind(f"plan.toml: [task]: {text}")
    if done.returncode == ExitCode.CANNOT_CREATE:  # the folder is ours: so it is the disk
        raise DiskError(f"{text}: make room on the disk, then try again")
    raise BadDataError(text)


def _metric_in(said: str) -> str:
    """The metric that the task's process names at its end; the task may have printed, too.

    Raises:
        BadDataError: it names none.
    """
    for line in reversed(said.splitlines()):
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(line, type=_Said).metric
    raise BadDataError("the task's process named no metric: give it with --metric")
