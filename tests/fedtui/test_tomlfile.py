from pathlib import Path

import pytest

from coordinator.config import CoordinatorConfig
from fedtui import tomlfile
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
            "c.toml, line 11: [log] level: Invalid enum value 'loud'",
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
