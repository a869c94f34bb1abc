"""The agreement: changes are named, the summary says all that leaves."""

import msgspec
from fake_federation import MANIFEST, PLAN
from masked_cohort import PLAN as MASKED_PLAN

from fedtui.learning.params import Manifest, TensorSpec
from fedtui.learning.training import TrainingSpec
from fedtui.rounds import claims, masking, promised
from fedtui.rounds.plan import AggregatorSection, DpSection, Named, SelectionSection, plan_hash
from fedtui.telling import agreement

HASH = plan_hash(PLAN, MANIFEST)
AGREEMENT = agreement.Agreement(PLAN, MANIFEST, HASH)
MASKED_AGREEMENT = agreement.Agreement(MASKED_PLAN, MANIFEST, plan_hash(MASKED_PLAN, MANIFEST))


def test_every_changed_value_is_named() -> None:
    changed = msgspec.structs.replace(PLAN, seed=9, training=TrainingSpec(epochs=3))
    larger = Manifest((TensorSpec("weight", (65, 4)),))
    old = agreement.Agreement(PLAN, MANIFEST, HASH)
    said = agreement.differences(old, agreement.Agreement(changed, larger, HASH))
    assert "seed: was 1, is 9" in said
    assert "[training] epochs: was 1, is 3" in said
    assert any(
        "the model: was 260 numbers" in one and "is 260 numbers in 1" in one for one in said
    )
    assert agreement.differences(old, old) == ()


def test_the_summary_says_what_is_asked_for() -> None:
    found = agreement.summary(AGREEMENT, needs="digits", differs=("a: was 1, is 2",))
    assert found.plan_hash == HASH.hex()
    assert found.num_model_bytes == MANIFEST.num_bytes
    assert (found.needs, found.differs) == ("digits", ("a: was 1, is 2",))
    assert len(bytes.fromhex(found.form_hash)) == 32
    assert found.privacy == "updates are visible to the coordinator"
    masked = agreement.summary(MASKED_AGREEMENT)
    assert masked.privacy == claims.of_plan(MASKED_PLAN)
    assert masked.form_hash != found.form_hash
    hidden = msgspec.structs.replace(MASKED_PLAN, dp=DpSection(delta=0.01, epsilon=3.0))
    told = agreement.summary(agreement.Agreement(hidden, MANIFEST, HASH)).privacy
    assert told == masked.privacy + promised.sentence(hidden)
    assert "bounds epsilon by 3" in told


def test_an_upload_has_the_size_of_what_leaves() -> None:
    layout = masking.encoding(MASKED_PLAN, MANIFEST.num_values, "update")
    assert MASKED_AGREEMENT.upload_bytes == layout.num_bytes
    assert AGREEMENT.upload_bytes == MANIFEST.num_bytes


def test_the_summary_says_which_files_of_the_operators_the_plan_takes() -> None:
    own = msgspec.structs.replace(
        PLAN,
        strategy=Named(name="fedavg", sha256="ab" * 32),
        selection=SelectionSection(name="first", sha256="cd" * 32),
    )
    said = agreement.summary(agreement.Agreement(own, MANIFEST, HASH)).strategy
    assert said == (
        f"fedavg, a file of its operator's, SHA-256 {'ab' * 32}; nodes picked by first, a file of "
        f"its operator's, SHA-256 {'cd' * 32}"
    )


def test_the_summary_says_the_options_of_the_strategy() -> None:
    plan = msgspec.structs.replace(PLAN, strategy=Named(name="fedprox", options={"mu": 0.5}))
    found = agreement.summary(agreement.Agreement(plan, MANIFEST, HASH))
    assert found.strategy == "fedprox (mu = 0.5)"


def test_the_summary_says_how_updates_are_combined_if_not_by_their_mean() -> None:
    said = []
    for rule in (
        AggregatorSection(),
        AggregatorSection(name="krum", options={"bad": 1}, mix=2),
        AggregatorSection(name="mine", sha256="0" * 64),
    ):
        plan = msgspec.structs.replace(PLAN, aggregator=rule)
        said.append(agreement.summary(agreement.Agreement(plan, MANIFEST, HASH)).strategy)
    assert said == [
        "fedavg",
        "fedavg; updates combined by krum (bad = 1, mix = 2)",
        f"fedavg; updates combined by mine, a file of its operator's, SHA-256 {'0' * 64}",
    ]
