"""What the test build wrote beside a masked federation, and the models that follow from it.

`check` goes through all rounds: the model after each must be, to the bit, the one before and the
mean of exactly the recorded survivors' plain integers. See build_for_tests/sitecustomize.py.
"""

import json
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fedtui.learning.params import Vector

BUILD = Path(__file__).parent / "build_for_tests"


def environment(folder: Path) -> dict[str, str]:
    """What makes programs of a test build; `folder` gets what they tell."""
    (folder / "kill").mkdir(parents=True)
    return {"PYTHONPATH": str(BUILD), "TEST_BUILD": str(folder)}


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt that became a round. Nodes are ids in hex."""

    round: int
    attempt: int
    cohort: frozenset[str]
    survivors: frozenset[str]
    digests: dict[str, str]
    model: str


@dataclass(slots=True)
class Told:
    """All that was committed, in order."""

    rounds: list[Ended] = field(default_factory=list)
    failed: list[tuple[int, int, str]] = field(default_factory=list)
    num_measured: dict[int, int] = field(default_factory=dict)


def told(folder: Path) -> Told:
    """Read what the coordinator committed until now."""
    found, cohort, survivors, digests = Told(), frozenset[str](), frozenset[str](), {}
    lines = (folder / "records.jsonl").read_text().splitlines()
    for record in (dict[str, Any](json.loads(line)) for line in lines):
        match record["kind"]:
            case "RoundStarted":
                cohort, survivors, digests = frozenset(record["cohort"]), frozenset(), {}
            case "UpdateReceived":
                assert record["weight"] is None
                assert record["node"] not in digests, "an update counts once"
                digests[record["node"]] = record["digest"]
            case "SurvivorsChosen":
                survivors = frozenset(record["nodes"])
            case "RoundFailed":
                found.failed.append((record["round"], record["attempt"], record["cause"]))
            case "RoundFinished" if record["round"]:
                ended = (record["round"], record["attempt"], cohort, survivors, digests)
                found.rounds.append(Ended(*ended, record["model_digest"]))
            case "Evaluated":
                found.num_measured[record["round"]] = record["num_nodes"]
            case _:
                pass
    return found


def check(folder: Path, first_D: Vector, *, weight_cap: int) -> list[Vector]:
    """Every model is the one before and the survivors' mean, exactly; the models, in order."""
    models = [first_D]
    for ended in told(folder).rounds:
        assert ended.survivors <= ended.digests.keys()
        assert ended.survivors <= ended.cohort
        digests = [ended.digests[node] for node in sorted(ended.survivors)]
        model_D = _next(folder, models[-1], digests, weight_cap)
        made = blake2b(model_D.astype("<f4").tobytes(), digest_size=32).hexdigest()
        assert made == ended.model, f"round {ended.round} is not the sum of its survivors"
        models.append(model_D)
    return models[1:]


def _next(folder: Path, model_D: Vector, digests: list[str], weight_cap: int) -> Vector:
    """One step of FedAvg from plain integers: no masks, no chunks."""
    parts = [np.load(folder / "plain" / f"{digest}.npz") for digest in digests]
    total_D: npt.NDArray[np.int64] = np.sum([part["values"] for part in parts], axis=0)
    weight = sum(float(part["weight"]) for part in parts) / weight_cap
    mean_D = total_D / (float(parts[0]["scale"]) * weight)
    return (model_D + mean_D).astype(np.float32)
