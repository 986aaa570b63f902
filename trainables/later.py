"""torch, imported when it is first used: its import takes over a second, and reading what a method is needs none of it.

Whatever a registry, a plan or a report imports takes it from here:

    from trainables.later import F, Tensor, torch

``Tensor`` is for annotations, which nothing evaluates. A file that derives classes from torch's needs it at once, and
is itself imported where a search is built.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["F", "Tensor", "optuna", "torch"]


class Later(ModuleType):
    """Stands for the module of this name, and imports it for the first look into it."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(import_module(self.__name__), name)
        setattr(self, name, value)  # the next look costs no more than one into the module itself
        return value


if TYPE_CHECKING:
    import optuna
    import torch
    import torch.nn.functional as F
    from torch import Tensor
else:
    optuna, torch, F = (Later(name) for name in ("optuna", "torch", "torch.nn.functional"))
    Tensor = "torch.Tensor"
