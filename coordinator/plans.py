"""A plan on disk, checked and explained: a plan.toml alone, or a coordinator's whole folder."""

from pathlib import Path

import msgspec

from coordinator import modelfile
from coordinator.config import load_plan
from coordinator.layout import Layout
from coordinator.membership import nodes as stored_nodes
from coordinator.reading import reading
from fedtui.privacy import accounting
from fedtui.rounds.plan import Plan
from fedtui.telling import explaining
from fedtui.telling.explaining import Explained


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A plan without conflicts."""

    path: str
    federation: str


def checked(where: Path) -> Checked:
    """Raises ConfigError with every conflict; AccountingError."""
    path, plan = _plan(where)
    return Checked(path=str(path), federation=plan.federation.name)


def explained(where: Path) -> Explained:
    """What it guarantees; in a coordinator's folder also for its model and its nodes.

    Raises:
        ConfigError: the plan cannot be read, or contradicts itself.
        AccountingError: dp-accounting does not answer.
    """
    path, plan = _plan(where)
    num_values, members = None, 0
    layout = Layout(path.parent)
    if where.is_dir() and layout.manifest.exists():
        num_values = modelfile.read(layout, plan).num_values
        with reading(layout) as database:
            kept = stored_nodes(database.connection)
        members = sum(m.state == "enrolled" and m.role == "participant" for m in kept)
    return explaining.explain(
        plan, accounting.epsilons_now, num_values=num_values, members=members
    )


def _plan(where: Path) -> tuple[Path, Plan]:
    path = Layout(where).plan if where.is_dir() else where
    return path, load_plan(path, accounted=True)
