"""A plan on disk, checked and explained: a plan file alone, or a coordinator's whole folder.

What is known of nodes counts: those that the coordinator has approved, or a `[population]`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from coordinator import modelfile
from coordinator.config import load_plan
from coordinator.layout import Layout
from coordinator.membership import nodes as stored_nodes
from coordinator.reading import reading
from fedtui.experiments import planfile
from fedtui.privacy import accounting
from fedtui.rounds import promised
from fedtui.rounds.plan import Plan
from fedtui.telling import explaining
from fedtui.telling.explaining import Explained
from fedtui.tomlfile import ConfigError


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A plan without conflicts, and how many nodes were known."""

    path: str
    federation: str
    nodes: int


@dataclass(frozen=True, slots=True)
class _Found:
    """`nodes` and `num_values` are those that are known; 0 and None if none are."""

    path: Path
    plan: Plan
    nodes: int = 0
    num_values: int | None = None


def checked(where: Path) -> Checked:
    """Raises ConfigError with every conflict; AccountingError."""
    found = _found(where)
    if conflicts := promised.delta_conflicts(found.plan, _num_nodes(found)):
        raise ConfigError("\n".join(f"{found.path}: {sentence}" for sentence in conflicts))
    name = found.plan.federation.name
    return Checked(path=str(found.path), federation=name, nodes=found.nodes)


def explained(where: Path) -> Explained:
    """What it guarantees; in a coordinator's folder also for its model and its nodes.

    Raises:
        ConfigError: the plan cannot be read, or contradicts itself.
        AccountingError: dp-accounting does not answer.
    """
    found = _found(where)
    return explaining.explain(
        found.plan, accounting.epsilons_now, num_values=found.num_values, members=found.nodes
    )


def _num_nodes(found: _Found) -> int:
    return promised.num_known(found.plan, found.nodes)


def _found(where: Path) -> _Found:
    path = Layout(where).plan if where.is_dir() else where
    if _is_simulated(path):
        read = planfile.read(path)
        return _Found(path, read.plan, read.population.nodes)
    plan = load_plan(path, accounted=True)
    layout = Layout(path.parent)
    if not where.is_dir() or not layout.manifest.exists():
        return _Found(path, plan)
    num_values = modelfile.read(layout, plan).num_values
    with reading(layout) as database:
        kept = stored_nodes(database.connection)
    nodes = sum(one.state == "enrolled" and one.role == "participant" for one in kept)
    return _Found(path, plan, nodes, num_values)


def _is_simulated(path: Path) -> bool:
    try:
        return "population" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # said better by whoever reads it next
        return False
