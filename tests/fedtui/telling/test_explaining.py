"""What a plan is said to guarantee: the right numbers in the right sentences."""

import math
from collections.abc import Sequence

import dp_accounting
import msgspec
import numpy as np
import pytest

from fedtui.learning.training import TrainingSpec
from fedtui.privacy.noise import noised
from fedtui.privacy.spending import Release, together
from fedtui.rounds import hiding, masking, promised
from fedtui.rounds.plan import (
    DpSection,
    EvaluationSection,
    FederationSection,
    Plan,
    PrivacySection,
    RoundsSection,
    SelectionSection,
    TaskSection,
    WeightsSection,
    check,
)
from fedtui.telling import bounds
from fedtui.telling.explaining import explain, length_of_noise

VISIBLE = PrivacySection(updates="visible")


def plan_of(mechanism: str = "distributed", **sections: object) -> Plan:
    usual = {
        "dp": DpSection(mechanism=mechanism, noise=4.0, delta=1e-3),
        "training": TrainingSpec(update_clip=0.5),
        "weights": WeightsSection(by="equal"),
        "evaluation": EvaluationSection(with_evaluator=True),
        "privacy": PrivacySection(colluders=2, minimum=6),
        "rounds": RoundsSection(maximum=50),
        "selection": SelectionSection(count=10, minimum=6),
    }
    plan = Plan(
        federation=FederationSection(name="f"), task=TaskSection(name="digits"), **usual | sections
    )
    assert check(plan) == []
    return plan


def ask(nodes: Sequence[Sequence[Release]], delta: float) -> list[float]:
    return [dp_accounting.get_epsilon_gaussian(together(one), delta) for one in nodes]


def never(nodes: Sequence[Sequence[Release]], delta: float) -> list[float]:
    raise AssertionError("nothing to ask")


@pytest.mark.parametrize("mechanism", ["distributed", "central", "local"])
def test_the_epsilons_are_those_of_what_is_guaranteed(mechanism: str) -> None:
    plan = plan_of(mechanism)
    found = explain(plan, ask)
    one = promised.guaranteed(plan)
    assert found.epsilon_round == ask([[Release(one)]], 1e-3)[0]
    assert found.epsilon_total == ask([[Release(one, 50)]], 1e-3)[0]
    text = found.text()
    assert f"epsilon {found.epsilon_round:.4g} in each round" in text
    assert f"epsilon {found.epsilon_total:.4g} in all 50 rounds" in text
    assert f"{mechanism}: " in text


def test_every_colluder_costs_and_one_too_many_leaves_a_nodes_own_noise() -> None:
    plan = plan_of()
    rows = explain(plan, ask).league
    assert [row.colluders for row in rows] == [0, 1, 2, 3]
    assert [row.holds == "sums only" for row in rows] == [True, True, True, False]
    spent = [row.epsilon_total for row in rows]
    assert spent == sorted(spent)
    assert rows[2].epsilon_total == explain(plan, ask).epsilon_total
    own = hiding.at_node(plan, hiding.honest_of(6, 2)).sigma / 0.5
    assert spent[3] == pytest.approx(ask([[Release(own, 50)]], 1e-3)[0], rel=0.02)
    many = plan_of(
        privacy=PrivacySection(colluders=30, minimum=60),
        selection=SelectionSection(count=100, minimum=60),
    )
    assert [row.colluders for row in explain(many, ask).league] == [0, 1, 2, 3, 4, 15, 30, 31]
    assert explain(plan_of("central"), ask).league == explain(plan_of("local"), ask).league == ()


def test_who_is_trusted_is_said() -> None:
    assert "no coordinator is trusted" in explain(plan_of(), ask).text()
    assert "is trusted with exact sums" in explain(plan_of("central"), ask).text()
    seen = plan_of("central", privacy=VISIBLE)
    assert "is trusted with every update" in explain(seen, ask).text()
    alone = explain(plan_of("local", privacy=VISIBLE), ask).text()
    assert "each update, with its node's own noise" in alone
    assert "needs nobody's honesty but the node's own" in alone


def test_without_dp_masks_are_explained_and_nothing_is_asked() -> None:
    plan = plan_of(dp=None, evaluation=EvaluationSection(), weights=WeightsSection())
    found = explain(plan, never)
    assert (found.noise, found.delta, found.epsilon_total) == (None, None, None)
    assert found.league == found.warnings == ()
    text = found.text()
    assert "learn sums only" in text
    assert "the plan has no [dp]" in text
    assert "their sums over all nodes" in text
    assert "have together" in text
    open_plan = plan_of(dp=None, privacy=VISIBLE, weights=WeightsSection())
    text = explain(open_plan, never).text()
    assert "the coordinator reads each update as it is" in text
    assert "how many examples each node has" in text


def test_groups_shrink_the_crowd_and_it_is_said() -> None:
    plan = plan_of(privacy=PrivacySection(group=4), selection=SelectionSection(count=12))
    text = explain(plan, ask).text()
    assert "hides among the 4 or more of its group" in text
    assert "each group has" in text
    assert "What bounds an update" not in text  # nobody knows the size of the model


def test_what_a_bound_is_worth_is_said_of_a_model_of_known_size() -> None:
    plan = plan_of(privacy=PrivacySection(group=4), selection=SelectionSection(count=12))
    (part,) = [p for p in explain(plan, ask, num_values=9000).parts if "bounds" in p.title]
    assert part.sentences == (bounds.of_updates(plan, 9000),)


def test_ten_nodes_at_epsilon_eight_are_warned_about() -> None:
    noise = dp_accounting.get_sigma_gaussian(8.0, 1e-3) * math.sqrt(50) * 1.01
    plan = plan_of(dp=DpSection(noise=noise, delta=1e-3))
    (warning,) = explain(plan, ask, num_values=5_000).warnings
    assert warning.startswith("the model will learn next to nothing: with 10 nodes")
    needed = int(warning.partition("About ")[2].split()[0].replace(",", ""))
    assert 100 < needed < 10_000
    crowd = plan_of(
        dp=plan.dp,
        selection=SelectionSection(count=needed * 2, minimum=6),
        privacy=PrivacySection(largest_cohort=needed * 2),
    )
    assert explain(crowd, ask, num_values=5_000).warnings == ()


def test_weak_promises_and_unknown_models_are_warned_about() -> None:
    (weak, unknown) = explain(plan_of(dp=DpSection(noise=0.5, delta=1e-3)), ask).warnings
    assert "weak promise" in weak
    assert "the model is not known" in unknown
    hardly = plan_of(dp=DpSection(noise=1e-4, delta=1e-3))
    found = explain(hardly, lambda nodes, _: [math.inf] * len(nodes))
    assert found.epsilon_total is None
    assert "epsilon without bound" in found.text()
    assert msgspec.json.decode(msgspec.json.encode(found))["epsilon_total"] is None


def test_more_nodes_than_delta_allows_are_warned_about() -> None:
    plan = plan_of(dp=DpSection(noise=40.0, delta=0.05))
    assert not any("delta" in said for said in explain(plan, ask, members=20).warnings)
    assert any("above 1/21" in said for said in explain(plan, ask, members=21).warnings)


def test_beyond_the_full_graph_a_lying_coordinator_is_spoken_of() -> None:
    large = plan_of(
        selection=SelectionSection(count=200, minimum=150),
        privacy=PrivacySection(colluders=20, minimum=150, largest_cohort=200),
    )
    assert "tells each node something else" in explain(large, ask).text()
    assert "tells each node something else" not in explain(plan_of(), ask).text()


@pytest.mark.parametrize("mechanism", ["distributed", "local"])
def test_the_length_of_the_noise_is_what_nodes_really_add(mechanism: str) -> None:
    """All ten nodes hide an update of zeros; what is in their mean is the noise."""
    plan, size = plan_of(mechanism), 20_000
    numbers = masking.numbers(plan, 10)
    one = hiding.at_node(plan, hiding.honest_of(numbers.minimum, numbers.colluders))
    zeros = np.zeros(size, np.float32)
    mean_D = sum(noised(zeros, one, bytes([n]) * 32).astype(np.float64) for n in range(10)) / 10
    told = length_of_noise(plan, 10, size)
    assert float(np.linalg.norm(mean_D)) / 0.5 == pytest.approx(told, rel=0.03)
    assert length_of_noise(plan_of("central"), 10, size) == pytest.approx(
        4.0 * math.sqrt(size) / 10
    )
    assert length_of_noise(plan_of(dp=None), 10, size) == 0
