"""The two commented TOML files that `init` writes. What is commented out is the default."""

import json
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

Scalar: TypeAlias = bool | int | float | str
Value: TypeAlias = Scalar | list[Scalar]
"""What a task's option may be, if the command line says it."""

DEFAULT_PORT = 8443
DEFAULT_HEALTH_PORT = 8444
DEFAULT_METRIC = "accuracy"

_SERVER = """\
# coordinator.toml: what this coordinator's operator decides. Nodes never see this file, and
# changing it asks nobody anew; restart the coordinator for a change to count.
# What nodes consent to is in plan.toml.

[server]
# Where nodes connect. 0.0.0.0 is every IPv4 address of this machine, 127.0.0.1 this machine only.
host = {host}
port = {port}

[invites]
# Under which addresses nodes reach this machine (at most 8); they are written into each invite.
# Empty: the addresses that this machine finds itself to have.
addresses = {addresses}
# hours = 24.0            # how long an invite is good, unless 'invite --hours' says otherwise

[enrolment]
# Nodes without an invite may ask, and wait for 'nodes approve': "never", "always", or while it is
# "announced" (serve --announce).
# without_invite = "announced"
# max_pending = 100       # so many may wait without an invite; nodes with one always may
# newcomers_per_minute = 10.0  # so many of one address may ask without an invite
# allowlist = ""          # a file with one fingerprint of a node a line: approved in advance
# pending_s = 3600.0      # how long an unapproved node may stay connected

[health]
# /healthz, /readyz and /metrics for programs on this machine. Port 0 takes any free one.
# enabled = true
# host = "127.0.0.1"
port = {health_port}

[storage]
# keep_checkpoints = 5    # models of so many last rounds; the initial and the best stay anyway
# spool_bytes = 68719476736   # what the updates of a round may take on disk

[limits]
# What strangers and nodes may ask of this machine; docs/operating.md explains each.
# handshake_s = 5.0
# max_waiting = 256
# max_waiting_per_address = 16
# handshakes_per_s = 50.0
# handshake_burst = 200
# failed_enrolments_per_minute = 5.0
# heartbeat_s = 20.0

[log]
# level = "info"          # debug, info, warning or error
# file = ""               # empty: standard error; otherwise a file, rotated
# max_bytes = 10000000
# keep = 5

[tracking]
# The figures of each round for others too: "tensorboard", "mlflow"; each is an extra to install.
# writers = []
# folder = "tracking"     # below this directory, or a path in full
# uri = ""                # of an MLflow server; empty: a database file in the folder
"""

_PLAN = """\
# plan.toml: all that the operator of each node consents to. Every word of it is covered by a hash;
# after any change each of them is asked again. What is commented out is the default.

{seed} # for selection, initial weights and every node's shuffling

[federation]
name = {name}

[task]
{task} # the model, its data and its loss; 'sha256' pins an operator's own file
{sha256}{metric} # or another that this task can be measured by: docs/extending.md
{options}
[training]
# What a node does in one round, on its own examples.
epochs = {epochs}
# steps = 100             # exactly so many batches, instead of epochs
batch_size = {batch_size}
learning_rate = {learning_rate}
{optimizer} # sgd, adam or adamw
momentum = {momentum}
# weight_decay = 0.0
# clip_norm = 1.0         # bound of each gradient (L2)
# adversary = {{ attack = "pgd", radius = 0.1 }} # train on pictures that are changed to be hard
# update_clip = 10.0      # bound of the whole update (L2)

[strategy]
# fedavg, fedavgm, fedopt, fedprox, fednova, scaffold, feddyn, qfedavg, fedper, ditto or fedbuff:
# docs/strategies.md.
name = "fedavg"
# options = {{ server_learning_rate = 1.0 }}

[aggregator]
# How updates become one: mean; or, with updates = "visible" or groups, one that bad updates cannot
# move far: median, trimmed_mean, geometric_median, centred_clip, krum or bulyan; or, if visible,
# fltrust, which trusts one node. See docs/robustness.md.
# name = "mean"
# options = {{ bad = 1 }}
# mix = 1                 # nearest-neighbour mixing first, with so many bad ones

[gate]
# tolerance = 0.05        # a round whose model scores worse by more is rolled back; off without it

[selection]
# Who takes part in a round: this fraction of the nodes present (or 'count' of them).
name = "uniform"          # or deadline, round_robin, stratified, utility: docs/operating.md
# fraction = 1.0
# count = 10
{minimum} # a round needs so many, to begin and to count

[rounds]
# The federation ends with whichever comes first.
{start_with}maximum = {rounds}
{target}# patience = 10           # rounds without a better score
# seconds = 3600.0        # spent in rounds

[deadlines]
# Seconds for each phase; who is late is left behind and may join the next round.
# accept_s = 30.0
# update_s = 600.0
# rejoin_s = 15.0
# evaluate_s = 120.0
# share_s = 30.0          # of a masked round: nodes give each other sealed shares,
# mask_s = 300.0          # send their masked updates,
# reveal_s = 60.0         # vote, and reveal what opens the sum
# learn = false           # true: the time for updates is learned, update_s the most it can be:
# quantile = 0.5          # what so large a part of the nodes needed last,
# slack = 2.0             # times this
# partial = false         # true: who will not finish in time sends what it has
# late = "drop"           # "buffer": late updates count in a later round
# max_staleness = 10      # of a late update, in rounds

[evaluation]
# Each new model is measured on examples that no node trains on: a share held out at every
# participant, or the test set of a node with the role 'evaluator'.
with_evaluator = {with_evaluator}
# holdout = 0.2           # with an evaluator: 0.0

[weights]
# by = "examples"         # an update counts by its examples; "equal": each one the same; "plan":
#                         # by what nodes declare, see docs/operating.md
# cap = 10000             # at most as if of so many examples

[privacy]
# Who can read a single update: the coordinator ("visible"), or nobody ("masked"). Under masks it
# reads the sum of a round only; the other keys count then, and docs/threat-model.md says what
# that hides and what it does not.
{updates}
# colluders = 1           # nodes that may be in league with it (default: a fifth of a cohort)
# minimum = 3             # a sum has so many nodes (default: half of a cohort, 3 or more)
# dropouts = 0            # how many of a cohort may be lost on the way; it must be larger then
# group = 3               # split a cohort into random groups of so many: robust rules work on them
# largest_cohort = 100    # a lane has room for a sum of so many values
# lanes = 2               # values in 8 bytes: 2, or 3 or 4 for shorter and coarser updates
# value_range = 4.0       # a value beyond it, times its weight, is cut
# keystream = "chacha20"  # "aegis256": faster masks, in rounds whose processors all have AES

# [dp]                    # noise that hides each node: docs/privacy.md, and 'plan explain' says
# mechanism = "distributed"  # what it guarantees. "central": the coordinator adds it; "local":
# noise = 1.0             # every node all of its own. Sigma in a sum, in update_clips
# delta = 1e-5            # far below 1 in so many nodes
# epsilon = 8.0           # at most, of a node that is in all rounds

[traffic]
# What travels instead of whole models: the change from the model that a node holds. 32: without
# any loss; 16, 8 or 4 bits a value: the model itself is rounded so, the same for everybody.
# model_bits = 8
# update_bytes = 500000   # the most that an update may have: what loses least is chosen for it,
#                         # see docs/operating.md; without it, every value leaves
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerChoices:
    """What `init` was told about the machine."""

    host: str
    port: int
    health_port: int
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChoices:
    """What `init` was told about the plan; everything else is a default that suits the task.

    `sha256` pins the operator's own file. `metric` is None where the task's own is wanted.
    """

    name: str = "federation"
    task: str = "digits"
    sha256: str = ""
    metric: str | None = None
    options: dict[str, Value] = field(default_factory=dict)
    seed: int = 1
    minimum: int | None = None
    start_with: int | None = None
    rounds: int = 50
    target: float | None = None
    with_evaluator: bool = False
    masked: bool = True


class _Training(NamedTuple):
    epochs: int = 1
    batch_size: int = 32
    learning_rate: float = 0.05
    momentum: float = 0.0
    optimizer: str = "sgd"


_TRAINING = {
    "arrays": _Training(batch_size=16, learning_rate=0.003, optimizer="adam"),
    "char_lm": _Training(batch_size=8, learning_rate=0.005, optimizer="adam"),
    "digits": _Training(epochs=2, learning_rate=0.1, momentum=0.9),
    "image_folder": _Training(batch_size=16, learning_rate=0.002, optimizer="adam"),
    "word_lm": _Training(batch_size=8, learning_rate=0.005, optimizer="adam"),
}
_TARGETS = {"digits": 0.95}


def coordinator_toml(choices: ServerChoices) -> str:
    """The text of coordinator.toml."""
    return _SERVER.format(
        host=_text(choices.host),
        port=choices.port,
        health_port=choices.health_port,
        addresses=json.dumps(list(choices.addresses)),
    )


def plan_toml(choices: PlanChoices) -> str:
    """The text of plan.toml."""
    training = _TRAINING.get(choices.task, _Training())
    metric = choices.metric or DEFAULT_METRIC
    target = choices.target
    if target is None and metric == DEFAULT_METRIC and not choices.sha256:
        target = _TARGETS.get(choices.task)
    start_with = choices.start_with
    return _PLAN.format(
        seed=_line("seed", choices.seed),
        name=_text(choices.name),
        task=_line("name", choices.task),
        sha256=f'sha256 = "{choices.sha256}"\n' if choices.sha256 else "",
        metric=_line("metric", metric),
        options=_options(choices.options),
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        optimizer=_line("optimizer", training.optimizer),
        momentum=training.momentum,
        minimum=_line("minimum", choices.minimum or (3 if choices.masked else 2)),
        start_with=f"{_line('start_with', start_with)} # the first round waits for so many\n"
        if start_with
        else "# start_with = 4          # the first round waits for so many\n",
        rounds=choices.rounds,
        target=f"target = {target}\n" if target is not None else "# target = 0.9\n",
        with_evaluator=str(choices.with_evaluator).lower(),
        updates=f'updates = "{"masked" if choices.masked else "visible"}"',
    )


def _options(options: dict[str, Value]) -> str:
    if not options:
        return "# options = {}            # what this task takes: see the README\n"
    pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in options.items())
    return f"options = {{ {pairs} }}\n"


def _line(key: str, value: str | int) -> str:
    """One setting, as wide as the others, so that the comments stand below each other."""
    text = f"{key} = {_text(value) if isinstance(value, str) else value}"
    return f"{text:<25}"


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(value, ensure_ascii=False)
