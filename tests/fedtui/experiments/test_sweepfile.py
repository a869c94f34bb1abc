import tomllib
from pathlib import Path

import pytest

from fedtui.experiments import sweepfile
from fedtui.tomlfile import ConfigError

PLAN = """
# the base
seed = 9
[federation]
name = "x"
[task]
name = "digits"
[population]
nodes = 10
"""


def written(folder: Path, sweep: str, plan: str = PLAN) -> Path:
    (folder / "plan.toml").write_text(plan)
    path = folder / "sweep.toml"
    path.write_text(sweep)
    return path


def problems(folder: Path, sweep: str, plan: str = PLAN) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        sweepfile.read(written(folder, sweep, plan))
    return str(caught.value).replace(f"{folder}/", "").splitlines()


def test_every_combination_and_seed_is_a_run_named_by_its_values(tmp_path: Path) -> None:
    text = (
        "seeds = [1, 2]\njobs = 3\nplain = true\ntask_file = 'own.py'\n[grid]\n"
        '"training.learning_rate" = [0.01, 0.1]\n'
        'population.split = ["iid", "dirichlet:0.3"]\n'
        '"strategy.options.server_learning_rate" = [0.5]\n'
    )
    sweep = sweepfile.read(written(tmp_path, text))
    assert (sweep.jobs, sweep.plain) == (3, True)
    assert sweep.options == ("--task-file", str(tmp_path / "own.py"))
    assert [cell.name for cell in sweep.cells][:3] == [
        "learning_rate=0.01,split=iid,server_learning_rate=0.5,seed=1",
        "learning_rate=0.01,split=iid,server_learning_rate=0.5,seed=2",
        "learning_rate=0.01,split=dirichlet-0.3,server_learning_rate=0.5,seed=1",
    ]
    assert len(sweep.cells) == 8
    plan = tomllib.loads(sweep.cells[-1].plan_text)
    assert plan == {
        "seed": 2,
        "federation": {"name": "x"},
        "task": {"name": "digits"},
        "training": {"learning_rate": 0.1},
        "strategy": {"name": "fedavg", "options": {"server_learning_rate": 0.5}},
        "population": {"nodes": 10, "split": "dirichlet:0.3"},
    }


def test_a_sweep_over_seeds_alone(tmp_path: Path) -> None:
    sweep = sweepfile.read(written(tmp_path, "seeds = [3, 1]"))
    assert [cell.name for cell in sweep.cells] == ["seed=3", "seed=1"]
    assert tomllib.loads(sweep.cells[0].plan_text)["seed"] == 3


def test_all_that_is_wrong_with_the_grid_is_said_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "seeds = [1, 1]\n"
        "[grid]\n"
        '"training.learning_rat" = [1]\n'
        '"training.learning_rate" = ["fast", 0.1, 0.1]\n'
        "seed = [1]\n"
        '"population.nodes" = 10\n'
        '"population.speed.spread" = [9]\n',
    )
    assert found == [
        "sweep.toml, line 1: seeds: 1 is there twice: write each once",
        "sweep.toml, line 3: [grid] training.learning_rat: a plan has no such key; did you mean "
        "'training.learning_rate'?",
        "sweep.toml, line 4: [grid] training.learning_rate: 'fast': Expected `float`, got `str`",
        "sweep.toml, line 4: [grid] training.learning_rate: 0.1 is there twice: write each value "
        "once",
        "sweep.toml, line 5: [grid] seed: seeds are given as 'seeds = [1, 2]', above [grid]",
        "sweep.toml, line 6: [grid] population.nodes: write a list of values, such as [0.01, 0.1]",
        "sweep.toml, line 7: [grid] population.speed.spread: 9: Expected `float` <= 3.0",
    ]


def test_values_that_fit_alone_but_not_together_are_said_with_their_values(tmp_path: Path) -> None:
    found = problems(
        tmp_path, '[grid]\n"population.nodes" = [2, 10]\n"strategy.name" = ["fedavg", "none"]\n'
    )
    assert len(found) == 2
    assert "[population] nodes = 2, but each round needs 3" in found[0]
    assert found[0].endswith("(with population.nodes = 2, strategy.name = 'fedavg')")
    assert "there is no strategy 'none'" in found[1]


def test_what_is_wrong_with_the_files_themselves(tmp_path: Path) -> None:
    assert "did you mean 'seeds'?" in problems(tmp_path, "seds = [1]")[0]
    assert "there is no such file" in problems(tmp_path, "plan = 'other.toml'")[0]
    wrong = PLAN.replace("# the base", "sed = 1")
    assert "plan.toml, line 2: sed: there is no such key" in problems(tmp_path, "", wrong)[0]
    without = PLAN.partition("[population]")[0]
    assert "there must be a key `population`" in problems(tmp_path, "", without)[0]


def test_there_is_a_most(tmp_path: Path) -> None:
    values = ", ".join(str(0.001 * n) for n in range(1, 201))
    text = f"seeds = {list(range(100))}\n[grid]\n'training.learning_rate' = [{values}]\n"
    assert problems(tmp_path, text) == ["sweep.toml: stands for 20000 runs, and 10000 is the most"]


def test_long_names_are_cut_and_stay_distinct(tmp_path: Path) -> None:
    words = [f"{'x' * 150}{n}" for n in range(3)]
    text = f'[grid]\n"task.options.which" = {words!r}\n'
    with pytest.raises(ConfigError):  # this task takes no such option
        sweepfile.read(written(tmp_path, text + '"task.name" = ["none"]\n'))
    names = [sweepfile._named({"task.options.which": word}, 1) for word in words]
    assert len(set(names)) == 3
    assert max(map(len, names)) <= sweepfile.MAX_NAME + 20
    taken: set[str] = set()
    assert [sweepfile._distinct(name, taken) for name in ("a", "A", "a")] == ["a", "A-2", "a-3"]
