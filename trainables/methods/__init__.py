"""Every search method by name. Adding one is a file in this folder and a line in this table."""

from __future__ import annotations

from typing import Any

from trainables.errors import ConfigError, choose
from trainables.hyperparameters import MethodConfig
from trainables.methods.balenas import Balenas
from trainables.methods.beta_darts import BetaDarts
from trainables.methods.cdarts import Cdarts
from trainables.methods.darts import Darts
from trainables.methods.darts_minus import DartsMinus
from trainables.methods.darts_pt import DartsPt
from trainables.methods.drnas import Drnas
from trainables.methods.enas import Enas
from trainables.methods.fair_darts import FairDarts
from trainables.methods.gaea import Gaea
from trainables.methods.gdas import Gdas
from trainables.methods.idarts import Idarts
from trainables.methods.lambda_darts import LambdaDarts
from trainables.methods.local_search import LocalSearch
from trainables.methods.oles import Oles
from trainables.methods.pc_darts import PcDarts
from trainables.methods.random_search import RandomSearch
from trainables.methods.random_ws import RandomWs
from trainables.methods.regularized_evolution import RegularizedEvolution
from trainables.methods.reinforce import Reinforce
from trainables.methods.reinmax import Reinmax
from trainables.methods.robust_darts import RobustDarts
from trainables.methods.sdarts import Sdarts
from trainables.methods.search_method import Diverged, SearchMethod
from trainables.methods.setn import Setn
from trainables.methods.snas import Snas
from trainables.methods.svge import Svge
from trainables.methods.tpe import Tpe
from trainables.methods.zarts import Zarts
from trainables.spec import TrialSpec

__all__ = ["METHODS", "Diverged", "SearchMethod", "config_of", "method_named"]

METHODS: dict[str, type[SearchMethod[Any]]] = {
    "balenas": Balenas,
    "beta_darts": BetaDarts,
    "cdarts": Cdarts,
    "darts": Darts,
    "darts_minus": DartsMinus,
    "darts_pt": DartsPt,
    "drnas": Drnas,
    "enas": Enas,
    "fair_darts": FairDarts,
    "gaea": Gaea,
    "gdas": Gdas,
    "idarts": Idarts,
    "lambda_darts": LambdaDarts,
    "local_search": LocalSearch,
    "oles": Oles,
    "pc_darts": PcDarts,
    "random_search": RandomSearch,
    "random_ws": RandomWs,
    "regularized_evolution": RegularizedEvolution,
    "reinforce": Reinforce,
    "reinmax": Reinmax,
    "robust_darts": RobustDarts,
    "sdarts": Sdarts,
    "setn": Setn,
    "snas": Snas,
    "svge": Svge,
    "tpe": Tpe,
    "zarts": Zarts,
}


def method_named(name: str) -> type[SearchMethod[Any]]:
    """The class of a method. Raises ConfigError naming the nearest known one."""
    if name not in METHODS:
        raise ConfigError(choose("method", name, METHODS))
    return METHODS[name]


def config_of(spec: TrialSpec) -> MethodConfig:
    """The hyperparameters of a trial, checked and typed as its method declares them. Raises ConfigError."""
    return method_named(spec.method).Config.parse(spec.method, spec.hyperparameters)
