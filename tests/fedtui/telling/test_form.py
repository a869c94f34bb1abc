"""The consent form says all that leaves, for every kind of plan and role, and no more."""

import msgspec
import pytest
from a_plan import MANIFEST
from a_plan import PLAN as VISIBLE_PLAN
from hypothesis import given
from hypothesis import strategies as st
from masked_cohort import PLAN as MASKED_PLAN

from fedtui.learning.metrics import sums_for
from fedtui.rounds import claims
from fedtui.rounds.beside import TRAINING_SCALARS
from fedtui.rounds.plan import MASKED, VISIBLE, EvaluationSection, Named, plan_hash
from fedtui.telling import form
from fedtui.telling.agreement import Agreement

ROLES = ("participant", "evaluator", "observer")


def agree(plan) -> Agreement:
    return Agreement(plan, MANIFEST, plan_hash(plan, MANIFEST))


def items(plan, role="participant") -> str:
    return " | ".join(one.item for one in form.leaves(agree(plan), role))


@pytest.mark.parametrize("plan", [VISIBLE_PLAN, MASKED_PLAN], ids=["visible", "masked"])
@pytest.mark.parametrize("role", ROLES)
def test_every_row_says_item_form_reader_and_when(plan, role: str) -> None:
    for one in form.leaves(agree(plan), role):
        assert one.item
        assert one.form
        assert one.reader
        assert one.when
        assert one.source in {"here", "coord", "node"}
    said = items(plan, role)
    for word in ("name", "public keys", "invite", "IP address", "software version"):
        assert word in said, "these leave every node that connects"


@pytest.mark.parametrize("plan", [VISIBLE_PLAN, MASKED_PLAN], ids=["visible", "masked"])
def test_what_a_participant_sends_is_named_by_the_names_that_travel(plan) -> None:
    said = items(plan)
    assert f"update of the model ({agree(plan).upload_bytes / 1e6:.2f} MB)" in said
    for scalar in set(TRAINING_SCALARS) - {"weight"}:
        assert scalar in said
    assert "number of your examples" in said
    assert ", ".join(sums_for(plan.task.metric)) in said
    assert "how far training is" in said


def test_under_masks_nobody_reads_work_and_the_conversation_is_named() -> None:
    found = form.leaves(agree(MASKED_PLAN), "participant")
    work = [one for one in found if "update of" in one.item or "sums over" in one.item]
    assert len(work) == 3
    for one in work:
        assert one.form.startswith(MASKED)
        assert one.reader == (
            "nobody: the coordinator reads the sum of at least 3 nodes, as long as at most 1 of "
            "them colludes with it"
        )
    assert any("votes" in one.item and "shares" in one.item for one in found)
    keys = next(one for one in found if "public keys of this node" in one.item)
    assert "also the nodes of your rounds" in keys.reader
    assert claims.of_plan(MASKED_PLAN) in form.worst(MASKED_PLAN, "participant")


def test_a_visible_plan_is_called_so_and_shows_keys_to_no_node() -> None:
    found = form.leaves(agree(VISIBLE_PLAN), "participant")
    work = [one for one in found if "update of" in one.item or "sums over" in one.item]
    assert [one.form for one in work] == [VISIBLE] * 3
    assert not any("votes" in one.item or "nodes" in one.reader for one in found)
    assert "examines your updates one by one" in form.worst(VISIBLE_PLAN, "participant")


@pytest.mark.parametrize("plan", [VISIBLE_PLAN, MASKED_PLAN], ids=["visible", "masked"])
def test_no_update_leaves_an_evaluator_and_no_work_an_observer(plan) -> None:
    evaluator = form.leaves(agree(plan), "evaluator")
    assert evaluator[0].form == VISIBLE, "masks hide it among nobody"
    assert "test examples" in evaluator[0].item
    assert not any("update" in one.item for one in evaluator)
    observer = items(plan, "observer")
    assert "sums" not in observer
    assert "update" not in observer
    assert "nothing of your data" in form.worst(plan, "observer")


def test_nothing_held_out_is_measured_where_an_evaluator_does_it_or_nothing_is() -> None:
    for evaluation in (EvaluationSection(with_evaluator=True), EvaluationSection(holdout=0.0)):
        plan = msgspec.structs.replace(MASKED_PLAN, evaluation=evaluation)
        assert "hold out" not in items(plan)
    assert "hold out" in items(MASKED_PLAN)


@given(st.sampled_from(ROLES), st.booleans(), st.integers(0, 8), st.sampled_from("ifrw"))
def test_any_changed_word_is_another_form(role: str, masked: bool, row: int, part: str) -> None:
    plan = MASKED_PLAN if masked else VISIBLE_PLAN
    found, worst = form.leaves(agree(plan), role), form.worst(plan, role)
    before = form.form_hash(found, form.STAYS, worst)
    assert before == form.form_hash(form.leaves(agree(plan), role), form.STAYS, worst)
    row %= len(found)
    field = {"i": "item", "f": "form", "r": "reader", "w": "when"}[part]
    other = msgspec.structs.replace(found[row], **{field: getattr(found[row], field) + "!"})
    changed = (*found[:row], other, *found[row + 1 :])
    assert form.form_hash(changed, form.STAYS, worst) != before
    assert form.form_hash(found, form.STAYS + "!", worst) != before
    assert form.form_hash(found, form.STAYS, worst + "!") != before
    said = form.changed(found, changed)
    assert said
    assert all("was" in one and "is" in one for one in said)
    assert form.changed(found, found) == ()


def test_the_form_names_no_label_and_no_path() -> None:
    said = repr(form.leaves(agree(MASKED_PLAN), "participant")) + form.STAYS
    assert "/" not in said


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("strategy", "said"),
    [("fednova", "tau of the strategy"), ("scaffold", "its strategy sends along: control")],
)
def test_what_more_leaves_for_a_strategy_is_in_the_form(
    strategy: str, said: str, masked: bool
) -> None:
    named = Named(name=strategy)
    plan = msgspec.structs.replace(MASKED_PLAN if masked else VISIBLE_PLAN, strategy=named)
    assert items(plan).count(said) == 1


@pytest.mark.parametrize("plan", [VISIBLE_PLAN, MASKED_PLAN], ids=["visible", "masked"])
def test_of_which_tensors_nothing_leaves_is_in_the_form(plan) -> None:
    named = Named(name="fedper", options={"stays": ["bias"]})
    said = items(msgspec.structs.replace(plan, strategy=named))
    assert "zeros for what stays here: bias (" in said
