"""The `[population]` section of a plan file: who the virtual nodes are.

Whose data they hold, how fast they and their networks are, when they are there, how often they
vanish, and which of them attack. A coordinator that serves the same file has real nodes instead
and reads none of it: the section is no part of the plan, and no node consents to it.

`check` finds what does not fit together, `traits` says what each node is like. Both follow from
the section and a seed alone. What changes over time is in availability.py and dropping.py, what
happens to a node's inputs in shift.py.
"""

import math
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from fedtui import plugins
from fedtui.learning import partition
from fedtui.learning.data import DataError
from fedtui.rounds import masking
from fedtui.rounds.plan import Options, Plan
from fedtui.secagg import graph
from fedtui.simulation.draws import Purpose, generator
from fedtui.simulation.network import Link
from fedtui.wire import declared

MAX_NODES = 10_000
BYTES_PER_MBIT = 1e6 / 8
HARDLY = 6.0
"""Standard deviations from the mean beyond which a number of nodes is called unreachable."""

Spread: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=3)]
Milliseconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=60_000)]
Mbit: TypeAlias = Annotated[float, msgspec.Meta(ge=1e-3, le=1e6)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=1, le=1e7)]
Pause: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e7)]
Chance: TypeAlias = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Floats: TypeAlias = npt.NDArray[np.float64]


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the section; an unknown key in it is an error."""


class ShiftSection(_Section, frozen=True, kw_only=True):
    """How the inputs of nodes differ where their labels do not; see shift.py."""

    name: Literal["none", "brightness", "contrast", "noise", "rotation", "calibration"] = "none"
    strength: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3


class SpeedSection(_Section, frozen=True, kw_only=True):
    """Examples trained per second: lognormal over nodes, `spread` is the sigma of its logarithm.

    With a spread of 0.5, two thirds of the nodes are between 0.6 and 1.6 times the median. A
    share of `slow` of the nodes, to within one, takes `slow_factor` times as long besides.
    """

    examples_per_s: Annotated[float, msgspec.Meta(ge=1e-3, le=1e9)] = 2000.0
    spread: Spread = 0.0
    slow: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    slow_factor: Annotated[float, msgspec.Meta(ge=1, le=1e6)] = 10.0


class NetworkSection(_Section, frozen=True, kw_only=True):
    """A node's way to the coordinator; latency is one way, jitter is added to it uniformly.

    `spread` is the sigma of a lognormal factor, drawn for the latency (and its jitter), the
    uplink and the downlink of each node separately.
    """

    latency_ms: Milliseconds = 20.0
    jitter_ms: Milliseconds = 5.0
    up_mbit: Mbit = 100.0
    down_mbit: Mbit = 100.0
    spread: Spread = 0.0


class AvailabilitySection(_Section, frozen=True, kw_only=True):
    """When a node is there: `always`, in `sessions`, or for a `share` of every day (`daily`).

    Sessions and the pauses between them last `online_s` and `offline_s` on average
    (exponentially distributed); a day lasts `day_s`, and each node's begins at its own hour.
    """

    kind: Literal["always", "sessions", "daily"] = "always"
    online_s: Seconds = 3600.0
    offline_s: Seconds = 3600.0
    share: Annotated[float, msgspec.Meta(ge=0.01, le=0.99)] = 0.5
    day_s: Seconds = 86_400.0

    @property
    def online_share(self) -> float:
        """The share of the nodes that are there at any time, on average."""
        match self.kind:
            case "always":
                return 1.0
            case "sessions":
                return self.online_s / (self.online_s + self.offline_s)
            case "daily":
                return self.share


class DropoutSection(_Section, frozen=True, kw_only=True):
    """How likely a node vanishes in each phase of an attempt; it is back after a while.

    `sharing` and `confirming` are phases of masked rounds; without masks they do not occur.
    """

    answering: Chance = 0.0
    training: Chance = 0.0
    sharing: Chance = 0.0
    uploading: Chance = 0.0
    confirming: Chance = 0.0
    back_after_s: tuple[Pause, Pause] = (60.0, 600.0)


Values: TypeAlias = Annotated[list[declared.Value], msgspec.Meta(min_length=1, max_length=64)]


class MaliceSection(_Section, frozen=True, kw_only=True):
    """Some nodes that attack: a `fraction` of all, or a number of `nodes`."""

    attack: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,47}$")]
    fraction: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    nodes: Annotated[int, msgspec.Meta(ge=1, le=MAX_NODES)] | None = None
    options: Options = {}

    def num_of(self, num_nodes: int) -> int:
        """How many of so many nodes attack in this way."""
        return self.nodes or round((self.fraction or 0.0) * num_nodes)


class Population(_Section, frozen=True, kw_only=True):
    """All virtual participants. An evaluator, where the plan has one, is one more.

    `declare` has the values of each attribute; every node declares one of them, drawn uniformly.
    """

    nodes: Annotated[int, msgspec.Meta(ge=2, le=MAX_NODES)]
    data: str = ""
    split: str = "iid"
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    shift: ShiftSection = ShiftSection()
    speed: SpeedSection = SpeedSection()
    network: NetworkSection = NetworkSection()
    availability: AvailabilitySection = AvailabilitySection()
    dropout: DropoutSection = DropoutSection()
    malice: Annotated[tuple[MaliceSection, ...], msgspec.Meta(max_length=16)] = ()
    declare: Annotated[dict[declared.Name, Values], msgspec.Meta(max_length=8)] = {}

    def seed_or(self, plan_seed: int) -> int:
        """The seed of everything that is drawn for the population."""
        return plan_seed if self.seed is None else self.seed


@dataclass(frozen=True, slots=True)
class Traits:
    """What stays the same about a node; `attack` is empty for an honest one."""

    index: int
    examples_per_s: float
    link: Link
    attack: str
    attack_options: Options
    declared: tuple[tuple[str, str], ...] = ()


def traits(population: Population, plan_seed: int) -> list[Traits]:
    """Each node's traits, in order of their index.

    Speeds and links of the first nodes do not change when nodes are added; who attacks does.
    """
    seed, num = population.seed_or(plan_seed), population.nodes
    speed, net = population.speed, population.network

    def factors(purpose: Purpose, spread: float) -> Floats:
        return np.exp(spread * generator(seed, purpose).standard_normal(num))

    speeds = speed.examples_per_s * factors(Purpose.SPEED, speed.spread)
    speeds /= np.where(_slow(speed.slow, seed, num), speed.slow_factor, 1.0)
    said = _declared(population, seed)
    slowness = factors(Purpose.LATENCY, net.spread) / 1000
    ups = net.up_mbit * BYTES_PER_MBIT * factors(Purpose.UPLINK, net.spread)
    downs = net.down_mbit * BYTES_PER_MBIT * factors(Purpose.DOWNLINK, net.spread)
    attackers = _attackers(population, seed)
    honest = MaliceSection(attack="none")
    found = []
    for index in range(num):
        malice = attackers.get(index, honest)
        link = Link(
            latency_s=float(net.latency_ms * slowness[index]),
            jitter_s=float(net.jitter_ms * slowness[index]),
            up_bytes_per_s=float(ups[index]),
            down_bytes_per_s=float(downs[index]),
        )
        attack = "" if malice is honest else malice.attack
        says = tuple((name, values[index]) for name, values in said.items())
        found.append(Traits(index, float(speeds[index]), link, attack, malice.options, says))
    return found


def _slow(share: float, seed: int, num: int) -> npt.NDArray[np.bool_]:
    """Which nodes are slow: every so manieth, from a node on that is drawn."""
    steps = np.floor(np.arange(num + 1) * share + generator(seed, Purpose.SLOW).random())
    slow: npt.NDArray[np.bool_] = np.diff(steps) > 0
    return slow


def _declared(population: Population, seed: int) -> dict[str, list[str]]:
    """What each node declares, by attribute."""
    found = {}
    for at, name in enumerate(sorted(population.declare)):
        values = population.declare[name]
        drawn = generator(seed, Purpose.DECLARED, at).integers(len(values), size=population.nodes)
        found[name] = [values[int(index)] for index in drawn]
    return found


def _attackers(population: Population, seed: int) -> dict[int, MaliceSection]:
    if not population.malice:
        return {}
    order = iter(generator(seed, Purpose.MALICE).permutation(population.nodes).tolist())
    return {
        index: malice
        for malice in population.malice
        for index in islice(order, malice.num_of(population.nodes))
    }


def check(population: Population, plan: Plan) -> list[str]:
    """Every conflict in the section and with the plan: sentences that say what to change."""
    return [
        *_too_few_nodes(population, plan),
        *_no_split(population),
        *_no_attack(population),
        *_never_there(population, plan),
        *_never_enough(population, plan),
    ]


def _too_few_nodes(population: Population, plan: Plan) -> list[str]:
    num = population.nodes
    wanted = {"[selection] count": plan.selection.count, "[rounds] start_with": _start(plan)}
    if plan.minimum > num:
        key = "[privacy] minimum or colluders" if plan.masked else "[selection] minimum"
        return [
            f"[population] nodes = {num}, but each round needs {plan.minimum}: "
            f"raise nodes or lower {key}"
        ]
    return [
        f"[population] nodes = {num} is less than {key} = {value}: raise nodes or lower {key}"
        for key, value in wanted.items()
        if value is not None and value > num
    ]


def _start(plan: Plan) -> int:
    return plan.rounds.start_with or plan.minimum


def _no_split(population: Population) -> list[str]:
    try:
        partition.check(population.split)
    except DataError as error:
        return [f"[population] split: {error}"]
    if population.split.endswith(".npz") and not Path(population.split).expanduser().is_file():
        return [
            f"[population] split: there is no index file {population.split}: write its path in "
            "full, or use a split such as iid"
        ]
    if population.data and not Path(population.data).expanduser().exists():
        return [
            f"[population] data: {population.data} does not exist: name the file or folder that "
            "holds the data"
        ]
    return []


def _no_attack(population: Population) -> list[str]:
    found = []
    for number, malice in enumerate(population.malice, 1):
        which = f"[population] malice {number} ({malice.attack})"
        if (malice.fraction is None) == (malice.nodes is None):
            found.append(f"{which}: say how many attack, by either fraction or nodes")
        elif malice.num_of(population.nodes) == 0:
            found.append(
                f"{which}: a fraction of {malice.fraction:g} of {population.nodes} nodes is "
                "nobody: raise it, or say nodes = 1"
            )
        try:
            plugins.build("attacks", malice.attack, **malice.options)
        except plugins.PluginError as error:
            found.append(f"{which}: {error}")
    total = sum(malice.num_of(population.nodes) for malice in population.malice)
    if total > population.nodes:
        found.append(
            f"[population] malice: {total} nodes attack in all, but there are "
            f"{population.nodes}: lower the fractions or numbers"
        )
    return found


def _never_there(population: Population, plan: Plan) -> list[str]:
    """The sentence for nodes so seldom online that a round hardly ever begins."""
    share, needed = population.availability.online_share, max(plan.minimum, _start(plan))
    if needed > population.nodes or _within_reach(needed, population.nodes, share):
        return []
    return [
        f"[population] availability: {share:.3g} of {population.nodes} nodes are online on "
        f"average, {population.nodes * share:.3g}, and {needed} must be for a round to begin: "
        "let nodes be online for longer, raise nodes or lower [rounds] start_with"
    ]


def _never_enough(population: Population, plan: Plan) -> list[str]:
    """The sentence for nodes that vanish so often that hardly any round succeeds."""
    drop = population.dropout
    low, high = drop.back_after_s
    found = []
    if low > high:
        found.append(
            f"[population] dropout: back_after_s = [{low:g}, {high:g}] begins with the longer "
            "time: write the shorter one first"
        )
    present = population.nodes * population.availability.online_share
    invited = plan.selection.count or math.ceil(plan.selection.fraction * present)
    invited = min(max(invited, plan.minimum), population.nodes)
    before = (1 - drop.answering) * (1 - drop.training)
    after = 1 - drop.uploading
    needed = plan.minimum
    if plan.masked:
        invited = min(invited, plan.privacy.largest_cohort)
        after *= (1 - drop.sharing) * (1 - drop.confirming)
        numbers = masking.numbers(plan, invited)
        ready = math.floor(invited * before)
        needed = max(numbers.minimum, graph.quorum(ready, numbers.colluders))
        if numbers.group:
            needed = masking.enough_groups(ready // numbers.group) * numbers.least_of_group
    if needed <= invited and not _within_reach(needed, invited, before * after):
        found.append(
            f"[population] dropout: of {invited} nodes in a round {invited * before * after:.3g} "
            f"stay to the end on average, and {needed} must: lower the probabilities"
        )
    return found


def _within_reach(needed: int, num: int, chance: float) -> bool:
    """Whether `needed` of `num` nodes, each with this chance, ever come together."""
    return needed <= num * chance + HARDLY * math.sqrt(num * chance * (1 - chance))
