"""What operators declare: bounded on the wire, safe to show."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.wire.declared import MAX_DECLARED, Declared, is_name, readable
from fedtui.wire.labels import MAX_CELLS, safe_label


@pytest.mark.parametrize(
    "hostile",
    [
        {"": "x"},
        {"Site": "x"},
        {"site\n": "x"},
        {"s" * 33: "x"},
        {"site": ""},
        {"site": "x" * (MAX_CELLS + 1)},
        {"site": 3},
        {f"a{n}": "x" for n in range(MAX_DECLARED + 1)},
    ],
)
def test_what_is_too_long_too_much_or_no_name_is_no_declaration(hostile) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode(hostile), type=Declared)


def test_the_most_that_may_be_declared_is_taken() -> None:
    most = {f"a{n}": "x" * MAX_CELLS for n in range(MAX_DECLARED)}
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(most), type=Declared) == most


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.text(max_size=48)))
def test_values_are_shown_as_labels_are_and_in_order(declared) -> None:
    shown = readable(declared)
    assert [name for name, _ in shown] == sorted(n for n in declared if safe_label(declared[n]))
    assert all(value == safe_label(declared[name]) for name, value in shown)


@pytest.mark.parametrize(("text", "good"), [("site", True), ("a_1", True), ("1a", False)])
def test_names(text: str, good: bool) -> None:
    assert is_name(text) is good
    assert not is_name(text + "\n")


def test_what_is_no_text_is_no_name() -> None:
    assert is_name("site_2")
    for odd in (5, None, ["site"], True, "", "Site", "site\n"):
        assert not is_name(odd)
