"""`audit`, `export`, `backup`, `restore`: what stays of a run. None needs it to be running."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from coordinator import audit, backup
from coordinator.cli_options import Dir, Json, layout_of, show
from coordinator.exits import Exit
from coordinator.export import export as write_export
from coordinator.opening import load_identity, read_settings
from coordinator.reading import reading
from coordinator.refusals import BadDataError, os_refusal
from fedtui.wire.messages import AuditHead

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
    with reading(layout_of(directory)) as database:
        for number, entry in enumerate(audit.entries(database.connection, after=after)):
            if number >= limit:
                break
            show(entry, entry.line(), as_json=as_json)


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What `audit verify --json` prints."""

    sound: bool
    num_entries: int
    head: str
    signed_through: int
    num_heads: int
    problems: tuple[str, ...]


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
    layout = layout_of(directory)
    identity = load_identity(layout)
    heads = [_head(path) for path in held or ()]
    with reading(layout) as database:
        report = audit.verify(
            database.connection,
            federation=database.federation_id,
            key=identity.public,
            held=heads,
        )
    verdict = AuditVerdict(
        sound=not report.problems,
        num_entries=report.num_entries,
        head=report.head.hex(),
        signed_through=report.signed_through,
        num_heads=report.num_heads,
        problems=report.problems,
    )
    text = "\n".join(report.problems) or (
        f"sound: {report.num_entries} entries, signed up to number {report.signed_through}"
    )
    show(verdict, text, as_json=as_json)
    return Exit.OK if verdict.sound else Exit.BAD_DATA


class _HeldHead(msgspec.Struct, frozen=True):
    sequence: int
    hash: str
    signature: str


def _head(path: Path) -> AuditHead:
    try:
        held = msgspec.json.decode(path.read_bytes(), type=_HeldHead)
        return AuditHead(
            sequence=held.sequence,
            hash=bytes.fromhex(held.hash),
            signature=bytes.fromhex(held.signature),
        )
    except OSError as error:
        raise os_refusal(error) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise BadDataError(f"{path} holds no audit head: {error}") from error


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
    layout = layout_of(directory)
    settings = read_settings(layout)
    with reading(layout) as database:
        snapshot = database.snapshot()
    done = write_export(settings, snapshot, out.absolute(), round_=round_, torch=torch)
    score = f", {settings.plan.task.metric} {done.score:.4f}" if done.score is not None else ""
    text = f"model after round {done.round}{score}: {done.directory} ({', '.join(done.files)})"
    show(done, text, as_json=as_json)


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What `backup --json` and `restore --json` print."""

    directory: str
    num_models: int
    newest_round: int | None
    has_identity: bool


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
    root = layout_of(directory).root
    _show_saved(
        backup.backup(root, target.absolute(), with_identity=with_identity), as_json=as_json
    )
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
    layout = layout_of(directory)
    saved = backup.restore(source.absolute(), layout.root)
    _show_saved(saved, as_json=as_json)
    if not saved.has_identity:
        typer.echo(
            f"the backup has no secret key: put identity.key (mode 0600) into {layout.root}",
            err=True,
        )


def _show_saved(saved: backup.Saved, *, as_json: bool) -> None:
    report = Saved(
        directory=str(saved.path),
        num_models=saved.num_models,
        newest_round=saved.newest_round,
        has_identity=saved.has_identity,
    )
    newest = f", the newest after round {saved.newest_round}" if saved.newest_round else ""
    show(report, f"{saved.path}: {saved.num_models} models{newest}", as_json=as_json)
