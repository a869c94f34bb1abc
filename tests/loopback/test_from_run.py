"""What a simulation gives, a real federation of the same plan gives, bit for bit.

`init --from-run` makes it, with nodes as programs of their own that hold the run's shards.
"""

from pathlib import Path

import pytest
from from_run import FromRun

from fedtui.demo.federation import NodeSpec
from fedtui.demo.programs import Programs
from fedtui.demo.watch import Watch
from fedtui.experiments import running
from fedtui.experiments.engines import EngineChoice
from fedtui.experiments.progress import Lines
from fedtui.experiments.running import Wishes
from fedtui.learning.params import Params

pytestmark = [pytest.mark.loopback, pytest.mark.timeout(300)]

NODES = 4
PLAN = """\
seed = 11
[federation]
name = "twice"
[task]
name = "digits"
[training]
epochs = 1
batch_size = 16
learning_rate = 0.1
momentum = 0.9
[rounds]
maximum = 3
start_with = 4
[selection]
minimum = 3
[privacy]
updates = "{updates}"
[population]
nodes = 4
split = "dirichlet:0.5"
"""


@pytest.mark.parametrize("updates", ["visible", "masked"])
async def test_a_real_federation_gives_the_simulated_model(scratch: Path, updates: str) -> None:
    (scratch / "plan.toml").write_text(PLAN.format(updates=updates))
    with (scratch / "said").open("w") as said:
        info = running.run(
            Wishes(plan=scratch / "plan.toml", out=scratch / "sim", engine=EngineChoice()),
            Lines(said),
        )
    assert (info.state, info.num_rounds) == ("finished", 3)
    (scratch / "run").mkdir(mode=0o700)
    programs = Programs(
        scratch,
        {"FEDTUI_HOME": str(scratch / "nodes"), "XDG_RUNTIME_DIR": str(scratch / "run")},
    )
    options = ("--visible",) if updates == "visible" else ()
    specs = tuple(
        NodeSpec(
            label=f"node-{place}",
            split="dirichlet:0.5",
            shard=f"{place}/{NODES}",
            split_seed=11,
            options=options,
        )
        for place in range(NODES)
    )
    federation = FromRun(programs, "", specs)
    federation.run = scratch / "sim"
    try:
        await federation.start()
        watch = Watch()
        async for told in federation.follow():
            watch.take(told)
            if watch.ended:
                break
        out = scratch / "model"
        await programs.run(
            *federation.coordinator(
                "export", "--out", str(out), "--round", str(info.num_rounds), "--no-torch"
            )
        )
    finally:
        await programs.stop()
    (exported,) = out.glob("*.safetensors")
    simulated = Params.from_safetensors((scratch / "sim" / "model.safetensors").read_bytes())
    real = Params.from_safetensors(exported.read_bytes(), simulated.manifest)
    assert real.vector_D.tobytes() == simulated.vector_D.tobytes()
