import pytest

from fedtui.combining.looking import Look
from fedtui.rounds.figures import Figure, figures_of


def test_each_node_gets_its_own() -> None:
    looks = (Look(2.0, 0.5), Look(0.0, None))
    found = figures_of([b"a", b"b"], looks)
    assert found == (Figure(b"a", 2.0, 0.5), Figure(b"b", 0.0, None))
    with pytest.raises(ValueError, match="zip"):
        figures_of([b"a"], looks)
