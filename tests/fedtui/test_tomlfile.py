import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.config import CoordinatorConfig
from fedtui import tomlfile
from fedtui.experiments.tomltext import emit
from fedtui.tomlfile import ConfigError, line_of

GOOD = """# a comment
[server]
host = "127.0.0.1"   # loopback
port = 9000

[invites]
addresses = [
  "lab:8443",
]
[log]
level = "debug"
"""


def parse(text: str) -> CoordinatorConfig:
    return tomlfile.parse(text, CoordinatorConfig, path=Path("c.toml"))


def test_a_good_file_is_read() -> None:
    config = parse(GOOD)
    assert (config.server.port, config.invites.addresses) == (9000, ("lab:8443",))
    assert config.storage.keep_checkpoints == 5


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "port = 9000",
            "prot = 9000",
            "c.toml, line 4: [server] prot: there is no such key; did you mean 'port'?",
        ),
        ("port = 9000", 'port = "x"', "c.toml, line 4: [server] port: Expected `int`, got `str`"),
        ("port = 9000", "port = 70000", "c.toml, line 4: [server] port: Expected `int` <= 65535"),
        ('"lab:8443"', "8443", "c.toml, line 7: [invites] addresses: Expected `str`, got `int`"),
        ('"lab:8443"', '"a b"', "c.toml, line 6: invites: 'a b' is not an address"),
        ("[log]", "[lgo]", "c.toml, line 10: lgo: there is no such key; did you mean 'log'?"),
        (
            'level = "debug"',
            'level = "loud"',
            "c.toml, line 11: [log] level: Invalid enum value 'loud'; there are: debug, info,",
        ),
        ("port = 9000", "port = = 9000", "c.toml: this is not TOML: Invalid value (at line 4"),
        ("port = 9000", "wrong_altogether = 1", "there are: host, port"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_key(old: str, new: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(GOOD.replace(old, new))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file; 'fedtui-coordinator init'"):
        tomlfile.read(tmp_path / "none.toml", CoordinatorConfig)
    path = tmp_path / "bad.toml"
    path.write_bytes(b"# fine\n# \xff\n")
    with pytest.raises(ConfigError, match="line 2: is not UTF-8"):
        tomlfile.read(path, CoordinatorConfig)
    path.write_bytes(b"#" * (tomlfile.MAX_BYTES + 1))
    with pytest.raises(ConfigError, match="larger than"):
        tomlfile.read(path, CoordinatorConfig)
    with pytest.raises(ConfigError, match="cannot be read"):
        tomlfile.read(tmp_path, CoordinatorConfig)


def test_the_innermost_line_is_found() -> None:
    text = "top = 1\n[a]\nx = 1\n[a.b]\nx = 2\n[ c . d ]\ny = 3\n"
    assert line_of(text, ["top"]) == 1
    assert line_of(text, ["a", "x"]) == 3
    assert line_of(text, ["a", "b", "x"]) == 5
    assert line_of(text, ["a", "b", "z"]) == 4
    assert line_of(text, ["c", "d", "y"]) == 7
    assert line_of(text, ["nowhere"]) is None


class Person(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    age: Annotated[int, msgspec.Meta(le=150)] = 0
    home: dict[str, int] = {}


class People(msgspec.Struct, forbid_unknown_fields=True):
    people: Annotated[tuple[Person, ...], msgspec.Meta(max_length=3)] = ()


class Town(msgspec.Struct, forbid_unknown_fields=True):
    town: People


ARRAY = """[town]
[[town.people]]
name = "Ada"
age = 36
[town.people.home]
door = 1
[[town.people]]
name = "Bo"
age = 40
[town.people.home]
door = 2
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("age = 40", "age = 151", ["line 9: [town.people] age: Expected `int` <= 150"]),
        ("age = 36", "agge = 1", ["line 4: [town.people] agge: there is no such key; did you"]),
        ("age = 40", "agge = 1", ["line 9: [town.people] agge: there is no such key; did you"]),
        ('name = "Bo"\n', "", ["line 7: [town] people: there must be a key `name`"]),
        ("door = 2", 'door = "x"', ["line 10: [town.people] home: Expected `int`"]),
        ("age = ", "age = 9", ["line 4: [town.people] age", "line 9: [town.people] age"]),
    ],
)
def test_tables_of_an_array_are_told_apart(old: str, new: str, said: list[str]) -> None:
    text = ARRAY.replace(old, new)
    assert len(tomlfile.parse(ARRAY, Town, path=Path("t.toml")).town.people) == 2
    with pytest.raises(ConfigError) as caught:
        tomlfile.parse(text, Town, path=Path("t.toml"))
    lines = str(caught.value).splitlines()
    for line, expected in zip(lines, said, strict=True):
        assert expected in line


def test_an_array_with_too_many_tables_is_refused() -> None:
    text = "[town]\n" + "[[town.people]]\nname = 'x'\n" * 4
    with pytest.raises(ConfigError, match=r"line 2: \[town\] people: .* length <= 3"):
        tomlfile.parse(text, Town, path=Path("t.toml"))
    with pytest.raises(ConfigError, match=r"line 2: \[town\] people: Expected `array`"):
        tomlfile.parse("[town]\npeople = 3", Town, path=Path("t.toml"))


NAMES = st.sampled_from(["population", "rounds", "populations", "task"])
VALUES = st.integers(0, 9) | st.text("abc[]", max_size=4) | st.lists(st.integers(0, 9), max_size=2)
TABLES = st.dictionaries(st.sampled_from(["a", "b"]), VALUES, max_size=2)
DEEP = st.dictionaries(
    st.sampled_from(["x", "y"]), TABLES | st.lists(TABLES, min_size=1), max_size=2
)
DOCUMENTS = st.dictionaries(NAMES, TABLES | DEEP)


@given(DOCUMENTS)
def test_a_table_is_left_out_and_nothing_else(document: dict[str, object]) -> None:
    text = emit(document)
    found = tomlfile.without(text, "population", path=Path("p.toml"))
    expected = {name: table for name, table in document.items() if name != "population"}
    assert tomllib.loads(found) == expected
    if "population" not in document:
        assert found == text


def test_what_is_left_in_stays_as_it_was_written() -> None:
    mine = "# mine\nseed = 1\n"
    text = f"{mine}[population]\nnodes = 3\n[population.speed] # fast\nspread = 1\n[task]\n"
    assert tomlfile.without(text, "population", path=Path("p.toml")) == f"{mine}[task]\n"


@pytest.mark.parametrize(
    "text",
    [
        "population = { nodes = 3 }\n",
        "population.nodes = 3\n",
        '[population]\nnodes = 3\nnote = """\n[task]\n"""\n',
    ],
)
def test_a_table_that_cannot_be_told_from_the_rest_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"p\.toml: \[population\] is written so"):
        tomlfile.without(text, "population", path=Path("p.toml"))


def test_what_is_no_toml_is_for_others_to_judge() -> None:
    assert tomlfile.without("[population\n", "population", path=Path("p.toml")) == "[population\n"
