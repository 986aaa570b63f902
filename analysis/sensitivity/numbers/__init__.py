"""What hyperparameters do to a method: pure functions from tidy trials to numbers with intervals and words.

``read_settings`` turns the trials of one method on one data set into settings x seeds; everything else takes that. The
unit of replication is the seed: intervals are over seeds, and randomness comes from a generator that is handed in. What
cannot be computed is NaN or an empty table, and ``note`` says why.

    scales         the axis of a hyperparameter: linear, logarithmic, categories
    settings       trials -> settings x seeds
    jackknife      intervals over seeds
    noise          what seeds do within a setting
    crossfit       choose on some seeds, score on the others
    grid           exact analysis of variance of a full grid
    importance_tests  whether a hyperparameter matters, whatever the others do
    importance     exact, fANOVA and PED-ANOVA importances, each with a test
    effects        main-effect curves and pairwise surfaces
    components     variance of methods, settings and seeds
    tunability     default against tuned, and each hyperparameter's part
    ablation       the path from the default to the best
    profile        share of settings within eps of the best
    neighbourhood  worst case and CVaR near the default and everywhere
    budget         expected best of k random settings
    stability      ranking of tuned methods at each budget
    transfer       best settings and rankings across data sets
"""

from analysis.sensitivity.numbers.ablation import Ablation, ablation_path
from analysis.sensitivity.numbers.budget import BudgetCurve, expected_best
from analysis.sensitivity.numbers.components import VarianceDecomposition, variance_decomposition
from analysis.sensitivity.numbers.effects import Effects, lines, main_effects, pairwise_effect
from analysis.sensitivity.numbers.grid import Anova, anova
from analysis.sensitivity.numbers.importance import (
    Importances,
    exact_importances,
    fanova_importances,
    importances,
    ped_anova_importances,
)
from analysis.sensitivity.numbers.neighbourhood import Neighbourhood, tail_of_neighbourhoods
from analysis.sensitivity.numbers.noise import noise_share, seed_variance
from analysis.sensitivity.numbers.profile import RobustnessProfile, robustness_profile
from analysis.sensitivity.numbers.scales import Hyperparameter
from analysis.sensitivity.numbers.settings import Settings, read_settings
from analysis.sensitivity.numbers.stability import RankStability, rank_stability
from analysis.sensitivity.numbers.transfer import Transfer, transfer
from analysis.sensitivity.numbers.tunability import Tunability, declared_defaults, tunability

__all__ = [
    "Ablation",
    "Anova",
    "BudgetCurve",
    "Effects",
    "Hyperparameter",
    "Importances",
    "Neighbourhood",
    "RankStability",
    "RobustnessProfile",
    "Settings",
    "Transfer",
    "Tunability",
    "VarianceDecomposition",
    "ablation_path",
    "anova",
    "declared_defaults",
    "exact_importances",
    "expected_best",
    "fanova_importances",
    "importances",
    "lines",
    "main_effects",
    "noise_share",
    "pairwise_effect",
    "ped_anova_importances",
    "rank_stability",
    "read_settings",
    "robustness_profile",
    "seed_variance",
    "tail_of_neighbourhoods",
    "transfer",
    "tunability",
    "variance_decomposition",
]
