"""fANOVA and PED-ANOVA as Optuna has them, on the mean of each setting over its seeds.

One trial a setting, never one a seed: repeated settings are duplicates to both, and pretend to certainty that is not
there. Hyperparameters are handed over on their own scale, mapped to [0, 1], because Optuna's fANOVA integrates a
logarithmic range linearly; integers on a linear scale count in ones and categories stay categories.
"""

from __future__ import annotations

import warnings

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import (
    BaseImportanceEvaluator,
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)

from analysis.sensitivity.numbers.scales import Hyperparameter
from analysis.sensitivity.numbers.settings import Settings
from analysis.statistics.estimate import FloatArray


class OptunaImportance:
    """The settings as an Optuna study, built once: every call evaluates other means of the same settings."""

    def __init__(self, settings: Settings) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.names = list(settings.names)
        self.study = optuna.create_study(direction="minimize")
        distributions = {h.name: _distribution(h) for h in settings.hyperparameters}
        columns = [_parameters(h, settings, place) for place, h in enumerate(settings.hyperparameters)]
        self.study.add_trials(
            optuna.trial.create_trial(
                params=dict(zip(self.names, row, strict=True)), distributions=dict(distributions), value=0.0
            )
            for row in zip(*columns, strict=True)
        )

    def fanova(self, means: FloatArray, trees: int, seed: int) -> FloatArray:
        """The share of the variance of ``means`` [H] that each main effect has, [p], of a forest of ``trees`` trees."""
        return self._evaluate(FanovaImportanceEvaluator(n_trees=trees, seed=seed), means)

    def ped_anova(self, means: FloatArray, quantile: float) -> FloatArray:
        """How far the best ``quantile`` of ``means`` [H] is from all settings along each hyperparameter, [p].

        A Pearson divergence times ``quantile``²: no share of a total.
        """
        return self._evaluate(PedAnovaImportanceEvaluator(target_quantile=quantile), means)

    def _evaluate(self, evaluator: BaseImportanceEvaluator, means: FloatArray) -> FloatArray:
        losses = (-means).tolist()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of normalize
            warnings.filterwarnings("ignore", ".*computes the importances of params to achieve low")
            found = get_param_importances(
                self.study, evaluator=evaluator, normalize=False, target=lambda trial: losses[trial.number]
            )
        return np.array([found[name] for name in self.names])


def _distribution(hyperparameter: Hyperparameter) -> BaseDistribution:
    if hyperparameter.scale == "categorical":
        return CategoricalDistribution(hyperparameter.levels)
    if hyperparameter.integer and hyperparameter.scale == "linear":
        return IntDistribution(int(hyperparameter.low), int(hyperparameter.high))
    return FloatDistribution(0.0, 1.0)


def _parameters(hyperparameter: Hyperparameter, settings: Settings, place: int) -> list[object]:
    if isinstance(_distribution(hyperparameter), FloatDistribution):
        return settings.unit[:, place].tolist()
    return [hyperparameter.levels[code] for code in settings.codes[:, place]]
