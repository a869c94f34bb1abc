import os
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from coordinator.checkpoints import CheckpointWriter
from coordinator.library import Library
from fedtui.learning.params import Manifest, TensorSpec
from fedtui.rounds.plan import FederationSection, Plan, TaskSection, plan_hash
from fedtui.wire import codec
from fedtui.wire.messages import Terms

MANIFEST = Manifest((TensorSpec("w", (1000,)),))
PLAN = Plan(federation=FederationSection(name="f"), task=TaskSection(name="digits"))


def put(folder: Path, round_: int) -> tuple[bytes, str, bytes]:
    values = np.full(1000, round_, "<f4").tobytes()
    writer = CheckpointWriter(folder, round_, MANIFEST)
    writer.write(values)
    done = writer.finish()
    return done.digest, done.name, values


def test_the_plan_stream_is_what_a_node_can_check(tmp_path: Path) -> None:
    opening, source = Library(tmp_path, PLAN, MANIFEST).plan()
    data = bytes(source.read(0, source.num_bytes))
    assert opening.digest == blake2b(data, digest_size=32).digest()
    terms = codec.decode(data, Terms, max_bytes=2**20)
    plan = codec.decode(terms.plan, Plan, max_bytes=2**20)
    assert plan_hash(plan, terms.manifest) == plan_hash(PLAN, MANIFEST)


def test_only_models_that_are_served_can_be_fetched(tmp_path: Path) -> None:
    first, first_name, first_values = put(tmp_path, 1)
    second, second_name, _ = put(tmp_path, 2)
    library = Library(tmp_path, PLAN, MANIFEST)
    assert library.model(first) is None
    library.serve({first: first_name})
    found = library.model(first)
    assert found is not None
    opening, source = found
    assert (opening.kind, opening.num_bytes, opening.digest) == ("model", 4000, first)
    assert bytes(source.read(400, 800)) == first_values[400:1200]
    library.serve({second: second_name})
    assert library.model(first) is None
    assert library.model(second) is not None


def num_open() -> int:
    """Open descriptors, where the system tells."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0


def test_a_stream_outlives_the_file_and_its_handle_is_closed_at_the_end(tmp_path: Path) -> None:
    before = num_open()
    digest, name, values = put(tmp_path, 1)
    library = Library(tmp_path, PLAN, MANIFEST)
    library.serve({digest: name})
    found = library.model(digest)
    assert found is not None
    (tmp_path / name).unlink()
    library.serve({})
    assert bytes(found[1].read(0, 4000)) == values
    del found
    assert num_open() == before


def test_a_file_cut_short_fails_the_stream_with_an_oserror(tmp_path: Path) -> None:
    digest, name, _ = put(tmp_path, 1)
    library = Library(tmp_path, PLAN, MANIFEST)
    library.serve({digest: name})
    found = library.model(digest)
    assert found is not None
    os.truncate(tmp_path / name, 100)
    with pytest.raises(OSError, match="cut short"):
        found[1].read(3000, 500)
