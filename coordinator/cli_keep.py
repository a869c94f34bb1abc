"""`audit`, `export`, `backup`, `restore`: what stays of a run. None needs it to be running."""

import itertools
from pathlib import Path
from typing import Annotated

import typer

from coordinator.answers import SavedReport
from coordinator.cli_options import Dir, Json, layout_of, show
from coordinator.exits import Exit

audit_app = typer.Typer(
    help="Who did what, in a chain that shows tampering.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@audit_app.command("show")
def audit_show(
    directory: Dir = None,
    *,
    after: Annotated[int, typer.Option(min=0, help="Only entries after this number.")] = 0,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 1000,
    as_json: Json = False,
) -> None:
    """Print the entries, oldest first."""
    from coordinator import keeping  # noqa: PLC0415  brings the database with it

    found = keeping.entries(layout_of(directory), after=after)
    for entry in itertools.islice(found, limit):
        show(entry, entry.line(), as_json=as_json)


@audit_app.command("verify")
def audit_verify(
    directory: Dir = None,
    *,
    held: Annotated[
        list[Path] | None,
        typer.Option(
            "--held", help="A head that a node holds: JSON with sequence, hash, signature."
        ),
    ] = None,
    as_json: Json = False,
) -> int:
    """Recompute the chain and check its signatures; exit status 65 if anything is wrong."""
    from coordinator import keeping  # noqa: PLC0415  brings the database with it

    verdict = keeping.verify(layout_of(directory), held or [])
    text = "\n".join(verdict.problems) or (
        f"sound: {verdict.num_entries} entries, signed up to number {verdict.signed_through}"
    )
    show(verdict, text, as_json=as_json)
    return Exit.OK if verdict.sound else Exit.BAD_DATA


def export(
    directory: Dir = None,
    *,
    out: Annotated[Path, typer.Option("--out", help="The new folder to write.")] = Path("model"),
    round_: Annotated[
        int | None, typer.Option("--round", min=0, help="The model after this round.")
    ] = None,
    torch: Annotated[bool, typer.Option(help="Also as a torch state dict, model.pt.")] = True,
    as_json: Json = False,
) -> None:
    """Write the result (or the best model so far) as safetensors and model.pt, with a card."""
    from coordinator import keeping  # noqa: PLC0415  brings the database with it

    done = keeping.export(layout_of(directory), out, round_=round_, torch=torch)
    score = f", score {done.score:.4f}" if done.score is not None else ""
    text = f"model after round {done.round}{score}: {done.directory} ({', '.join(done.files)})"
    show(done, text, as_json=as_json)


def make_backup(
    target: Annotated[Path, typer.Argument(help="The new folder to write.")],
    directory: Dir = None,
    *,
    with_identity: Annotated[
        bool,
        typer.Option(
            "--with-identity", help="The secret key too: who has it can be this coordinator."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy the coordinator's directory, also while it runs."""
    from coordinator import keeping  # noqa: PLC0415  brings the database with it

    saved = keeping.make_backup(layout_of(directory), target, with_identity=with_identity)
    show(saved, _saved_text(saved), as_json=as_json)
    if not with_identity:
        typer.echo(
            "the secret key is not in it: keep identity.key elsewhere, or nodes must be invited "
            "again",
            err=True,
        )


def restore_backup(
    source: Annotated[Path, typer.Argument(help="A folder that 'backup' wrote.")],
    directory: Dir = None,
    as_json: Json = False,
) -> None:
    """Make a coordinator's directory of a backup, checking every model."""
    from coordinator import keeping  # noqa: PLC0415  brings the database with it

    layout = layout_of(directory)
    saved = keeping.restore(layout, source)
    show(saved, _saved_text(saved), as_json=as_json)
    if not saved.has_identity:
        typer.echo(
            f"the backup has no secret key: put identity.key (mode 0600) into {layout.root}",
            err=True,
        )


def _saved_text(saved: SavedReport) -> str:
    newest = f", the newest after round {saved.newest_round}" if saved.newest_round else ""
    return f"{saved.directory}: {saved.num_models} models{newest}"
