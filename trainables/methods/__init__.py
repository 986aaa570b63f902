"""Every search method by name. Adding one is a file in this folder and a line in this table."""

from __future__ import annotations

from typing import Any

from trainables.errors import ConfigError, choose
from trainables.methods.darts import Darts
from trainables.methods.drnas import Drnas
from trainables.methods.gaea import Gaea
from trainables.methods.local_search import LocalSearch
from trainables.methods.random_search import RandomSearch
from trainables.methods.regularized_evolution import RegularizedEvolution
from trainables.methods.search_method import Diverged, SearchContext, SearchMethod

__all__ = ["METHODS", "Diverged", "SearchContext", "SearchMethod", "method_named"]

METHODS: dict[str, type[SearchMethod[Any]]] = {
    "darts": Darts,
    "drnas": Drnas,
    "gaea": Gaea,
    "local_search": LocalSearch,
    "random_search": RandomSearch,
    "regularized_evolution": RegularizedEvolution,
}


def method_named(name: str) -> type[SearchMethod[Any]]:
    """The class of a method. Raises ConfigError naming the nearest known one."""
    if name not in METHODS:
        raise ConfigError(choose("method", name, METHODS))
    return METHODS[name]
