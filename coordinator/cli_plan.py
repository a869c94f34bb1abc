"""`plan check` and `plan explain`: what a plan gets wrong, and what it guarantees."""

from pathlib import Path
from typing import Annotated

import typer

from coordinator.cli_options import Json, show
from coordinator.layout import directory

plan_app = typer.Typer(
    help="What a plan promises, before any node is asked.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Where = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PLAN]",
        help="A plan.toml, or a coordinator's directory (default: that of --dir elsewhere).",
    ),
]


@plan_app.command("check")
def check(where: Where = None, as_json: Json = False) -> None:
    """Say all that is wrong with a plan, at once; exit status 78 if anything is."""
    from coordinator import plans  # noqa: PLC0415  brings the rules with it

    checked = plans.checked(where or directory(None))
    show(checked, f"{checked.path}: the plan holds together", as_json=as_json)


@plan_app.command("explain")
def explain(where: Where = None, as_json: Json = False) -> None:
    """Say in plain words what a plan guarantees, to whom, and at what price."""
    from coordinator import plans  # noqa: PLC0415  brings the rules with it

    found = plans.explained(where or directory(None))
    show(found, found.text(), as_json=as_json)
