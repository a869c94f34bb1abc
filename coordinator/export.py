"""The model for others: as safetensors, as a torch state dict, and a card that says what it is.

The coordinator's process never loads torch. The .pt file, a zip of raw tensors that
`torch.load(weights_only=True)` reads, is written by a child: `python -m coordinator.export_torch`.
Each file appears whole or not at all.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from coordinator import checkpoints
from coordinator.answers import Exported
from coordinator.card import card
from coordinator.checkpoints import Checkpoint
from coordinator.layout import Layout
from coordinator.opening import Settings
from coordinator.refusals import BadDataError, BadRequestError, CannotCreateError, os_refusal
from fedtui.learning.sections import narrowed
from fedtui.rounds import strategic
from fedtui.rounds.ending import best_of
from fedtui.rounds.history import FederationSnapshot, FinishedRound

CHILD_TIMEOUT_S = 600.0
_BLOCK = 2**20


def choose(snapshot: FederationSnapshot, metric: str, round_: int | None) -> FinishedRound:
    """The round whose model is exported: the given one, else the result, else the best so far."""
    wanted = round_ if round_ is not None else snapshot.result_round
    if wanted is None:
        return best_of(snapshot.rounds, metric)
    for finished in snapshot.rounds:
        if finished.round == wanted:
            return finished
    raise BadRequestError(
        f"there is no committed round {wanted}; the last is {snapshot.rounds[-1].round}"
    )


def export(
    settings: Settings,
    snapshot: FederationSnapshot,
    target: Path,
    *,
    round_: int | None = None,
    torch: bool = True,
) -> Exported:
    """Write the new folder `target`.

    Raises:
        BadRequestError: there is no such round, or its model was removed.
        BadDataError: the model's file is damaged.
        CannotCreateError: `target` exists, or the torch file could not be made.
    """
    layout = settings.layout
    finished = choose(snapshot, settings.plan.task.metric, round_)
    _check_model(layout, finished)
    if os.path.lexists(target):
        raise CannotCreateError(f"{target} exists and was left as it is: give another --out")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise os_refusal(error) from error
    try:
        _copy_model(settings, finished, half / "model.safetensors")
        if torch:
            _write_torch(half)
        (half / "README.md").write_text(card(settings, snapshot, finished), encoding="utf-8")
        (half / "plan.toml").write_bytes(layout.plan.read_bytes())
        names = tuple(sorted(path.name for path in half.iterdir()))
        half.rename(target)
    except OSError as error:  # a failed copy would name the file that it was reading
        raise os_refusal(OSError(error.errno, error.strerror, str(target))) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return Exported(
        directory=str(target),
        round=finished.round,
        digest=finished.model_digest.hex(),
        score=finished.score,
        files=names,
    )


def _check_model(layout: Layout, finished: FinishedRound) -> None:
    kept = Checkpoint(
        finished.checkpoint_name, finished.round, finished.model_digest, finished.num_bytes
    )
    if not (layout.checkpoints / kept.name).exists():
        raise BadRequestError(
            f"the model after round {kept.round} was removed; 'export' without --round takes the "
            "best, and keep_checkpoints in coordinator.toml keeps more"
        )
    if problem := checkpoints.verify(layout.checkpoints, kept):
        raise BadDataError(f"{problem}: restore a backup")


def _copy_model(settings: Settings, finished: FinishedRound, target: Path) -> None:
    """The model itself, without the vectors that travel with it."""
    source = settings.layout.checkpoints / finished.checkpoint_name
    own = narrowed(settings.manifest, strategic.carried(settings.plan))
    if own == settings.manifest:
        shutil.copyfile(source, target)
        return
    with checkpoints.open_checkpoint(source, settings.manifest) as model, target.open("xb") as out:
        out.write(checkpoints.header(own, finished.round))
        for offset in range(0, own.num_bytes, _BLOCK):
            out.write(model.read(offset, min(_BLOCK, own.num_bytes - offset)))


def _write_torch(folder: Path) -> None:
    command = [sys.executable, "-m", "coordinator.export_torch"]
    command += [str(folder / "model.safetensors"), str(folder / "model.pt")]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command, capture_output=True, check=False, timeout=CHILD_TIMEOUT_S, text=True
        )
    except subprocess.TimeoutExpired as error:
        raise CannotCreateError("writing model.pt took too long; try --no-torch") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise CannotCreateError(
            f"model.pt could not be written ({said[-1] if said else 'no reason given'}); "
            "--no-torch leaves it out"
        )
