"""Lazily: what takes long to import is fetched when it is first used.

Importing torch takes longer than fitting a small table, and such a fit does not need it (`isthmus.training.
plain`). Modules on its way name torch as `from isthmus.lazily import torch`, and packages offer what needs
torch by a `__getattr__` that `fetching` makes.

>>> json = Deferred("json")
>>> json.dumps([1])
'[1]'
"""

from __future__ import annotations

import functools
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

__all__ = ["Deferred", "fetched", "fetching", "torch", "without_gradients"]

Parameters = ParamSpec("Parameters")
Value = TypeVar("Value")


class Deferred:
    """A module that is imported when something of it is first asked for; what was asked for is kept here, so
    that it costs no more than an attribute of the module itself.
    """

    def __init__(self, name: str) -> None:
        self._module_name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what the interpreter asks of any object
            raise AttributeError(name)
        value = getattr(fetched(self._module_name), name)
        setattr(self, name, value)
        return value


def fetched(module: str) -> Any:
    """A module, imported without collecting garbage: what an import makes stays, and looking for garbage in
    it took a tenth of a first fit. One that another thread is importing is waited for.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with _uninterrupted():
            return import_module(module)
    finally:
        if collecting:
            gc.enable()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits for the end of the block, and so does SIGTERM where a handler has it: an import of torch
    that they meet ends the process.
    """
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    handlers = {number: handler for number, handler in usual.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}
    met: list[Any] = []
    for number in handlers:
        signal.signal(number, lambda *arguments: met.append(arguments))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if met:
        handlers[met[0][0]](*met[0])


def fetching(package: str, homes: dict[str, str]) -> Callable[[str], Any]:
    """`__getattr__` of a package: names by the module inside it that has them, separated by blanks."""
    module_of = {name: f"{package}.{home}" for home, names in homes.items() for name in names.split()}

    def fetch(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(fetched(module_of[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return fetch


torch: Any = Deferred("torch")


def without_gradients(function: Callable[Parameters, Value]) -> Callable[Parameters, Value]:
    """`torch.no_grad()` as a decorator, torch being imported at the first call only."""

    @functools.wraps(function)
    def quiet(*arguments: Parameters.args, **keywords: Parameters.kwargs) -> Value:
        with torch.no_grad():
            return function(*arguments, **keywords)

    return quiet
