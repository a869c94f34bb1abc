"""`fedtui model export` and `fedtui predict`: the last committed model, for use."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from node import config as configs
from node import jobs, terms
from node.cli_task import failed, run_alone
from node.exits import Exit, Stop
from node.models import Certified, Models
from node.paths import write_atomically
from node.work import data_source, task_ref

if TYPE_CHECKING:
    from node.paths import Profile
    from node.terms import Agreement

model_app = typer.Typer(
    help="The model that came of it.", no_args_is_help=True, rich_markup_mode=None
)


@model_app.command("export")
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Option(help="Where to write it.", metavar="FILE")],
    force: Annotated[bool, typer.Option(help="Replace the file if it exists.")] = False,
) -> None:
    """Write the last committed model as a safetensors file."""
    from fedtui.learning.params import Params  # noqa: PLC0415 - numpy, only where needed
    from fedtui.wire import tensors  # noqa: PLC0415

    if out.exists() and not force:
        raise Stop(
            f"{out} exists", remedy="another name, or --force", exit_code=Exit.CANNOT_CREATE
        )
    home: Profile = context.obj
    agreement, model = _last(home)
    path = Models(home.models).path(bytes.fromhex(model.digest))
    vector_D = tensors.from_bytes(path.read_bytes(), agreement.manifest)
    write_atomically(out.absolute(), Params(agreement.manifest, vector_D).to_safetensors())
    typer.echo(f"wrote {out}: {_named(model)}", err=True)


def predict(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Inputs, as the task reads them.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to write; else stdout.", metavar="FILE")
    ] = None,
) -> None:
    """Answer each row of FILE with the last committed model: one JSON object a line."""
    if not file.exists():
        raise Stop(f"{file} does not exist", exit_code=Exit.MISSING_INPUT)
    home: Profile = context.obj
    agreement, model = _last(home)
    config = configs.load(home.config)
    with tempfile.TemporaryDirectory(dir=home.work) as folder:
        answers = Path(folder) / "answers.jsonl"
        source = msgspec.structs.replace(
            data_source(configs.NodeConfig()), path=str(file.absolute())
        )
        job = jobs.PredictJob(
            job_id=1,
            task=task_ref(agreement, config, home.tasks),
            data=source,
            manifest=agreement.manifest,
            model_path=str(Models(home.models).path(bytes.fromhex(model.digest))),
            out_path=str(answers),
        )
        outcome = asyncio.run(run_alone(job))
        if not isinstance(outcome, jobs.Predicted):
            raise failed(outcome)
        if out is None:
            typer.echo(answers.read_text(encoding="utf-8"), nl=False)
        else:
            shutil.copyfile(answers, out)
    typer.echo(f"{outcome.num_rows:,} answers of {_named(model)}", err=True)


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
