import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.learning.data import DataError, DataSource
from fedtui.learning.text import NO_TOKEN, Characters, Words, prompts, windows

ABC = Characters("abc ")


@given(st.text(alphabet="abc ", max_size=50))
def test_characters_come_back(text: str) -> None:
    assert ABC.text(ABC.tokens(text).tolist()) == text


def test_other_characters_are_unknown() -> None:
    assert ABC.tokens("aXb\n").tolist() == [1, 0, 2, 0]
    assert ABC.text([1, 0]) == "a\N{REPLACEMENT CHARACTER}"
    assert ABC.size == 5


def test_words_are_listed_ones_or_buckets_that_are_the_same_everywhere() -> None:
    words = Words(["the", "."], buckets=10)
    bucket = 3 + zlib.crc32(b"cat") % 10
    assert words.tokens("The CAT.the").tolist() == [1, bucket, 2, 1]
    assert words.text([1, bucket, 0]) == f"the #{bucket - 3} ?"
    assert words.size == 13
    assert Words(["a", "b"], buckets=0).tokens("a z b").tolist() == [1, 0, 2]


@given(st.text())
def test_any_text_has_tokens_of_the_vocabulary(text: str) -> None:
    for vocabulary in (ABC, Words(["a"], 7)):
        tokens = vocabulary.tokens(text)
        assert tokens.dtype == np.int64
        assert ((tokens >= 0) & (tokens < vocabulary.size)).all()


@pytest.mark.parametrize("bad", ["", "a", "aba"])
def test_an_alphabet_has_each_character_once(bad: str) -> None:
    with pytest.raises(ValueError, match="two or more characters, each of them once"):
        Characters(bad)


@pytest.mark.parametrize(
    ("words", "buckets", "says"),
    [
        (["The"], 5, "'The' is none"),
        (["a b"], 5, "'a b' is none"),
        (["a", "a"], 5, "different"),
        ([], 1, "two tokens"),
        (["a", "b"], -1, "two tokens"),
    ],
)
def test_words_are_single_and_different(words: list[str], buckets: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Words(words, buckets)


def test_windows_do_not_overlap_and_know_the_next_token(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("abcabcab")
    (tmp_path / "a.txt").write_text("ccc", encoding="utf-8-sig")
    (tmp_path / "c.txt").write_text("")
    found = windows(DataSource(path=str(tmp_path)), ABC, 2)
    assert found.x.tolist() == [[3, 3], [1, 2], [3, 1], [2, 3]]
    assert found.y.tolist() == [[3, 3], [2, 3], [1, 2], [3, 1]]


@given(st.text(alphabet="abc ", min_size=4, max_size=60), st.integers(1, 3))
def test_every_target_is_the_token_after_its_input(text: str, length: int) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(text)
        file.flush()
        found = windows(DataSource(path=file.name), ABC, length)
    tokens = ABC.tokens(text)
    num = found.x.size
    assert len(text) - 1 - length < num <= len(text) - 1, "only an end shorter than one is left"
    assert found.x.ravel().tolist() == tokens[:num].tolist()
    assert found.y.ravel().tolist() == tokens[1 : num + 1].tolist()


def test_prompts_are_the_ends_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "p.txt"
    path.write_text("abc\n\na\n")
    found = prompts(DataSource(path=str(path)), ABC, 2)
    assert found.tolist() == [[2, 3], [NO_TOKEN, 1]]


def test_texts_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    source = DataSource(path=str(tmp_path))
    with pytest.raises(DataError, match=r"has no \.txt file"):
        windows(source, ABC, 2)
    (tmp_path / "a.txt").write_text("ab")
    with pytest.raises(DataError, match="the longest text has 2 tokens, an example needs 3"):
        windows(source, ABC, 2)
    (tmp_path / "a.txt").write_bytes(b"fine\nbad \xff\n")
    with pytest.raises(DataError, match=r"a\.txt, line 2: the byte 0xff is not UTF-8"):
        windows(source, ABC, 2)
    with pytest.raises(DataError, match="does not exist"):
        windows(DataSource(path=str(tmp_path / "none")), ABC, 2)
