"""The word check: what passes, what does not, and how often one may try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.status.wordcheck import MAX_TRIES, NUM_ASKED, WordCheck, looks_like_fingerprint

WORDS = ("amber", "fjord", "cargo", "lunar", "amber", "violin")
PRINT = "BK6L-UZEO-PLUP-UBBR-AAAA-BBBB-CCCC-DDDD"


def check(*draws: int) -> WordCheck:
    given_numbers = iter(draws or (1, 3))
    return WordCheck.draw(WORDS, PRINT, lambda n: next(given_numbers) % n)


def asked(one: WordCheck) -> list[str]:
    return [WORDS[position - 1] for position in one.positions]


def test_the_words_asked_for_pass_in_any_case() -> None:
    one = check(1, 3)
    assert one.positions == (2, 5)
    assert one.type_words([" Fjord", "AMBER "])
    assert one.passed
    assert not one.spent


def test_the_fingerprint_passes_whole_only() -> None:
    assert check().type_fingerprint("bk6l uzeo plup ubbr aaaa bbbb cccc dddd")
    for typed in ("", PRINT[:-1], PRINT[:19], PRINT + "A", "AAAA" * 8):
        assert not check().type_fingerprint(typed)
    nothing = WordCheck.draw(WORDS, "", lambda n: 0)
    assert not nothing.type_fingerprint("")


@pytest.mark.parametrize(
    "typed", [[], ["fjord"], ["amber", "fjord"], ["fjord", "amber", ""], ["fjord amber"], ["", ""]]
)
def test_anything_else_does_not_pass(typed: list[str]) -> None:
    one = check(1, 3)
    assert not one.type_words(typed)
    assert (one.passed, one.tries_left) == (False, MAX_TRIES - 1)


def test_after_the_last_try_the_right_words_do_not_help() -> None:
    one = check(1, 3)
    for number in range(MAX_TRIES):
        assert not one.spent
        assert not (one.type_words(["a", "b"]) if number % 2 else one.type_fingerprint("A"))
    assert one.spent
    assert not one.type_words(["fjord", "amber"])
    assert not one.type_fingerprint(PRINT)
    assert not one.passed


def test_what_passed_stays_passed() -> None:
    one = check(1, 3)
    assert one.type_words(["fjord", "amber"])
    assert one.type_words(["wrong", "wrong"])
    assert one.tries_left == MAX_TRIES - 1


def test_nothing_expected_is_in_its_representation() -> None:
    text = repr(check())
    assert not any(word in text for word in WORDS)
    assert PRINT[:4] not in text


@given(st.lists(st.integers(0, 5), min_size=2, max_size=2))
def test_two_different_positions_are_drawn(draws: list[int]) -> None:
    one = check(*draws)
    assert len(set(one.positions)) == NUM_ASKED
    assert one.positions == tuple(sorted(one.positions))
    assert all(1 <= position <= len(WORDS) for position in one.positions)


def test_every_pair_of_positions_can_be_asked() -> None:
    pairs = {check(first, second).positions for first in range(6) for second in range(5)}
    assert len(pairs) == 15


@given(st.lists(st.sampled_from([*WORDS, "wrong"]), min_size=2, max_size=2))
def test_it_passes_exactly_for_the_words_asked_for(typed: list[str]) -> None:
    one = check(0, 0)
    assert one.type_words(typed) == (typed == asked(one))


@given(st.text(), st.text())
def test_any_text_is_an_answer(first: str, second: str) -> None:
    one = check()
    one.type_words([first, second])
    one.type_fingerprint(first)
    looks_like_fingerprint(first)


def test_with_too_few_words_there_is_nothing_to_check() -> None:
    with pytest.raises(ValueError, match="2 words"):
        WordCheck.draw(("amber",), PRINT, lambda n: 0)


def test_words_and_fingerprints_are_told_apart() -> None:
    assert looks_like_fingerprint(PRINT)
    assert looks_like_fingerprint("bk6l uzeo")
    assert not looks_like_fingerprint("fjord amber")
