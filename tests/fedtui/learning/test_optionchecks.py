import pytest

from fedtui.learning.optionchecks import is_texts, is_whole_numbers


@pytest.mark.parametrize("found", [None, "ab", 5, {"a": "b"}, ["a", 1], [None]])
def test_only_lists_of_texts_are_texts(found: object) -> None:
    assert not is_texts(found)
    assert is_texts(["a", ""])
    assert is_texts([])


@pytest.mark.parametrize("found", [None, "1", 5, [1.0], [True], ["1"]])
def test_only_lists_of_whole_numbers_are_whole_numbers(found: object) -> None:
    assert not is_whole_numbers(found)
    assert is_whole_numbers([1, -5])
