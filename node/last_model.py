"""The newest committed model on this machine, written out or asked for answers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fedtui.learning.data import DataSource
from fedtui.learning.params import Params
from fedtui.learning.sections import model_of
from fedtui.rounds import strategic
from fedtui.wire import tensors
from node import config as configs
from node import jobs, terms
from node.alone import failed, run_alone
from node.exits import Exit, Stop
from node.models import Certified, Models
from node.paths import write_atomically
from node.updates import Updates
from node.work import task_ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.telling.agreement import Agreement
    from node.paths import Profile


def export(home: Profile, out: Path) -> str:
    """Write the model to `out` as safetensors, whole or not at all; return what it is."""
    agreement, model = _last(home)
    path = Models(home.models).path(bytes.fromhex(model.digest))
    vector_D = tensors.from_bytes(path.read_bytes(), agreement.manifest)
    carried = strategic.carried(agreement.plan)
    data = model_of(Params(agreement.manifest, vector_D), carried).to_safetensors()
    try:
        write_atomically(out.absolute(), data)
    except OSError as error:  # it names a temporary file
        raise OSError(error.errno, error.strerror, str(out)) from error
    if strategic.personal(agreement.plan) and model.score is not None:
        return (
            f"{_named(model)}; the score is that of the models as nodes use them, not of this one"
        )
    return _named(model)


def predict(home: Profile, file: Path, out: Path | None, *, show: Callable[[str], None]) -> str:
    """Answer each row of `file`, into `out` or through `show`; return what answered."""
    agreement, model = _last(home)
    models, plan = Models(home.models), agreement.plan
    held = None
    if strategic.held(plan):
        held = Updates(home.work).holding.after(models.owner.federation_id, model.round)
    with tempfile.TemporaryDirectory(dir=home.work) as folder:
        answers = Path(folder) / "answers.jsonl"
        job = jobs.PredictJob(
            job_id=1,
            task=task_ref(agreement, configs.load(home.config), home.tasks),
            data=DataSource(path=str(file.absolute())),
            manifest=agreement.manifest,
            model_path=str(models.path(bytes.fromhex(model.digest))),
            out_path=str(answers),
            strategy=plan.strategy.name,
            strategy_options=plan.strategy.options,
            held_in=str(held or ""),
        )
        outcome = asyncio.run(run_alone(job))
        if not isinstance(outcome, jobs.Predicted):
            raise failed(outcome)
        if out is None:
            show(answers.read_text(encoding="utf-8"))
        else:
            shutil.copyfile(answers, out)
    own = ", with what this node holds for its strategy" if held else ""
    return f"{outcome.num_rows:,} answers of {_named(model)}{own}"


def _last(home: Profile) -> tuple[Agreement, Certified]:
    """The plan and the newest committed model that lies here, whole. Raises Stop."""
    agreement = terms.load(home.terms)
    model = Models(home.models).newest_here() if agreement else None
    if agreement is None or model is None:
        raise Stop(
            "no committed model is here yet",
            remedy="wait until a round has been committed: fedtui status",
            exit_code=Exit.MISSING_INPUT,
        )
    return agreement, model


def _named(model: Certified) -> str:
    score = f", score {model.score:.4f}" if model.score is not None else ""
    final = "the federation's result" if model.final else f"the model after round {model.round}"
    return f"{final}{score} ({model.digest[:16]})"
