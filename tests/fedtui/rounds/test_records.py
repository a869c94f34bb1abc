"""Records survive being written down, and say nothing that they do not know."""

import typing

import msgspec
import pytest
from desk import Desk

from fedtui.rounds.records import Record


def test_every_record_of_a_run_survives_being_written_down() -> None:
    desk = Desk()
    desk.join(1, 2)
    desk.round(1, 2)
    for record in desk.records:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=Record) == record


@pytest.mark.parametrize("kind", typing.get_args(Record))
def test_records_are_frozen_and_refuse_unknown_fields(kind: type) -> None:
    assert kind.__struct_config__.frozen
    assert kind.__struct_config__.forbid_unknown_fields
    assert kind.__struct_config__.tag == kind.__name__
