"""A plan file as simulations read it: what a coordinator serves, and `[population]` besides."""

import re
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fedtui import plugins, tomlfile
from fedtui.privacy import accounting
from fedtui.rounds import plan as plans
from fedtui.rounds import promised
from fedtui.rounds.plan import Plan
from fedtui.simulation import population as populations
from fedtui.simulation.population import Population
from fedtui.tomlfile import ConfigError

MAKER = "docs/simulation.md has a complete one to begin with"
_NAMED = re.compile(r"^\[([\w.]+)\] (\w+)")


class SimulatedPlan(Plan, frozen=True, kw_only=True):
    """plan.toml with a population."""

    population: Population


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan file that holds together."""

    text: str
    plan: Plan
    population: Population


def read(path: Path) -> PlanFile:
    """Read and check a plan file.

    Raises:
        ConfigError: all that is wrong, a line each, with line and key.
    """
    return parse(tomlfile.read_text(path, cure=MAKER), path=path)


def parse(text: str, *, path: Path) -> PlanFile:
    """As `read`, from text; `path` is named in errors, and own plug-ins lie beside it."""
    both = tomlfile.parse(text, SimulatedPlan, path=path)
    plugins.use_own(path.parent / "plugins")
    plan = Plan(**{name: getattr(both, name) for name in Plan.__struct_fields__})
    conflicts = [*plans.check(plan), *populations.check(both.population, plan)]
    if not promised.conflicts(plan):  # now with as many nodes as there really are
        conflicts += promised.delta_conflicts(plan, both.population.nodes)
    conflicts += promised.cap_conflicts(plan, accounting.epsilon_now, accounting.noise_now)
    if conflicts:
        raise ConfigError("\n".join(_placed(sentence, text, path) for sentence in conflicts))
    return PlanFile(text, plan, both.population)


def plain(plan: Plan) -> Plan:
    """The same plan without masks, for speed.

    What nodes would hide below masks together, the coordinator then hides: with the noise that is
    guaranteed, no more.
    """
    privacy, dp = msgspec.structs.replace(plan.privacy, updates="visible"), plan.dp
    if dp is not None and dp.mechanism == "distributed":
        dp = msgspec.structs.replace(dp, mechanism="central")
    return msgspec.structs.replace(plan, privacy=privacy, dp=dp)


def _placed(sentence: str, text: str, path: Path) -> str:
    """The sentence with the line of the key that it begins with."""
    named = _NAMED.match(sentence)
    keys = [*named.group(1).split("."), named.group(2)] if named else []
    line = tomlfile.line_of(text, keys)
    return f"{path}, line {line}: {sentence}" if line else f"{path}: {sentence}"
