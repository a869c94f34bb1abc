import datetime as dt
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.experiments.tomltext import emit

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | texts
    | st.dates()
    | st.times()
    | st.datetimes()
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_there_and_back(document: dict[str, object]) -> None:
    assert tomllib.loads(emit(document)) == document


def test_a_plan_reads_as_people_write_one() -> None:
    document = {
        "seed": 1,
        "training": {"learning_rate": 1e-05},
        "population": {"nodes": 10, "malice": [{"attack": "a"}, {"attack": "b"}], "speed": {}},
    }
    assert emit(document).splitlines() == [
        "seed = 1",
        "",
        "[training]",
        "learning_rate = 1e-05",
        "",
        "[population]",
        "nodes = 10",
        "",
        "[[population.malice]]",
        'attack = "a"',
        "",
        "[[population.malice]]",
        'attack = "b"',
        "",
        "[population.speed]",
    ]


def test_special_numbers_and_what_toml_cannot_say() -> None:
    found = tomllib.loads(emit({"a": float("inf"), "b": float("nan"), "c": dt.date(2026, 1, 2)}))
    assert str(found) == "{'a': inf, 'b': nan, 'c': datetime.date(2026, 1, 2)}"
    with pytest.raises(TypeError, match="TOML has no NoneType"):
        emit({"a": [None]})
