"""R2 with real programs under masks: a node is killed with -9 at every step of a round, and costs
its own update at most: the others' exact sum is the next model, and the node comes back.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from plain_sums import Told, check, environment, told

from fedtui.demo.federation import LocalFederation, NodeSpec
from fedtui.demo.programs import Programs

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(400)]
NODES, DIM = 5, 64
VICTIM = "node-3"
TASK = f'''
import numpy as np

from fedtui.learning.params import Manifest, TensorSpec


class Chance:
    """Every update is another one."""

    metric = "loss"

    def manifest(self) -> Manifest:
        return Manifest((TensorSpec("w", ({DIM},)),))

    def fixed_update(self, manifest: Manifest, seed: int) -> np.ndarray:
        return np.random.default_rng().standard_normal(manifest.num_values, np.float32)


build = Chance
'''
PLAN = f"""\
[federation]
name = "killed"
[task]
name = "chance"
sha256 = "{sha256(TASK.encode()).hexdigest()}"
metric = "loss"
[selection]
minimum = {NODES - 1}
[rounds]
start_with = {NODES}
maximum = 1000000
[weights]
by = "equal"
[deadlines]
rejoin_s = {{rejoin_s}}
"""

BEFORE_IT_COUNTS = [
    "Offer say Accepting",  # selected
    "Offer do FetchModel",  # download
    "Offer do Train",
    "Offer Trained",
    "Offer say Ready",
    "Offer heard Roster",  # ready, and nothing shared
    "Offer say Shares",
    "Offer heard Mailbox",  # shared: its pair masks must be rebuilt
    "Offer do Prepare",  # while it masks
    "Offer Prepared",
    "Offer do Upload",
]
AFTER_IT_COUNTS = [
    "Offer UpdateAcknowledged",
    "Offer heard Survivors",  # its own mask must be rebuilt
    "Offer say Vote",  # written down, and not said
    "Offer heard Votes",  # voted
    "Offer say Reveal",  # written down, and not said
    "Offer heard Result",
]
WHILE_MEASURING = [
    "Evaluate do FetchModel",
    "Evaluate do Measure",
    "Evaluate say Ready",
    "Evaluate heard Mailbox",
    "Evaluate heard Survivors",
    "Evaluate heard Votes",
]
AND_BACK = ["Offer do Train", "Offer heard Roster", "Offer do Prepare", "Offer say Vote"]


@pytest.fixture
async def federation(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[LocalFederation]:
    """A coordinator and five nodes of a test build; the parameter is how long one may be away."""
    plan = PLAN.format(rejoin_s=request.param)
    task = tmp_path / "chance.py"
    task.write_text(TASK)
    (tmp_path / "run").mkdir(mode=0o700)
    programs = Programs(
        tmp_path,
        {"FEDTUI_HOME": str(tmp_path / "nodes"), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
        | environment(tmp_path / "told"),
    )
    own = ("--task-file", str(task))
    specs = tuple(NodeSpec(label=f"node-{n}", options=own) for n in range(1, NODES + 1))
    found = LocalFederation(programs, plan, specs, init_options=own)
    try:
        await found.start()
        yield found
    finally:
        await programs.stop()


class Story:
    """What the coordinator tells, as it happens."""

    def __init__(self, federation: LocalFederation, folder: Path) -> None:
        self.federation = federation
        self.folder = folder
        self.lines = federation.programs.lines(*federation.coordinator("follow"))

    async def until(self, event: str, label: str = "") -> None:
        async for line in self.lines:
            if f'"event":"{event}"' in line and (not label or f'"label":"{label}"' in line):
                return
        raise AssertionError(f"the coordinator ended before {event!r}")

    async def kill(self, point: str) -> tuple[int, int]:
        """Have the victim die at the next such point; the round and attempt of it."""
        wish = self.folder / "kill" / VICTIM
        wish.with_suffix(".new").write_text(point)
        wish.with_suffix(".new").rename(wish)
        process = self.federation.programs.started[VICTIM].process
        assert await process.wait() == -9
        number, attempt = wish.with_suffix(".killed").read_text().split()
        return int(number), int(attempt)

    async def until_over(self, number: int) -> Told:
        """Go on until the round is over, good or bad."""
        while True:
            seen = told(self.folder)
            if seen.rounds and seen.rounds[-1].round >= number:
                return seen
            await self.until("round finished")

    async def until_it_counts(self, victim: str) -> Told:
        """Go on until the victim takes part in a round from its beginning to its end again."""
        seen = told(self.folder)
        while True:
            seen = await self.until_over(seen.rounds[-1].round + 1)
            if victim in seen.rounds[-1].survivors:
                return seen

    async def revive(self) -> None:
        """Start the victim again, and wait until it takes part."""
        assert [p.name for p in await self.federation.programs.restart_dead()] == [VICTIM]
        await self.until("joined", VICTIM)


@pytest.mark.parametrize("federation", [0.5], indirect=True)
async def test_R2_a_node_killed_at_any_step_costs_at_most_its_own_update(
    federation: LocalFederation, tmp_path: Path
) -> None:
    story = Story(federation, tmp_path / "told")
    async with aclosing(story.lines):
        victim = await id_of(federation)
        for point in (*BEFORE_IT_COUNTS, *AFTER_IT_COUNTS, *WHILE_MEASURING):
            number, _ = await story.kill(point)
            seen = await story.until_over(number)
            ended = next(r for r in seen.rounds if r.round == number)
            others = ended.cohort - {victim}
            assert len(ended.cohort) == NODES, point
            assert ended.attempt == 1, f"{point}: {seen.failed}"
            assert ended.survivors == (others if point in BEFORE_IT_COUNTS else ended.cohort), (
                point
            )
            await story.revive()
            seen = await story.until_it_counts(victim)
            assert seen.num_measured[number] >= NODES - 1, point
        assert seen.failed == []
    check(story.folder, np.zeros(DIM, np.float32), weight_cap=1)


@pytest.mark.parametrize("federation", [30], indirect=True)
async def test_R2_a_node_that_comes_back_at_once_finds_its_secrets_gone_and_waits_for_nobody(
    federation: LocalFederation, tmp_path: Path
) -> None:
    story = Story(federation, tmp_path / "told")
    async with aclosing(story.lines):
        victim = await id_of(federation)
        for point in (
            "Offer do Train",
            "Offer heard Roster",
            "Offer do Prepare",
            "Offer say Vote",
        ):
            number, _ = await story.kill(point)
            await story.revive()
            seen = await story.until_over(number)
            ended = next(r for r in seen.rounds if r.round == number)
            assert ended.attempt == 1, f"{point}: {seen.failed}"
            trains_again = point == "Offer do Train"
            is_in = trains_again or point in AFTER_IT_COUNTS
            expected = ended.cohort if is_in else ended.cohort - {victim}
            assert ended.survivors == expected, point
            seen = await story.until_it_counts(victim)
        assert seen.failed == []
    check(story.folder, np.zeros(DIM, np.float32), weight_cap=1)


async def id_of(federation: LocalFederation) -> str:
    done = await federation.programs.run("fedtui", "--profile", VICTIM, "status", "--json")
    return str(json.loads(done)["node_id"])
