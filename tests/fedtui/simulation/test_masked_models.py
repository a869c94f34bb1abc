"""What comes out of a masked federation: by seed, and next to what a visible one gives."""

import msgspec
import numpy as np
import pytest
from masked_worlds import finish, masked_plan, model

from fedtui.rounds import masking
from fedtui.rounds.plan import PrivacySection, WeightsSection
from fedtui.secagg.encoding import PAYLOAD_WORDS
from fedtui.simulation.network import Weather
from fedtui.simulation.world import World


def run(
    seed: int,
    *,
    num_values: int = 4,
    maximum: int = 3,
    weather: Weather | None = None,
    **sections: object,
) -> World:
    plan = masked_plan(maximum=maximum, start_with=5, **sections)
    plan = msgspec.structs.replace(
        plan, selection=msgspec.structs.replace(plan.selection, minimum=5)
    )
    world = World(seed=seed, num_nodes=5, plan=plan, weather=weather, num_values=num_values)
    world.traced = True
    return finish(world)


@pytest.mark.parametrize("seed", range(2))
def test_the_same_seed_gives_the_same_run_and_the_same_model(seed: int) -> None:
    weather = Weather(duplicates=0.2, disorder_s=0.05)
    one, two = run(seed, weather=weather), run(seed, weather=weather)
    assert one.trace.digest() == two.trace.digest()
    assert model(one) == model(two)
    assert one.coordinator.machine.rounds == two.coordinator.machine.rounds


@pytest.mark.parametrize("seed", range(2))
def test_other_weather_other_order_same_model(seed: int) -> None:
    calm, rough = run(seed), run(seed, weather=Weather(latency_s=(0.01, 0.5)))
    assert calm.trace.digest() != rough.trace.digest()
    assert model(calm) == model(rough)


@pytest.mark.parametrize("weights", [WeightsSection(), WeightsSection(by="equal")])
@pytest.mark.parametrize("lanes", [2, 3])
def test_the_model_is_the_visible_one_within_a_step_of_each_node(weights, lanes: int) -> None:
    privacy = PrivacySection(updates="masked", lanes=lanes, largest_cohort=8)
    weights = msgspec.structs.replace(weights, cap=500)
    masked = run(1, num_values=50, privacy=privacy, weights=weights)
    visible = run(1, num_values=50, privacy=PrivacySection(), weights=weights)
    step = 1 / masking.encoding(masked.plan, 50, "update").scale
    for one, two in zip(
        masked.coordinator.machine.rounds[1:], visible.coordinator.machine.rounds[1:], strict=True
    ):
        assert one.survivors == two.survivors
        assert one.sums == two.sums
        assert one.score_sums == two.score_sums
    first, second = (np.frombuffer(model(world), "<f4") for world in (masked, visible))
    capped = 1 if weights.by == "equal" else 500
    total = sum(
        masking.weight_of(masked.plan, node.num_examples, {}) for node in masked.nodes.values()
    )
    limit = 3 * (5 * step * capped / total + 2e-7)  # three rounds; each node rounds once in each
    assert 0 < np.max(np.abs(first - second)) <= limit


def test_a_model_of_several_chunks_is_the_sum_of_its_survivors() -> None:
    world = run(2, num_values=3 * PAYLOAD_WORDS, maximum=1)  # I2 looks at every value
    assert masking.encoding(world.plan, world.num_values, "update").num_chunks == 2
    assert world.rounds_done == 1
