"""torch's compiler, left out until something compiles: nothing here does, and its import takes three seconds.

torch's optimizers import ``torch._dynamo`` where they are made, only to be left alone by it. Every worker would pay for
that before its first epoch.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])
NAME = "torch._dynamo"


class NoCompiler(ModuleType):
    """``torch._dynamo`` as far as the optimizers know it; whoever looks for more gets the module itself."""

    @staticmethod
    def disable(function: F, *_: Any, **__: Any) -> F:
        return function

    @staticmethod
    def graph_break() -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":
            raise AttributeError(name)
        if sys.modules.get(NAME) is self:
            del sys.modules[NAME]
        return getattr(import_module(NAME), name)


def leave_out_compiler() -> None:
    """From here on, unless it is imported already."""
    if NAME not in sys.modules:
        sys.modules[NAME] = torch._dynamo = NoCompiler(NAME)
