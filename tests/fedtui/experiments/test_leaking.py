"""Drills as `fedtui-simulate leak` runs them: plans of both kinds, what fails, what is shown."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from fedtui.experiments import leaking
from fedtui.leakage.cohort import View
from fedtui.leakage.drill import Figure, Report
from fedtui.leakage.seized import Item
from fedtui.tomlfile import ConfigError

PLAN = '[federation]\nname = "f"\n[task]\nname = "digits"\n'


def figure(view: View, mean: float, attack: str = "search") -> Figure:
    return Figure(view=view, attack=attack, mean=mean, low=mean - 0.1, high=mean + 0.1)


def report(plain: float) -> Report:
    one, many = View(nodes=1), View(nodes=3, epsilon=8.0)
    return Report(
        task="digits",
        examples=1,
        members=8,
        repetitions=2,
        delta=1e-5,
        ssim=(figure(one, plain), figure(one, 0.1, "analytic"), figure(many, 0.2)),
        guess={1: 0.3, 3: 0.4},
        auroc=(figure(one, 0.97, "fit"), figure(one, 0.7, "loss"), figure(many, 0.55, "fit")),
    )


def shown(report_: Report | None = None, items: tuple[Item, ...] = ()) -> str:
    console = Console(file=io.StringIO(), width=200)
    if report_ is not None:
        leaking.show(report_, console)
    else:
        leaking.show_seized(items, console)
    text = console.file.getvalue()
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("more", ["", "[population]\nnodes = 4\n"])
def test_a_plan_of_a_coordinator_and_of_a_simulation_are_read_alike(
    more: str, tmp_path: Path
) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN + more)
    assert leaking.read_plan(path).task.name == "digits"


def test_a_wrong_plan_says_where(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN + "[trainig]\nepochs = 1\n")
    with pytest.raises(ConfigError, match=r"plan.toml, line 5.*trainig"):
        leaking.read_plan(path)


def test_an_attack_that_fails_on_the_plain_update_proves_nothing() -> None:
    assert leaking.proves_something(report(0.6))
    assert not leaking.proves_something(report(0.4))


def test_the_table_has_the_best_attack_of_each_view() -> None:
    text = shown(report(0.6))
    assert "0.60 (0.50 to 0.70), search" in text
    assert "0.97 (0.87 to 1.07), fit" in text
    assert "masked sum of 3, epsilon 8" in text
    assert "analytic" not in text


def test_what_a_disk_tells_is_in_words() -> None:
    text = shown(items=(Item(path="state/spool/[x]", num_bytes=9000, what="?", tells="update"),))
    assert "state/spool/[x]" in text
    assert "9,000" in text
    assert "a single node's update" in text
