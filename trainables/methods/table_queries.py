"""What every search on the benchmark table keeps: the cells it queried, the best of them, and what they cost."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from trainables.hyperparameters import MethodConfig, hyperparameter
from trainables.methods.search_method import Metrics, Needs, SearchMethod, TableContext
from trainables.spaces.nas_bench_201 import Genotype
from trainables.spaces.space import Architecture


class TableQueriesConfig(MethodConfig):
    signal_epochs: Literal[200, 12] = hyperparameter(
        200, "length of the training whose validation accuracy is read", source="naszilla; NAS-Bench-201: 12"
    )


ConfigT = TypeVar("ConfigT", bound=TableQueriesConfig)


class TableQueries(SearchMethod[ConfigT]):
    """Reads validation accuracies from the table; ``current`` is the best cell seen, the first of equals."""

    context: TableContext

    def __init__(self, config: ConfigT, context: TableContext) -> None:
        super().__init__(config, context)
        self.queried: list[int] = []
        self.incumbent = -1
        self.spent_s = 0.0

    @classmethod
    def spaces(cls, config: Any) -> tuple[str, ...] | None:
        return ("nas_bench_201",)  # whose cells the table knows

    @classmethod
    def needs(cls, config: Any) -> Needs:
        return "table"

    @classmethod
    def signal_epochs(cls, config: Any) -> int:
        return config.signal_epochs

    def value(self, cell: int) -> float:
        """Validation accuracy of a cell in percent."""
        return float(self.context.signal.accuracy[cell])

    def query(self, cell: int) -> None:
        """Spend a query on the cell of this index."""
        self.queried.append(cell)
        if self.incumbent < 0 or self.value(cell) > self.value(self.incumbent):
            self.incumbent = cell
        if self.context.signal.cost_s is not None:
            self.spent_s += float(self.context.signal.cost_s[cell])

    def spent(self) -> Metrics:
        """Queries so far, and the simulated seconds where they are known."""
        known = {} if self.context.signal.cost_s is None else {"simulated_s": self.spent_s}
        return {"queries": len(self.queried), **known}

    def current(self) -> Architecture:
        return Genotype.from_index(self.incumbent)

    def state_dict(self) -> dict[str, Any]:
        return {"queried": self.queried, "incumbent": self.incumbent, "spent_s": self.spent_s}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.queried, self.incumbent, self.spent_s = list(state["queried"]), state["incumbent"], state["spent_s"]
