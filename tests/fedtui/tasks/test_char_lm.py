import pytest

from fedtui import plugins
from fedtui.learning.trainer import initial
from fedtui.plugins import PluginError
from fedtui.tasks.char_lm import ASCII, CharLM


def test_the_alphabet_is_what_can_be_printed() -> None:
    assert len(ASCII) == 96
    assert all(character.isprintable() or character == "\n" for character in ASCII)


def test_nodes_agree_on_the_model() -> None:
    manifest = initial(CharLM(), seed=1).manifest
    assert manifest.tensors[0].shape == (97, 32)
    assert manifest == initial(CharLM(), seed=2).manifest


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"alphabet": "aa"}, "each of them once"),
        ({"alphabet": 5}, "alphabet is a text"),
        ({"length": 0}, "length is 0"),
        ({"hidden": 1.5}, "hidden is 1.5"),
    ],
)
def test_options_are_checked(options: dict, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        plugins.build("tasks", "char_lm", **options)
