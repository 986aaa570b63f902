"""TPE: model the operations of good and of other cells by two densities and query where their ratio is largest.

Paper: Bergstra, Bardenet, Bengio and Kegl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; the form
implemented here is described by Watanabe, arXiv:2304.11127.  Code: Optuna's TPESampler.

    the first ``startup`` cells are uniform;  then split the history at its best gamma(n) = min(ceil(0.1 n), 25) cells:
    l(o) from the good ones, g(o) from the others, each a smoothed categorical over the five operations of an edge
    draw ``candidates`` cells from l;  query the one with the largest l / g.
    multivariate false: edges one by one (Bergstra et al.);  true: l and g are mixtures over all six edges jointly.

With the default ``candidates`` every edge's best ratio is found almost surely, so that about half of 150 proposals with
``multivariate`` false repeat an earlier cell; fewer candidates explore more.

The sampler of every proposal is new and seeded by one draw from the trial's stream, so a proposal depends on the stream
and the history alone. A resumed search is told its history again.

Deviations:
1. All settings other than the three below are Optuna's defaults; proposals may change with Optuna's version.
   ``multivariate`` is off as in the paper; Optuna itself defaults to on since version 5, to off before.
2. A cell proposed again costs a query and its time.
3. By default the signal is the 200-epoch validation accuracy, mean over training seeds.
"""

from __future__ import annotations

from typing import Any

from trainables.hyperparameters import Range, hyperparameter
from trainables.later import optuna, torch
from trainables.methods.checked import Checked
from trainables.methods.search_method import TableContext
from trainables.methods.table_search import TableSearch, TableSearchConfig
from trainables.spaces.nas_bench_201 import EDGES, OPERATIONS, Genotype

_OPTUNA = "Optuna, TPESampler"


class TpeConfig(TableSearchConfig):
    startup: int = hyperparameter(10, "random cells before the first model", source=_OPTUNA, search=Range(5, 50), ge=1)
    candidates: int = hyperparameter(
        24, "draws from the good density per proposal", source=_OPTUNA, search=Range(1, 200, log=True), ge=1
    )
    multivariate: bool = hyperparameter(
        False, "model all edges jointly instead of one by one", source="Bergstra et al. 2011, section 4"
    )


def categoricals() -> dict[str, optuna.distributions.BaseDistribution]:
    """One an edge, in the order of EDGES."""
    operations = optuna.distributions.CategoricalDistribution(range(len(OPERATIONS)))
    return {f"edge_{e}": operations for e in range(len(EDGES))}


class Tpe(TableSearch[TpeConfig]):
    """Optuna's TPE over six categoricals on the table."""

    Config = TpeConfig
    checked = Checked("runs it", "Optuna", "2026-11")
    paper = (
        "Bergstra, Bardenet, Bengio, Kegl. Algorithms for Hyper-Parameter Optimization. NeurIPS 2011; Watanabe. "
        "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components and Their Roles. arXiv:2304.11127"
    )

    def __init__(self, config: TpeConfig, context: TableContext) -> None:
        super().__init__(config, context)
        self.edges = categoricals()
        self.study = self._told([])
        self.asked: optuna.Trial

    @classmethod
    def relative_cost(cls, config: Any) -> float:
        return 200.0

    def propose(self) -> Genotype:
        self.study.sampler = optuna.samplers.TPESampler(
            seed=int(torch.randint(2**32 - 1, (), generator=self.generator)),
            n_startup_trials=self.config.startup,
            n_ei_candidates=self.config.candidates,
            multivariate=self.config.multivariate,
        )
        self.asked = self.study.ask(self.edges)
        return Genotype(tuple(self.asked.params[name] for name in self.edges))

    def observe(self, cell: int, value: float) -> None:
        self.study.tell(self.asked, value)

    def _told(self, cells: list[int]) -> optuna.Study:
        """A study whose history is these cells, in order."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize")
        for cell in cells:
            params = dict(zip(self.edges, Genotype.from_index(cell).operations, strict=True))
            study.add_trial(optuna.trial.create_trial(params=params, distributions=self.edges, value=self.value(cell)))
        return study

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.study = self._told(self.queried)
