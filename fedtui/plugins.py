"""The registry that nobody edits: a plug-in's file name is its name.

`names(kind)` lists a folder without importing it; `build(kind, name, **options)` imports exactly
`fedtui/<kind>/<name>.py` and calls its `build`. A plan arrives over the network, so a name that
the listing does not find is refused before anything is imported: nobody makes a node import what
they spell. `build_file` does the same for a file of the operator's own, pinned by its hash.

An operator's own strategies, selections and aggregators lie in a folder that is theirs,
`KIND/NAME.py`, which `use_own` names; the processes that this one starts know it, too. They are
listed and built like ours, whose names they cannot have. A file is read once: what was hashed is
what runs.

`Any` is at home here and nowhere else: what a plug-in is, its kind's own module says.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.abc
import importlib.util
import inspect
import os
import shutil
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fedtui.errors import ExitCode, OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

KINDS = (
    "aggregators",
    "attacks",
    "selection",
    "strategies",
    "tasks",
    "tracking",
    "transforms",
)
OWN_KINDS = ("aggregators", "selection", "strategies")
"""What an operator may have own files of, beside tasks, which run in a process of their own."""
OWN_VARIABLE = "FEDTUI_PLUGINS"
_NOT_PLUGINS = {"__init__", "base"}
MAX_FILE_BYTES = 2**20
_own: dict[Path, tuple[str, ModuleType]] = {}  # what was read: its hash, and what came of it


class PluginError(OperatorError, ValueError):
    """A plug-in that does not exist or does not take these options."""

    exit_code = ExitCode.BAD_CONFIG


def names(kind: str) -> tuple[str, ...]:
    """Every plug-in of a kind (a folder name of KINDS), sorted; nothing is imported."""
    if kind not in KINDS:
        raise PluginError(f"there is no kind of plug-in {kind!r}; there are {', '.join(KINDS)}")
    found = _ours(kind) | {path.stem for path in _own_files(kind)}
    return tuple(sorted(name for name in found - _NOT_PLUGINS if not name.startswith("_")))


def _ours(kind: str) -> set[str]:
    return {path.stem for path in (Path(__file__).parent / kind).glob("*.py")}


def use_own(folder: Path) -> None:
    """From now on, the operator's own plug-ins are those in `folder`, if there is one."""
    os.environ[OWN_VARIABLE] = str(folder.absolute())


def is_own(filename: str) -> bool:
    """Whether this is a file of the operator's own that was read."""
    return Path(filename) in _own


def forget_own() -> None:
    """Read the operator's own plug-ins anew when they are needed next."""
    _own.clear()


def keep_own(source: Path, target: Path) -> None:
    """Copy the operator's own plug-ins, if there are any. Raises OSError."""
    for kind in OWN_KINDS:
        for path in sorted(Path(source, kind).glob("*.py")):
            (target / kind).mkdir(mode=0o700, parents=True, exist_ok=True)
            shutil.copyfile(path, target / kind / path.name)
            (target / kind / path.name).chmod(0o600)


def _own_files(kind: str) -> list[Path]:
    folder = os.environ.get(OWN_VARIABLE, "")
    return sorted(Path(folder, kind).glob("*.py")) if folder and kind in OWN_KINDS else []


def own_hash(kind: str, name: str) -> str:
    """SHA-256 of the operator's own file of this name, as hex; "" if it is one of ours, or none.

    Raises:
        PluginError: the file cannot be read, or has the name of one of ours.
    """
    found = _own_of(kind, name)
    return "" if found is None else found[0]


def _own_of(kind: str, name: str) -> tuple[str, ModuleType] | None:
    """The hash and the module of the operator's own file of this name, read once."""
    path = next((path for path in _own_files(kind) if path.stem == name), None)
    if path is None:
        return None
    if name in _ours(kind):
        raise PluginError(f"{path} has the name of one of fedtui's own {kind}: call it otherwise")
    if path not in _own:
        source = _source(path, "file")
        name = f"fedtui_own_{path.parent.name}_{path.stem}"
        _own[path] = (file_hash(source), _run(path, source, name, "file"))
    return _own[path]


def build(kind: str, name: str, **options: Any) -> Any:
    """Build the plug-in `name` of a kind.

    Raises:
        PluginError: no such plug-in, or options that it does not take.
    """
    return _call(_module(kind, name), f"{name!r} of {kind}", options)


def builder(kind: str, name: str) -> Any:
    """The plug-in's `build` itself, not called. Raises PluginError when there is none."""
    return _maker(_module(kind, name), f"{name!r} of {kind}")


def options(kind: str, name: str) -> tuple[str, ...]:
    """The names of a plug-in's options. Raises PluginError."""
    return tuple(inspect.signature(builder(kind, name)).parameters)


def nearest(name: str, known: Iterable[str]) -> str:
    """`", did you mean 'fedavgm'?"` if one of the known names is like this one, else nothing."""
    close = difflib.get_close_matches(name[:64], list(known), n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""


def _module(kind: str, name: str) -> ModuleType:
    known = names(kind)
    if name not in known:
        listed = ", ".join(known) or "none"
        meant = nearest(name, known)
        raise PluginError(f"{kind} has no {name[:64]!r}{meant}; there are: {listed}")
    if (found := _own_of(kind, name)) is not None:
        return found[1]
    return importlib.import_module(f"fedtui.{kind}.{name}")


def file_hash(source: bytes) -> str:
    """SHA-256 of a plug-in file as hex: what the operator pins and a plan names."""
    return hashlib.sha256(source).hexdigest()


def build_file(path: Path, pinned_hash: str | None, /, **options: Any) -> Any:
    """Build from an operator's own file. It runs as code: only call this in the trainer process.

    The bytes are read once; the very bytes that were hashed are the ones that run.

    Raises:
        PluginError: unreadable, too large, changed since it was pinned, broken, or without a
            `build`.
    """
    source = _source(path, "task file")
    if pinned_hash is not None and file_hash(source) != pinned_hash:
        raise PluginError(
            f"the task file {path} changed since it was added: look at it, then add it again"
        )
    module = _run(path, source, "fedtui_own_task", "task file")
    return _call(module, f"the task file {path}", options)


def _source(path: Path, what: str) -> bytes:
    try:
        source = path.read_bytes()
    except OSError as error:
        raise PluginError(f"cannot read the {what} {path}: {error.strerror}") from error
    if len(source) > MAX_FILE_BYTES:
        raise PluginError(f"the {what} {path} is larger than {MAX_FILE_BYTES} bytes")
    return source


def _run(path: Path, source: bytes, name: str, what: str) -> ModuleType:
    """The module that these bytes make."""
    loader = _BytesLoader(path, source)
    spec = importlib.util.spec_from_loader(name, loader, origin=str(path))
    if spec is None:
        raise PluginError(f"cannot load the {what} {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look up what annotations name
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        where = _line_in(error, str(path))
        raise PluginError(
            f"the {what} {path}{where} failed: {type(error).__name__}: {error}"
        ) from error
    return module


class _BytesLoader(importlib.abc.SourceLoader):
    """Runs bytes already in hand; never looks at the file again and writes no bytecode."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path = path
        self._source = source

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002 - the base class's signature
        return str(self._path)

    def get_data(self, path: str | bytes) -> bytes:  # noqa: ARG002 - the base class's signature
        return self._source


def fault(what: str, error: Exception) -> str:
    """A sentence about a plug-in that raised what it must not: what, which error, and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return f"{what} failed: {type(error).__name__}: {error} ({where})"


def _line_in(error: BaseException, filename: str) -> str:
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}" if error.lineno else ""
    line = None
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == filename:
            line = frame.tb_lineno
        frame = frame.tb_next
    return f", line {line}" if line else ""


def _maker(module: ModuleType, what: str) -> Any:
    maker = getattr(module, "build", None)
    if not callable(maker):
        raise PluginError(f"{what} has no `build`: end it with `build = YourClass`")
    return maker


def _call(module: ModuleType, what: str, options: dict[str, Any]) -> Any:
    maker = _maker(module, what)
    try:
        signature = inspect.signature(maker)
        signature.bind(**options)
    except TypeError as error:
        known = tuple(inspect.signature(maker).parameters)
        taken = ", ".join(known) or "no options"
        meant = "".join(nearest(key, known) for key in options if key not in known)
        raise PluginError(
            f"{what} does not take these options ({error}){meant}; it takes {taken}"
        ) from error
    except ValueError:
        pass  # a builtin without a signature: let the call itself decide
    else:
        _check_kinds(signature, options, what)
    try:
        return maker(**options)
    except (TypeError, ValueError) as error:
        raise PluginError(f"{what} refused its options: {error}") from error


def _check_kinds(signature: inspect.Signature, options: dict[str, Any], what: str) -> None:
    """Refuse true and false for a number, which would count as 1 and 0, and the other way round.

    Raises:
        PluginError: an option of this kind, by the plug-in's own default for it.
    """
    for name, value in options.items():
        usual = getattr(signature.parameters.get(name), "default", None)
        if isinstance(usual, bool) and not isinstance(value, bool):
            raise PluginError(f"{what}: {name} is true or false, not {value!r}")
        if isinstance(value, bool) and type(usual) in {int, float}:
            raise PluginError(f"{what}: {name} is a number, such as {usual}, not {value}")
