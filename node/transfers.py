"""The bulk streams of one node: plan and models in, the update out; each goes on where it stopped.

One stream of each kind at a time. When the session breaks, partial models stay on disk and the
update keeps its file, so the next session starts at the offset where this one ended. Whatever the
coordinator offers that nobody here asked for is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

from fedtui.errors import CloseCode
from fedtui.wire import events
from fedtui.wire.messages import Fetch, ModelRef, Open
from node.changes import ChangeDownload
from node.terms import MAX_TERMS_BYTES
from node.updates import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from fedtui.rounds.machine import Upload
    from fedtui.wire.bulk import Sink, Source
    from fedtui.wire.messages import FromNode
    from node.models import Download, Models
    from node.updates import Updates


MAX_WANTED = 4
_MODEL_KINDS = {"model", "change"}
_NOT_KEPT = "the model cannot be kept"
_NOT_READ = "the update cannot be read"
_BROKEN_OFF = "the coordinator broke off the model on its way"
_DAMAGED = "the model arrived damaged and was thrown away"


class Session(Protocol):
    """What is needed of a link while it is connected; all of it may be called at any time."""

    def send(self, message: FromNode) -> bool: ...

    def open_stream(self, opening: Open, source: Source) -> int | None: ...

    def accept(self, stream: int, sink: Sink, *, offset: int = 0) -> bool: ...

    def refuse(self, stream: int, code: CloseCode, *, text: str) -> bool: ...

    def receipt(self, stream: int, digest: bytes) -> bool: ...

    def cancel_stream(self, stream: int) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hears:
    """Who is told what came of the streams.

    `refused` is the coordinator's word, `unsent` this machine's own fault, with whether the update
    is lost. `lost` is a model that did not get onto this disk, `trouble` what is tried once more,
    `saved` what came as a change.
    """

    plan: Callable[[bytes], None]
    model: Callable[[bytes], None]
    lost: Callable[[bytes, str], None]
    uploaded: Callable[[bytes], None]
    refused: Callable[[str], None]
    unsent: Callable[[str, bool], None]
    trouble: Callable[[str], None]
    saved: Callable[[str], None]


@dataclass(slots=True)
class _PlanSink:
    """The plan is small: it is kept in memory until it is checked."""

    data: bytearray = field(default_factory=bytearray)

    def write(self, data: memoryview) -> None:
        self.data += data


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A model that was asked for, and the older one here that its change may begin with."""

    model: ModelRef
    have: bytes | None


_Sink: TypeAlias = "_PlanSink | Download | ChangeDownload"


class Transfers:
    """Streams of the session at hand; `attach` gives the next one."""

    def __init__(self, *, models: Models, updates: Updates, hears: Hears) -> None:
        self._models = models
        self._updates = updates
        self._hears = hears
        self._session: Session | None = None
        self._plan_hash: bytes | None = None
        self._wanted: dict[bytes, _Wanted] = {}
        self._retried: set[bytes] = set()
        self._incoming: dict[int, tuple[Open, _Sink]] = {}
        self._outgoing: tuple[int, FileSource] | None = None
        self._uploading_round = 0
        self._uploading: bytes = b""
        self._outgoing_masked = False
        self._sent: tuple[bytes, int] = (b"", 0)  # of streams that are over: digest, bytes

    def settle(self, number: int, *, counted: bool) -> None:
        """Whether what this node holds for its strategy is as after its training in this round."""
        federation = self._models.owner.federation_id
        try:
            self._updates.holding.settled(federation, number, counted=counted)
        except OSError as error:
            self._hears.trouble(
                f"what is held for the strategy after round {number} cannot be kept "
                f"({error.strerror or error}): the next round begins with what was held before"
            )

    def attach(self, session: Session) -> None:
        self.detach()
        self._session = session

    def detach(self) -> None:
        """The session is over; what was under way waits for the next one."""
        self._session = None
        for _, sink in self._incoming.values():
            if not isinstance(sink, _PlanSink):
                sink.close()
        self._incoming.clear()
        self._end_upload()

    # ---- what this node wants -------------------------------------------------------------------

    def fetch_plan(self, plan_hash: bytes) -> None:
        self._plan_hash = plan_hash
        self._say(Fetch(kind="plan", digest=plan_hash))

    def fetch_model(self, model: ModelRef) -> None:
        """Ask for a model, unless it is under way; if it does not get here, once more."""
        have = self._models.base()
        self._wanted[model.digest] = _Wanted(model, have)
        self._retried.discard(model.digest)
        while len(self._wanted) > MAX_WANTED:
            del self._wanted[next(iter(self._wanted))]
        under_way = any(
            opening.kind in _MODEL_KINDS and opening.digest == model.digest
            for opening, _ in self._incoming.values()
        )
        if not under_way:
            self._say(Fetch(kind="model", digest=model.digest, have=have))

    def upload(self, effect: Upload) -> None:
        """Open the stream of the update; nothing if it is open, or if there is no session.

        Without a header it is the masked vector that goes.
        """
        if self._session is None or (self._outgoing and self._uploading == effect.digest):
            return
        self.stop_upload()
        masked = effect.header is None
        try:
            at_end = partial(self.settle, effect.round, counted=True)
            source = FileSource(self._updates.masked if masked else self._updates.path, at_end)
        except OSError as error:
            self._hears.unsent(f"{_NOT_READ}: {error.strerror or error}", not masked)
            return
        if source.num_bytes != effect.num_bytes:
            source.close()
            self._hears.unsent("the update on disk is not the one that was made", not masked)
            return
        opening = Open(
            stream=0,
            kind="masked" if masked else "update",
            num_bytes=effect.num_bytes,
            digest=effect.digest,
            incarnation=effect.incarnation,
            round=effect.round,
            attempt=effect.attempt,
            manifest_digest=effect.manifest_digest,
            update=effect.header,
        )
        stream = self._session.open_stream(opening, source)
        if stream is None:
            source.close()
            return
        self._outgoing = (stream, source)
        self._uploading, self._uploading_round = effect.digest, effect.round
        self._outgoing_masked = masked

    def num_sent(self, digest: bytes) -> int:
        """How many bytes of this update have left so far, those sent twice counted twice."""
        over = self._sent[1] if self._sent[0] == digest else 0
        flowing = self._outgoing is not None and self._uploading == digest
        return over + (self._outgoing[1].num_read if self._outgoing and flowing else 0)

    def stop_upload(self) -> None:
        """Abandon the stream; the file stays."""
        if self._outgoing is not None and self._session is not None:
            self._session.cancel_stream(self._outgoing[0])
        self._end_upload()

    # ---- what the session says ------------------------------------------------------------------

    def event(self, event: events.SessionEvent) -> None:
        """Take what concerns a stream; anything else is not for us."""
        match event:
            case events.StreamOpened(opening=opening):
                self._on_opened(opening)
            case events.StreamComplete(stream=stream):
                self._on_complete(stream)
            case events.StreamCancelled(stream=stream):
                ended = self._forget(stream)
                if ended is not None and ended.kind in _MODEL_KINDS:
                    self._failed(ended.digest, _BROKEN_OFF)
            case events.StreamFailed(stream=stream, outgoing=False, reason=reason):
                if (lost := self._forget(stream)) is not None:
                    self._failed(lost.digest, f"{_NOT_KEPT}: {reason}")
            case events.StreamReceipt(stream=stream, digest=digest) if self._is_ours(stream):
                self._end_upload()
                self._hears.uploaded(digest)
            case events.StreamRefused(stream=stream, text=text) if self._is_ours(stream):
                self.settle(self._uploading_round, counted=False)
                self._end_upload()
                self._hears.refused(text)
            case events.StreamFailed(stream=stream, reason=reason) if self._is_ours(stream):
                masked = self._outgoing_masked
                self._end_upload()
                self._hears.unsent(f"{_NOT_READ}: {reason}", not masked)
            case _:
                pass

    def _on_opened(self, opening: Open) -> None:
        if self._session is None:
            return
        try:
            sink, offset = self._sink_for(opening)
        except OSError as error:
            self._session.refuse(
                opening.stream, CloseCode.LIMIT, text="the node has no room for this"
            )
            self._failed(opening.digest, _cannot_keep(error))
            return
        if sink is None:
            self._session.refuse(
                opening.stream, CloseCode.PROTOCOL, text="the node did not ask for this"
            )
            if opening.kind == "change" and opening.digest in self._wanted:
                self._failed(opening.digest, "its change is not shorter than it")
        elif self._session.accept(opening.stream, sink, offset=offset):
            self._incoming[opening.stream] = (opening, sink)

    def _sink_for(self, opening: Open) -> tuple[_Sink | None, int]:
        match opening.kind:
            case "plan" if self._plan_hash and 0 < opening.num_bytes <= MAX_TERMS_BYTES:
                return _PlanSink(), 0
            case "model" if opening.digest in self._wanted:
                wanted = self._wanted[opening.digest]
                if opening.num_bytes == wanted.model.num_bytes:
                    download = self._models.begin(opening.digest, opening.num_bytes)
                    return download, download.offset
            case "change" if opening.digest in self._wanted:
                wanted = self._wanted[opening.digest]
                if wanted.have is not None and 0 < opening.num_bytes < wanted.model.num_bytes:
                    change = ChangeDownload(
                        self._models, wanted.model, wanted.have, opening.num_bytes
                    )
                    return change, change.offset
        return None, 0

    def _on_complete(self, stream: int) -> None:
        opening, sink = self._incoming.pop(stream, (None, None))
        if opening is None or sink is None or self._session is None:
            return
        if isinstance(sink, _PlanSink):
            self._session.receipt(stream, opening.digest)
            self._plan_hash = None
            self._hears.plan(bytes(sink.data))
            return
        try:
            genuine = sink.finish()
        except OSError as error:
            sink.close()
            self._session.refuse(stream, CloseCode.LIMIT, text="the node could not keep this")
            self._failed(opening.digest, _cannot_keep(error))
            return
        if genuine:
            self._session.receipt(stream, opening.digest)
            wanted = self._wanted.pop(opening.digest, None)
            if wanted is not None and isinstance(sink, ChangeDownload):
                self._hears.saved(_saved(wanted.model, opening.num_bytes))
            self._hears.model(opening.digest)
        else:
            self._session.refuse(stream, CloseCode.CRYPTO, text="the digest does not fit")
            flaw = sink.flaw if isinstance(sink, ChangeDownload) else ""
            self._failed(opening.digest, flaw or _DAMAGED)

    def _failed(self, digest: bytes, why: str) -> None:
        """A model did not get here: ask for it whole, then once more, then give it up."""
        wanted = self._wanted.get(digest)
        if wanted is not None and wanted.have is not None:
            self._wanted[digest] = replace(wanted, have=None)
            self._hears.trouble(f"the model did not arrive ({why}); all of it is fetched")
            self._say(Fetch(kind="model", digest=digest))
            return
        if digest in self._wanted and digest not in self._retried:
            self._retried.add(digest)
            self._hears.trouble(f"{why}; it is fetched once more")
            self._say(Fetch(kind="model", digest=digest))
            return
        self._wanted.pop(digest, None)
        self._retried.discard(digest)
        self._hears.lost(digest, why)

    def _forget(self, stream: int) -> Open | None:
        opening, sink = self._incoming.pop(stream, (None, None))
        if sink is not None and not isinstance(sink, _PlanSink):
            sink.close()
        return opening

    def _is_ours(self, stream: int) -> bool:
        return self._outgoing is not None and self._outgoing[0] == stream

    def _end_upload(self) -> None:
        if self._outgoing is not None:
            self._sent = (self._uploading, self.num_sent(self._uploading))
            self._outgoing[1].close()
        self._outgoing = None
        self._uploading = b""

    def _say(self, message: FromNode) -> None:
        if self._session is not None:
            self._session.send(message)


def _cannot_keep(error: OSError) -> str:
    return f"{_NOT_KEPT}: {error.strerror or error}"


def _saved(model: ModelRef, num_bytes: int) -> str:
    """What a change took of the plain model."""
    return (
        f"the model after round {model.round} came as a change: "
        f"{num_bytes / 1e6:,.1f} of {model.num_bytes / 1e6:,.1f} MB"
    )
