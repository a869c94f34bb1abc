"""`key show` and `key rotate`: the coordinator's own identity. Nothing secret is ever printed."""

import typer

from coordinator.answers import KeyReport
from coordinator.cli_options import Dir, Json, layout_of
from coordinator.cli_options import show as print_out

key_app = typer.Typer(
    help="The coordinator's own key.", no_args_is_help=True, rich_markup_mode=None
)


@key_app.command("show")
def show(directory: Dir = None, as_json: Json = False) -> None:
    """Print fingerprint and words, and the fingerprints before."""
    from coordinator import rotating  # noqa: PLC0415  brings the database with it

    report = rotating.show(layout_of(directory))
    print_out(report, _text(report), as_json=as_json)


@key_app.command("rotate")
def rotate(directory: Dir = None, as_json: Json = False) -> None:
    """Make a new key, vouched for by the old one. The coordinator must not be running."""
    from coordinator import rotating  # noqa: PLC0415  brings the database with it

    report = rotating.rotate(layout_of(directory))
    print_out(report, _text(report), as_json=as_json)
    typer.echo(
        "the old key is gone; nodes follow to the new one, with a notice, when they connect next. "
        "Keep rotations.json: without it they stop. Backups of the old key are of no use any more",
        err=True,
    )


def _text(report: KeyReport) -> str:
    return "\n".join(
        (
            f"fingerprint  {report.fingerprint}",
            f"in words     {' '.join(report.words)}",
            *(f"formerly     {one}" for one in report.former),
        )
    )
