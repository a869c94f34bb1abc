import pytest

from fedtui import plugins
from fedtui.learning.trainer import initial
from fedtui.plugins import PluginError
from fedtui.tasks.word_lm import WordLM


def test_there_is_a_token_for_each_word_and_each_bucket() -> None:
    manifest = initial(WordLM(words=["the", "a"], buckets=7, embedding=3), seed=1).manifest
    assert manifest.tensors[0].shape == (10, 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"words": "the a"}, "words is a list of texts"),
        ({"words": ["The"]}, "'The' is none"),
        ({"buckets": "5"}, "buckets is '5'"),
        ({"buckets": 100_001}, "at most 100000"),
        ({"continue_by": 0}, "continue_by is 0"),
    ],
)
def test_options_are_checked(options: dict, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        plugins.build("tasks", "word_lm", **options)
