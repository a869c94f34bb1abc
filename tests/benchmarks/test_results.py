"""The scripts behind docs/results.md, in their short forms, and how the page is put together."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.results import lines, section
from benchmarks.results.section import Section, Table

ROOT = Path(__file__).parents[2]


def short(name: str, folder: Path) -> str:
    """The section that the script writes."""
    command = [sys.executable, "-m", f"benchmarks.results.{name}", "--short", "--out", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (text,) = section.sections((folder / "results.md").read_text()).values()
    for picture in re.findall(r"\]\((results/\w+\.svg)\)", text):
        assert (folder / picture).read_text().rstrip().endswith("</svg>")
    return text


def rows(text: str) -> list[list[str]]:
    """The cells of all rows of all tables, without the lines that head them."""
    tables = re.findall(r"^\|(?: ---\s*\|)+\n((?:\|.*\n?)+)", text, re.MULTILINE)
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for table in tables
        for line in table.splitlines()
    ]


@pytest.mark.ray
def test_a_simulation_learns_what_a_plain_loop_learns_on_every_engine(tmp_path: Path) -> None:
    off, on, *engines = rows(short("agreement", tmp_path))
    assert float(off[3]) == 0.0, "visible rounds differ from the plain loop"
    assert float(on[3]) <= 0.0028, "masks cost more than one image of 360"
    assert [one[-1] for one in engines] == ["yes", "yes"]


@pytest.mark.loopback
def test_a_real_federation_makes_the_simulated_model(tmp_path: Path) -> None:
    found = rows(short("loopback", tmp_path))
    assert [(one[3], one[6], one[7]) for one in found] == [
        ("off", "yes", "yes"),
        ("on", "yes", "yes"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cost_of_nodes", "cost_of_values"])
def test_costs_come_with_lines_through_them(name: str, tmp_path: Path) -> None:
    *costs, off, on = rows(short(name, tmp_path))
    assert [one[0] for one in costs] == ["off"] * 3 + ["on"] * 2
    assert all(float(one[2]) > 0 for one in costs)
    assert (off[0], on[0]) == ("off", "on")


@pytest.mark.slow
def test_with_slow_nodes_the_target_takes_less_than_a_third_longer(tmp_path: Path) -> None:
    """Virtual time: it follows from the seed, on any machine."""
    uniform, helped = rows(short("stragglers", tmp_path))
    assert float(uniform[4].partition(" ")[0]) > 3
    assert float(helped[4].partition(" ")[0]) <= 1.3


@pytest.mark.slow
def test_strategies_are_held_against_fedavg(tmp_path: Path) -> None:
    fedavg, scaffold = rows(short("strategies", tmp_path))
    assert fedavg[1].partition(" ")[0] == fedavg[3] == fedavg[5]
    assert scaffold[3] != scaffold[5], "equal bytes are half the rounds of SCAFFOLD"


@pytest.mark.slow
def test_adaptive_servers_learn_from_sparse_gradients(tmp_path: Path) -> None:
    gains = {one[0]: one[2] for one in rows(short("claims", tmp_path))}
    for name in ("adam", "yogi", "adagrad"):
        assert float(gains[f"fedopt {name}"].partition(" ")[0]) > 0.1


@pytest.mark.slow
def test_a_tenth_of_the_bytes_still_learns(tmp_path: Path) -> None:
    found = {one[0]: one for one in rows(short("communication", tmp_path))}
    assert int(found["top_k 0.05"][2].rstrip("%")) < 10
    assert int(found["4 lanes, hadamard"][2].rstrip("%")) < 70
    learned = {way: float(one[4].partition(" ")[0]) for way, one in found.items()}
    assert learned["top_k 0.05"] > learned["float32"] - 0.15
    assert learned["4 lanes, hadamard"] == pytest.approx(learned["2 lanes"], abs=0.02)


def test_a_script_replaces_its_own_section_only(tmp_path: Path) -> None:
    for name in ("loopback", "agreement", "loopback"):
        Section(name=name, title=f"About {name}", parts=[Table(["a"], [["1"]])]).write(
            tmp_path, name
        )
    page = (tmp_path / "results.md").read_text()
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == ["About agreement", "About loopback"]
    assert section.joined(section.sections(page)) == page


def test_every_section_has_a_script() -> None:
    folder = ROOT / "benchmarks" / "results"
    assert [name for name in section.ORDER if not (folder / f"{name}.py").exists()] == []


@given(
    st.floats(0, 10),
    st.floats(1e-6, 10),
    st.lists(st.integers(1, 10**8), min_size=2, max_size=8, unique=True),
)
def test_a_line_through_points_on_a_line_is_that_line(
    fixed: float, each: float, sizes: list[int]
) -> None:
    found = lines.fit(sizes, [fixed + each * size for size in sizes])
    at = np.array([found.fixed + found.each * size for size in sizes])
    assert at == pytest.approx([fixed + each * size for size in sizes], rel=1e-3)


def test_a_power_is_found_with_its_certainty() -> None:
    found = lines.fit([1, 10, 100], [3, 300, 30_000])
    assert found.power == pytest.approx(2)
    assert found.r2 == pytest.approx(1)


@pytest.mark.slow
def test_a_bound_that_groups_enforce_is_tabulated(tmp_path: Path) -> None:
    ((rule, bad, honest, *attacked),) = rows(short("norm_bound", tmp_path))
    assert (rule, bad) == ("mean", "10%")
    assert len(attacked) == 2
    assert float(honest) > float(attacked[-1].partition(" ")[0]), (
        "nothing holds it without a bound"
    )


@pytest.mark.slow
def test_a_plain_update_gives_pictures_and_members_away_and_noise_does_not(tmp_path: Path) -> None:
    found = rows(short("leakage", tmp_path))
    pictures, members = found[:2], {(one[0], one[1]): one[2:] for one in found[2:]}
    for row in pictures:
        plain, noisy = (float(row[place].partition(" ")[0]) for place in (2, 9))
        assert plain > 0.5 > noisy, "SSIM"
        assert plain > max(float(guess) for guess in row[-1].split(" / "))
    for model in ("mlp", "cnn"):
        assert float(members[model, "plain update"][-1].partition(" ")[0]) > 0.9
        noisy = [float(one.partition(" ")[0]) for one in members[model, "plain update, epsilon 1"]]
        assert np.mean(noisy) == pytest.approx(0.5, abs=0.15)
