"""The programs as tests build them: with this folder on PYTHONPATH they tell what nobody may know.

Python imports this file before a program begins. Below the folder that TEST_BUILD names:

    plain/<digest>.npz   what each trainer masked, before masks: `values` as the encoding's steps,
                         `weight`; by the digest of the masked vector that left
    records.jsonl        what the coordinator committed
    kill/<profile>       "POINT" or "POINT round N": at that point this node kills itself with -9;
                         the file becomes <profile>.killed, with round and attempt in it

A point is what the node works on, and the event or effect: "Offer heard Roster", "Offer do Train"
(done when it dies), "Offer say Ready" (not said yet), "Evaluate ModelHere".
"""

# ruff: noqa: PLC0415 - each program gets what it needs, and nothing of the others

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ.get("TEST_BUILD", ""))


def build_trainer() -> None:
    """Every masked vector leaves its plain integers behind."""
    from copy import copy
    from hashlib import blake2b

    import numpy as np

    from fedtui.secagg import encoding, masks

    masker, maker = masks.Masker, encoding.Encoder
    begin, take, make = masker.__init__, masker.chunks, maker.__init__

    def make_for_tests(self: Any, layout: Any, update_D: Any, scalars: Any, **rest: Any) -> None:
        make(self, layout, update_D, scalars, **rest)
        self.weight_of_tests = scalars["weight"]

    def begin_for_tests(self: Any, encoder: Any, of: Any) -> None:
        begin(self, encoder, of)
        layout, plain = encoder.encoding, copy(encoder)  # which counts what it cuts for itself
        slots = [
            encoding.decode(layout, plain.chunk(index), index, 1)
            for index in range(layout.num_chunks)
        ]
        values = np.concatenate(slots)[: layout.num_values]
        weight = encoder.weight_of_tests
        self.of_tests = {"values": values, "weight": weight, "scale": layout.scale}

    def chunks_for_tests(self: Any) -> Any:
        state = blake2b(digest_size=32)
        for words_C in take(self):
            state.update(words_C.astype("<u8").data)
            yield words_C
        folder = FOLDER / "plain"
        folder.mkdir(exist_ok=True)
        np.savez(folder / f".{state.hexdigest()}.npz", **self.of_tests)
        (folder / f".{state.hexdigest()}.npz").rename(folder / f"{state.hexdigest()}.npz")

    masker.__init__, masker.chunks = begin_for_tests, chunks_for_tests
    maker.__init__ = make_for_tests


def build_coordinator() -> None:
    """Every record that was committed is written down."""
    import msgspec

    from coordinator.chronicle import Chronicle

    committed = Chronicle.committed

    def committed_for_tests(self: Any, records: Any) -> None:
        with (FOLDER / "records.jsonl").open("a") as sink:
            for record in records:
                kept = {k: plain(v) for k, v in msgspec.structs.asdict(record).items()}
                sink.write(json.dumps({"kind": type(record).__name__} | kept) + "\n")
        committed(self, records)

    def plain(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.hex()
        if isinstance(value, msgspec.Struct):
            return {k: plain(v) for k, v in msgspec.structs.asdict(value).items()}
        return [plain(one) for one in value] if isinstance(value, tuple) else value

    Chronicle.committed = committed_for_tests


def build_node(profile: str) -> None:
    """Every event and effect is a point at which the node may be told to die."""
    from node.service import NodeService

    step, do = NodeService.step, NodeService._do

    def at(service: Any, point: str) -> None:
        wish = FOLDER / "kill" / profile
        work = service.participant.work
        here = f"{type(work).__name__} {point}"
        try:
            wanted = wish.read_text()
        except FileNotFoundError:
            return
        if wanted in {here, f"{here} round {work.round}" if work else ""}:
            wish.with_suffix(".new").write_text(f"{work.round} {work.attempt}")
            wish.unlink()
            wish.with_suffix(".new").rename(wish.with_suffix(".killed"))
            os.kill(os.getpid(), signal.SIGKILL)

    def step_for_tests(self: Any, event: Any) -> None:
        message = getattr(event, "message", None)
        name = type(event).__name__
        at(self, f"heard {type(message).__name__}" if name == "Heard" else name)
        step(self, event)

    def do_for_tests(self: Any, effect: Any) -> None:
        name = type(effect).__name__
        if name == "Say":
            at(self, f"say {type(effect.message).__name__}")
        do(self, effect)
        if name != "Say":
            at(self, f"do {name}")

    NodeService.step, NodeService._do = step_for_tests, do_for_tests


if os.environ.get("TEST_BUILD"):
    words = sys.orig_argv
    if "node.trainer_child" in words:
        build_trainer()
    elif "node.daemon" in words:
        build_node(words[words.index("--profile") + 1])
    elif "coordinator" in words and "serve" in words:
        build_coordinator()
