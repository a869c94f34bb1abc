"""Why a coordinator cannot be reached, said once and in plain words."""

import socket

import pytest

from node.dial import dial, new_http, not_reached


async def why(address: str) -> str:
    async with new_http() as http:
        with pytest.raises(Exception) as failure:  # noqa: PT011 - any: its text is looked at
            await dial(http, address)
    error = failure.value
    assert isinstance(error, Exception)
    return not_reached(address, error).text


async def test_a_port_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets it
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert await why(address) == f"no connection to {address}: connection refused"


async def test_no_answer_in_time() -> None:
    text = not_reached("c.example:1", TimeoutError()).text
    assert text == "no connection to c.example:1: no answer within 10 s"


async def test_a_name_that_nobody_knows() -> None:
    text = await why("nowhere.invalid:1")
    assert text.startswith("no connection to nowhere.invalid:1: ")
    assert text.count("nowhere.invalid") == 1
