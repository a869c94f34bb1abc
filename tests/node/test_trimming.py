"""Freed memory goes back, and a library without the call is no error."""

import ctypes

import pytest

from node.trimming import trim


def test_it_can_be_called_again_and_again() -> None:
    trim()
    trim()


@pytest.mark.parametrize("error", [AttributeError("malloc_trim"), OSError("no libc")])
def test_a_library_without_it_is_no_error(monkeypatch, error: Exception) -> None:
    def none(_name: object) -> object:
        raise error

    monkeypatch.setattr(ctypes, "CDLL", none)
    trim()
