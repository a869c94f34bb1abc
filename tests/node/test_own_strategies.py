from pathlib import Path

import pytest

from fedtui import plugins
from node import own_strategies
from node.exits import Stop
from node.paths import Profile

MINE = "from fedtui.strategies.fedavg import FedAvg as build\n"


@pytest.fixture
def profile(home: Profile, monkeypatch: pytest.MonkeyPatch) -> Profile:
    monkeypatch.setenv(plugins.OWN_VARIABLE, "")  # so that it is put back
    home.create()
    return home


def test_a_strategy_is_kept_and_can_be_built(profile: Profile, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    assert own_strategies.add(profile, file) == plugins.file_hash(MINE.encode())
    assert plugins.build("strategies", "mine").server_learning_rate == 1.0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("mine.py", "x = 1\n", "has no `build`"),
        ("mine.py", "1 / 0\n", "line 1 failed: ZeroDivisionError"),
        ("fedavg.py", MINE, "call it otherwise"),
        ("mine.txt", MINE, "is no strategy"),
    ],
)
def test_what_is_no_strategy_is_refused_and_nothing_is_kept(
    profile: Profile, tmp_path: Path, name: str, text: str, said: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(Stop, match=said):
        own_strategies.add(profile, file)
    assert not list((profile.plugins).rglob("*.*"))
