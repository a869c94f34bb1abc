"""The written files say what is true: they parse, and what is commented out is the default."""

import re
from pathlib import Path

import msgspec
import pytest

from coordinator.config import CoordinatorConfig
from coordinator.templates import PlanChoices, ServerChoices, coordinator_toml, plan_toml
from fedtui import tomlfile
from fedtui.plugins import names
from fedtui.rounds.plan import (
    DeadlinesSection,
    DpSection,
    Plan,
    PrivacySection,
    TrafficSection,
    WeightsSection,
    check,
)

ANY = "0.0.0.0"  # noqa: S104  written, not bound to
SERVER = ServerChoices(host=ANY, port=8443, health_port=8444)


CHOSEN = ("value_range", "update_bytes")  # if the plan does not say
NONE = {
    "model_bits",
    "steps",
    "count",
    "patience",
    "seconds",
    "cap",
    "start_with",
    "options",
    "mix",
}
NONE |= {"colluders", "minimum"}  # their defaults follow from other choices


def uncommented(text: str) -> str:
    return re.sub(r"^# (\w+ = )", r"\1", text, flags=re.MULTILINE)


def config(text: str) -> CoordinatorConfig:
    return tomlfile.parse(text, CoordinatorConfig, path=Path("coordinator.toml"))


def plan(text: str) -> Plan:
    return tomlfile.parse(text, Plan, path=Path("plan.toml"))


def test_coordinator_toml_shows_the_defaults() -> None:
    text = coordinator_toml(SERVER)
    assert config(text) == CoordinatorConfig()
    assert config(uncommented(text)) == CoordinatorConfig()
    named = set(re.findall(r"^(?:# )?(\w+) = ", text, flags=re.MULTILINE))
    defaults = CoordinatorConfig()
    for section in defaults.__struct_fields__:
        missing = set(getattr(defaults, section).__struct_fields__) - named
        assert not missing, f"[{section}] of coordinator.toml does not show {missing}"


def test_choices_arrive_whatever_their_letters() -> None:
    choices = ServerChoices(
        host="::1", port=1, health_port=2, addresses=("lab.example:8443", "[fd00::1]")
    )
    found = config(coordinator_toml(choices))
    assert (found.server.host, found.server.port, found.health.port) == ("::1", 1, 2)
    assert found.invites.addresses == choices.addresses
    awkward = plan(plan_toml(PlanChoices(name='a "b" \\ ü')))
    assert awkward.federation.name == 'a "b" \\ ü'


def test_an_own_file_is_pinned_and_has_no_target_of_ours() -> None:
    found = plan(plan_toml(PlanChoices(task="digits", sha256="ab" * 32)))
    assert (found.task.sha256, found.rounds.target) == ("ab" * 32, None)
    assert plan(plan_toml(PlanChoices(metric="loss"))).rounds.target is None
    assert plan(plan_toml(PlanChoices())).rounds.target == 0.95


def test_lists_and_scalars_are_options() -> None:
    options = {"classes": ["cat", 'a "dog"'], "size": 16, "grey": True, "share": 0.5}
    found = plan(plan_toml(PlanChoices(task="image_folder", options=options)))
    assert found.task.options == options
    assert found.training.optimizer == "adam"


@pytest.mark.parametrize("task", names("tasks"))
def test_plan_toml_holds_together(task: str) -> None:
    text = plan_toml(PlanChoices(task=task))
    assert check(plan(text)) == []


def test_plan_toml_shows_defaults_where_it_comments() -> None:
    text = plan_toml(PlanChoices())
    shown = plan(text)
    for section, key in re.findall(r"^(?:# )?\[(\w+)\]|^# (\w+) = ", text, flags=re.MULTILINE):
        if section:
            current = section
        elif key not in NONE:
            value = getattr(getattr(shown, current) or DpSection(), key, None)
            line = re.search(rf"^# {key} = (\S+)", text, flags=re.MULTILINE)
            assert line is not None
            if key not in {
                "clip_norm",
                "update_clip",
                "tolerance",
                "holdout",
                "target",
                "group",
                "delta",
                "epsilon",
                "adversary",
                *CHOSEN,
            }:
                assert str(value).lower() == line.group(1).strip('"'), key
    assert shown.evaluation.held_out == 0.2


def test_plan_toml_shows_every_key_of_privacy_deadlines_and_traffic() -> None:
    named = set(re.findall(r"^(?:# )?(\w+) = ", plan_toml(PlanChoices()), flags=re.MULTILINE))
    for section in (PrivacySection, DeadlinesSection, TrafficSection):
        assert set(section.__struct_fields__) <= named


def test_plan_toml_shows_every_key_of_dp_and_it_holds_together() -> None:
    text = plan_toml(PlanChoices(with_evaluator=True))
    assert plan(text).dp is None
    (part,) = re.findall(r"^# \[dp\].*?(?=^$)", text, flags=re.MULTILINE | re.DOTALL)
    shown = plan(text + uncommented(part).replace("# [dp]", "[dp]")).dp
    assert shown is not None
    assert set(DpSection.__struct_fields__) <= set(re.findall(r"^# (\w+) = ", part, re.MULTILINE))
    assert (shown.mechanism, shown.noise) == (DpSection().mechanism, DpSection().noise)
    whole, equal = plan(text), WeightsSection(by="equal")
    training = msgspec.structs.replace(whole.training, update_clip=1.0)
    found = msgspec.structs.replace(whole, dp=shown, training=training, weights=equal)
    assert check(found) == []


def test_updates_are_masked_unless_visible_ones_are_chosen() -> None:
    assert not (visible := plan(plan_toml(PlanChoices(masked=False)))).masked
    assert visible.minimum == 2
    found = plan(plan_toml(PlanChoices()))
    assert (found.masked, found.minimum, check(found)) == (True, 3, [])


def test_plan_choices_arrive() -> None:
    found = plan(
        plan_toml(
            PlanChoices(
                name="lab",
                task="fashion_mnist",
                options={"model": "cnn", "width": 3, "deep": True},
                seed=9,
                minimum=3,
                start_with=4,
                rounds=7,
                target=0.8,
                with_evaluator=True,
            )
        )
    )
    assert found.task.options == {"model": "cnn", "width": 3, "deep": True}
    assert (found.seed, found.selection.minimum, found.rounds.start_with) == (9, 3, 4)
    assert (found.rounds.maximum, found.rounds.target) == (7, 0.8)
    assert found.evaluation.held_out == 0.0
