"""Probing: who answers is learned, and nothing of this node reaches them."""

import asyncio
import socket

import pytest
from a_greeter import Greeter, greeting

from fedtui.crypto.keys import Identity, fingerprint
from node import probing
from node.exits import Exit, Stop
from node.probing import MAX_KEPT, Probes, parse_address, probe

COORDINATOR = Identity.from_seed(b"c" * 32)
HOSTILE = "clinic[@click=app.quit]\x1b[2J"
M1_BYTES = 32


@pytest.fixture(autouse=True)
def _no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "words", lambda _: ("one", "two", "three", "four", "five", "six"))


def refusal(address: str) -> Stop:
    with pytest.raises(Stop) as found:
        asyncio.run(probe(address))
    return found.value


def test_S3_D2_the_third_message_is_never_sent() -> None:
    with greeting(Greeter(COORDINATOR, HOSTILE)) as greeter:
        found = asyncio.run(probe(greeter.address))
        greeter.over.acquire()
        assert [len(frame) for frame in greeter.frames[0]] == [M1_BYTES], "an ephemeral key only"
        assert greeter.met == []
    assert found.identity == COORDINATOR.public
    assert found.federation == "clinic[@click=app.quit][2J"
    assert found.versions == (1, 1)


def test_two_probes_have_nothing_in_common() -> None:
    with greeting(Greeter(COORDINATOR)) as greeter:
        for _ in range(2):
            asyncio.run(probe(greeter.address))
            greeter.over.acquire()
    (first,), (second,) = greeter.frames
    assert first != second


@pytest.mark.parametrize("versions", [(2, 2), (2, 3)])
def test_S8_another_version_is_said_with_what_to_do(versions: tuple[int, int]) -> None:
    with greeting(Greeter(COORDINATOR, versions=versions)) as greeter:
        stop = refusal(greeter.address)
        greeter.over.acquire()
        assert len(greeter.frames[0]) == 1
    assert stop.exit_code == Exit.VERSION
    assert f"the other side {versions[0]} to {versions[1]}" in stop.text
    assert "1 to 1" in stop.text
    assert "Nothing was sent" in stop.text
    assert "pip install -U fedtui" in stop.remedy


def test_where_nobody_answers_is_69() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets it
        stop = refusal(f"127.0.0.1:{taken.getsockname()[1]}")
    assert stop.exit_code == Exit.UNREACHABLE
    assert "connection refused" in stop.text
    assert "operator" in stop.remedy


async def strange(answer: bytes) -> Stop:
    """Probe something that speaks, but not our protocol."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        with pytest.raises(Stop) as found:
            await probe(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    return found.value


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH_9.6\r\n", b""],
    ids=["another web server", "no web server", "silence"],
)
async def test_what_is_no_coordinator_is_said_in_a_line(answer: bytes) -> None:
    stop = await strange(answer)
    assert stop.exit_code == Exit.UNREACHABLE
    assert "\n" not in stop.text


@pytest.mark.parametrize(
    ("typed", "dialled"),
    [
        ("c.example", "c.example:8443"),
        (" 192.168.1.20:9000 ", "192.168.1.20:9000"),
        ("[fd00::1]", "[fd00::1]:8443"),
        ("[fd00::1]:1", "[fd00::1]:1"),
        ("http://c.example:80/", "c.example:80"),
        ("https://c.example:443", "https://c.example:443"),
    ],
)
def test_an_address_is_read_with_or_without_its_port(typed: str, dialled: str) -> None:
    assert parse_address(typed) == dialled


@pytest.mark.parametrize(
    "typed", ["", "c:0", "c:70000", "a b", "c:80/path", "fd00::1", "\x1b[2J", "x" * 300, "u@c:1"]
)
def test_what_is_no_address_is_2_and_is_not_dialled(typed: str) -> None:
    stop = refusal(typed)
    assert stop.exit_code == Exit.USAGE
    assert "\x1b" not in stop.text


def test_a_screen_gets_all_it_shows_and_names_it_by_its_id() -> None:
    probes = Probes()
    with greeting(Greeter(COORDINATOR)) as greeter:
        seen = asyncio.run(probes.probe(greeter.address))
    assert seen.coordinator_id == COORDINATOR.id.hex()
    assert (seen.fingerprint, seen.label) == (fingerprint(COORDINATOR.id), "ward 7")
    assert (len(seen.words), seen.version) == (6, "1")
    assert probes.taken(greeter.address, seen.coordinator_id).identity == COORDINATOR.public
    for address, identity in (("127.0.0.1:1", seen.coordinator_id), (greeter.address, "00" * 32)):
        with pytest.raises(Stop, match="no coordinator with that id"):
            probes.taken(address, identity)


async def test_only_the_last_probes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def probed(address: str) -> probing.Probed:
        return probing.Probed(address, COORDINATOR.public, "x", (1, 1))

    monkeypatch.setattr(probing, "probe", probed)
    probes = Probes()
    for number in range(MAX_KEPT + 1):
        await probes.probe(f"10.0.0.{number}:1")
    probes.taken(f"10.0.0.{MAX_KEPT}:1", COORDINATOR.id.hex())
    with pytest.raises(Stop):
        probes.taken("10.0.0.0:1", COORDINATOR.id.hex())
