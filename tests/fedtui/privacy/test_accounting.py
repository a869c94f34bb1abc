"""Epsilons: the library's own, an independent closed form, and a child that fails."""

import asyncio
import io
import math
import sys
from pathlib import Path

import dp_accounting
import mpmath
import msgspec
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant

from fedtui.errors import ExitCode, LocalProtocolError
from fedtui.privacy import accounting, accounting_child
from fedtui.privacy.accounting import AccountingError, Release

HISTORIES = {
    "one": [Release(1.0)],
    "alike": [Release(4.0, 50)],
    "different": [Release(2.0, 3), Release(2.5, 1), Release(7.0, 20)],
    "hardly": [Release(900.0, 2)],
    "plainly": [Release(0.3)],
}
DELTA = 1e-5


def _event(history: list[Release]) -> dp_accounting.DpEvent:
    return dp_accounting.ComposedDpEvent(
        [
            dp_accounting.SelfComposedDpEvent(dp_accounting.GaussianDpEvent(one.noise), one.count)
            for one in history
        ]
    )


@pytest.fixture(scope="module")
def ours() -> dict[str, float]:
    found = accounting.epsilons_now(list(HISTORIES.values()), DELTA)
    return dict(zip(HISTORIES, found, strict=True))


@pytest.mark.parametrize("name", HISTORIES)
def test_N4_equals_what_the_library_says_of_the_same_events(
    name: str, ours: dict[str, float]
) -> None:
    """Its loss distributions are rounded up: ours is their limit, never above, just below."""
    lossy = PLDAccountant().compose(_event(HISTORIES[name])).get_epsilon(DELTA)
    assert lossy - 1e-4 <= ours[name] <= lossy + 1e-9
    renyi = RdpAccountant().compose(_event(HISTORIES[name])).get_epsilon(DELTA)
    assert ours[name] <= renyi


@pytest.mark.parametrize("name", ["one", "plainly", "hardly"])
def test_N4_is_the_exact_gaussian(name: str, ours: dict[str, float]) -> None:
    """Balle and Wang, theorem 8, in 50 digits."""
    with mpmath.workdps(50):
        z = 1 / mpmath.sqrt(sum(one.count / mpmath.mpf(one.noise) ** 2 for one in HISTORIES[name]))
        eps = mpmath.mpf(ours[name])
        delta = mpmath.ncdf(1 / (2 * z) - eps * z)
        delta -= mpmath.exp(eps) * mpmath.ncdf(-1 / (2 * z) - eps * z)
        assert float(delta) == pytest.approx(DELTA, rel=1e-6)


async def test_asks_off_the_loop() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    beating = asyncio.create_task(beat())
    found = await accounting.epsilons([[Release(1.0)], [], [Release(1.0)], [Release(1e-4)]], 0.01)
    beating.cancel()
    assert beats > 2
    assert found[0] == found[2] > found[1] == 0
    assert found[3] == math.inf
    assert await accounting.epsilon([], 0.5) == 0


@pytest.mark.parametrize(("epsilon", "count"), [(0.1, 1), (8.0, 100), (1e4, 3)])
def test_the_noise_for_an_epsilon_has_that_epsilon(epsilon: float, count: int) -> None:
    noise = accounting.noise_now(epsilon, 1e-3, count)
    one = noise / math.sqrt(count)
    assert dp_accounting.get_epsilon_gaussian(one, 1e-3) == pytest.approx(epsilon)


def test_what_cannot_be_asked_is_refused() -> None:
    for delta in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(LocalProtocolError, match="delta"):
            accounting.epsilon_now([Release(1.0)], delta)
        with pytest.raises(LocalProtocolError, match="delta"):
            accounting.noise_now(1.0, delta, 1)
    for epsilon in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(LocalProtocolError, match="epsilon"):
            accounting.noise_now(epsilon, 0.1, 1)
    with pytest.raises(LocalProtocolError, match="more than can be accounted"):
        accounting.epsilon_now([Release(1e7)], 0.1)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("raise SystemExit(3)", "ended after 0 of 1"),
        ("print('hello')", "strange answer"),
        ("print('{\"value\": -1}')", "strange answer"),
        ("print('{\"value\": null}')", "strange answer"),
        ('print(\'{"value": 1}\\n{"value": 1}\')', "after 2 of 1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended after 0 of 1"),
    ],
)
async def test_a_child_that_fails_is_an_error(
    program: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "_COMMAND", (sys.executable, "-I", "-S", "-c", program))
    with pytest.raises(AccountingError, match=said) as caught:
        await accounting.epsilon([Release(1.0)], 0.1)
    assert caught.value.exit_code is ExitCode.UNAVAILABLE
    with pytest.raises(AccountingError, match=said):
        accounting.epsilon_now([Release(1.0)], 0.1)


async def test_a_child_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    hang = (sys.executable, "-I", "-S", "-c", "import time; time.sleep(1000)")
    monkeypatch.setattr(accounting, "_COMMAND", hang)
    monkeypatch.setattr(accounting, "TIMEOUT_S", 0.05)
    with pytest.raises(AccountingError, match="no answer within"):
        await accounting.epsilon([Release(1.0)], 0.1)
    with pytest.raises(AccountingError, match="no answer within"):
        accounting.epsilon_now([Release(1.0)], 0.1)


async def test_a_missing_program_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(accounting, "_COMMAND", (str(tmp_path / "gone"),))
    with pytest.raises(AccountingError, match="cannot be started"):
        await accounting.epsilon([Release(1.0)], 0.1)
    with pytest.raises(AccountingError, match="cannot be started"):
        accounting.epsilon_now([Release(1.0)], 0.1)


def test_the_child_survives_lines_that_are_no_questions() -> None:
    question = accounting.Asked(find="epsilon", given=1.0, delta=0.01)
    lines = [b"", b"{", b'{"find":"delta","given":1,"delta":0.1}', msgspec.json.encode(question)]
    lines += [b'{"find":"epsilon","given":-1,"delta":0.1}', b"\xff" * 2000]
    answers = io.BytesIO()
    accounting_child.main(io.BytesIO(b"\n".join(lines) + b"\n"), answers)
    told = [
        msgspec.json.decode(line, type=accounting.Told) for line in answers.getvalue().splitlines()
    ]
    assert [one.wrong == "" for one in told[:5]] == [False, False, False, True, False]
    assert all(one.wrong for one in told[5:])
    assert told[3].value > 0


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dp_accounting", None)
    told = accounting_child.answered(b"{}")
    assert "install" in told.wrong
