"""Asks for epsilons: a short-lived child process that runs accounting_child.py.

About a second of one core per question or list of questions. Whoever asks must not need the answer
for deciding a round in progress.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Literal

import msgspec

from fedtui.errors import ExitCode, LocalProtocolError, OperatorError
from fedtui.privacy.spending import Release, together

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AccountingError",
    "Release",
    "epsilon",
    "epsilon_now",
    "epsilons",
    "epsilons_now",
    "noise_now",
]

TIMEOUT_S = 120.0
LEAST_NOISE = 1e-3
"""Of all releases together: what has less is said to have no epsilon (it is above 500,000)."""
MOST_NOISE = 1e6
MOST_EPSILON = 1e5
_COMMAND = (sys.executable, "-P", "-m", "fedtui.privacy.accounting_child")
_QUIET = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class AccountingError(OperatorError):
    """No epsilon could be worked out; nothing may be claimed or spent by a guess."""

    exit_code = ExitCode.UNAVAILABLE


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line to the child: `find` what belongs to `delta` and the `given` other one."""

    find: Literal["epsilon", "noise"]
    given: float
    delta: float


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line from it: the answer, or what was wrong."""

    value: float = 0.0
    wrong: str = ""


async def epsilon(releases: Sequence[Release], delta: float) -> float:
    """What a node that was in all these releases has spent, at least 0; infinite if hardly hidden.

    Raises:
        AccountingError: the child does not answer.
        LocalProtocolError: delta is not in (0, 1).
    """
    return (await epsilons([releases], delta))[0]


async def epsilons(nodes: Sequence[Sequence[Release]], delta: float) -> list[float]:
    """The same of many nodes, in their order, by one child."""
    noises = _noises(nodes, delta)
    return _in_order(noises, await _ask(_of_noises(noises, delta)))


def epsilon_now(releases: Sequence[Release], delta: float) -> float:
    """As `epsilon`, for commands: waits for the child."""
    return epsilons_now([releases], delta)[0]


def epsilons_now(nodes: Sequence[Sequence[Release]], delta: float) -> list[float]:
    """As `epsilons`, for commands: waits for the child."""
    noises = _noises(nodes, delta)
    return _in_order(noises, _ask_now(_of_noises(noises, delta)))


def noise_now(epsilon: float, delta: float, count: int) -> float:
    """The least noise multiplier with which `count` equal releases stay within `epsilon`.

    Raises:
        AccountingError: the child does not answer.
        LocalProtocolError: delta is not in (0, 1), epsilon not in (0, MOST_EPSILON], no count.
    """
    if not 0 < epsilon <= MOST_EPSILON or not 0 < delta < 1 or count < 1:
        raise LocalProtocolError(f"no noise for epsilon {epsilon}, delta {delta}, {count} rounds")
    told = _ask_now([Asked(find="noise", given=epsilon, delta=delta)])
    return told[0] * math.sqrt(count)


def _noises(nodes: Sequence[Sequence[Release]], delta: float) -> list[float]:
    if not 0 < delta < 1:
        raise LocalProtocolError(f"delta is a number between 0 and 1, not {delta}")
    return [together(releases) for releases in nodes]


def _of_noises(noises: list[float], delta: float) -> list[Asked]:
    """A question for every noise that needs one, once."""
    return [
        Asked(find="epsilon", given=noise, delta=delta)
        for noise in dict.fromkeys(noises)
        if LEAST_NOISE <= noise <= MOST_NOISE
    ]


def _in_order(noises: list[float], told: list[float]) -> list[float]:
    asked = [n for n in dict.fromkeys(noises) if LEAST_NOISE <= n <= MOST_NOISE]
    known = dict(zip(asked, told, strict=True))
    for noise in noises:
        if noise < LEAST_NOISE:
            known[noise] = math.inf
        elif noise == math.inf:
            known[noise] = 0.0
        elif noise > MOST_NOISE:
            raise LocalProtocolError(f"noise of {noise:g} clips is more than can be accounted")
    return [known[noise] for noise in noises]


async def _ask(asked: list[Asked]) -> list[float]:
    if not asked:
        return []
    try:
        child = await asyncio.create_subprocess_exec(
            *_COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env=os.environ | _QUIET,
        )
    except OSError as error:
        raise AccountingError(f"dp-accounting cannot be started: {error}") from None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            said, _ = await child.communicate(_lines(asked))
    except TimeoutError:
        raise AccountingError(_late()) from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    return _read(said, len(asked))


def _ask_now(asked: list[Asked]) -> list[float]:
    if not asked:
        return []
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            _COMMAND,
            input=_lines(asked),
            capture_output=True,
            check=False,
            timeout=TIMEOUT_S,
            env=os.environ | _QUIET,
        )
    except OSError as error:
        raise AccountingError(f"dp-accounting cannot be started: {error}") from None
    except subprocess.TimeoutExpired:
        raise AccountingError(_late()) from None
    return _read(done.stdout, len(asked))


def _late() -> str:
    return f"dp-accounting gave no answer within {TIMEOUT_S:g} seconds: try again"


def _lines(asked: list[Asked]) -> bytes:
    return b"".join(msgspec.json.encode(one) + b"\n" for one in asked)


def _read(said: bytes, count: int) -> list[float]:
    try:
        told = [msgspec.json.decode(line, type=Told) for line in said.splitlines()]
    except msgspec.DecodeError as error:
        raise AccountingError(f"dp-accounting gave a strange answer: {error}") from None
    for one in told:
        if one.wrong:
            raise AccountingError(one.wrong)
    if len(told) != count:
        raise AccountingError(f"dp-accounting ended after {len(told)} of {count} answers")
    values = [one.value for one in told]
    if not all(0 <= value < math.inf for value in values):
        raise AccountingError(f"dp-accounting gave a strange answer: {values}")
    return values
