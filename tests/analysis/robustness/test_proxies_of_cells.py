"""Training-free scores beside looked-up accuracies."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from synthetic_store import genotype, trial

from analysis import Results
from analysis.robustness.proxies import proxy_agreement

Study = Callable[..., Results]


def test_training_free_scores_count_a_cell_once_and_turn_what_is_better_low(study: Study) -> None:
    cells = [genotype(i) for i in (0, 0, 11, 22, 33, 44, 55)]
    trials = [trial("m", s, genotype=g) for s, g in enumerate(cells)]
    for row in trials:
        row |= {"proxy_synflow": row["cifar10_test_accuracy"] * 2, "proxy_ntk_condition": row["cifar10_test_accuracy"]}
    found = proxy_agreement(study(trials).trials, "cifar10_test_accuracy").set_index("proxy")
    assert found.loc["synflow", "cells"] == 6
    assert (found["tau"].round(12).to_dict()) == {"synflow": 1.0, "ntk_condition": -1.0}
    assert np.isnan(proxy_agreement(study(trials[:3], name="few").trials, "cifar10_test_accuracy")["tau"]).all()
