"""The other end of the admin socket: what the commands of `fedtui-coordinator` call."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from coordinator.asks import Answer, AnyAsk, AskFollow
from coordinator.layout import Layout, socket_path
from coordinator.refusals import NotRunningError, os_refusal
from fedtui.errors import ExitCode, OperatorError

T = TypeVar("T")

TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 64 * 2**20


class RefusedError(OperatorError):
    """The running coordinator refused, with the exit status that it chose."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def is_running(layout: Layout) -> bool:
    """Whether a coordinator answers in this directory."""
    try:
        _connect(layout).close()
    except NotRunningError:
        return False
    return True


def ask(layout: Layout, command: AnyAsk, shape: type[T]) -> T:
    """The running coordinator's answer.

    Raises:
        NotRunningError: none runs in this directory.
        RefusedError: it refused.
    """
    with _connect(layout) as connection, connection.makefile("rb") as lines:
        try:
            connection.sendall(msgspec.json.encode(command) + b"\n")
            line = lines.readline(MAX_ANSWER_BYTES)
        except OSError as error:
            raise NotRunningError("the coordinator hung up before it answered") from error
    return answered(line, shape)


def answered(line: bytes, shape: type[T]) -> T:
    """What a line of the coordinator says; none means that it hung up.

    Raises:
        NotRunningError: it did not answer.
        RefusedError: it refused.
    """
    if not line:
        raise NotRunningError("the coordinator hung up before it answered")
    answer = msgspec.json.decode(line, type=Answer)
    if not answer.ok:
        raise RefusedError(answer.error, answer.exit or int(ExitCode.FAILED))
    return msgspec.json.decode(answer.result, type=shape)


def follow(layout: Layout) -> Iterator[bytes]:
    """One JSON line after the other, until the coordinator stops."""
    with _connect(layout) as connection, connection.makefile("rb") as lines:
        connection.settimeout(None)
        connection.sendall(msgspec.json.encode(AskFollow()) + b"\n")
        while line := lines.readline(MAX_ANSWER_BYTES):
            yield line.rstrip(b"\n")


def _connect(layout: Layout) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(TIMEOUT_S)
    try:
        connection.connect(str(where(layout)))
    except (FileNotFoundError, ConnectionRefusedError) as error:
        connection.close()
        raise NotRunningError(
            f"no coordinator runs in {layout.root}: start it with 'fedtui-coordinator serve "
            f"--dir {layout.root}'"
        ) from error
    except OSError as error:
        connection.close()
        raise os_refusal(error) from error
    return connection


def where(layout: Layout) -> Path:
    """The socket of a coordinator in this directory."""
    try:
        return Path((layout.root / "admin.path").read_text(encoding="utf-8"))
    except OSError:
        return socket_path(layout)
