"""The sensitivity page: what it finds in a made-up grid, what it refuses, and that it is written whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_store import genotype, trial

from analysis import Results, load_table
from analysis.sensitivity.findings import cautions, findings
from analysis.sensitivity.report import write_sensitivity
from analysis.sensitivity.study import analyse
from trainables.errors import StoreError

Study = Callable[..., Results]
COLUMN = "cifar10_test_accuracy"
RATES, DECAYS = (1e-4, 3e-4, 1e-3), (1e-4, 1e-3, 1e-2)


def grid(method: str = "darts", seeds: int = 4, **common: Any) -> list[dict[str, Any]]:
    """The learning rate moves the accuracy, the weight decay does not."""
    g = np.random.default_rng(1)
    return [
        trial(
            method, s, genotype=genotype(s), config=f"lr={lr}, wd={wd}",
            **{"hp.arch_lr": lr, "hp.arch_weight_decay": wd}, **common,
        ) | {COLUMN: 93 - 2 * abs(np.log10(lr / 3e-4)) + g.normal(0, 0.1), "cifar100_test_accuracy": 70 + g.normal()}
        for lr in RATES for wd in DECAYS for s in range(seeds)
    ]  # fmt: skip


def test_the_hyperparameter_that_matters_is_found_exactly(study: Study) -> None:
    found = analyse(study(grid()).trials, COLUMN)
    (one,) = found.methods
    assert one.anova is not None and one.importances is not None
    assert one.importances.evaluator == "exact ANOVA"
    text = " ".join(findings(found, "demo"))
    assert "darts: arch_lr alone explains" in text and "exact ANOVA, 95 % interval" in text
    assert "9 settings of arch_lr and arch_weight_decay, 4 seeds, full grid" in text


def test_pure_noise_names_no_winner(study: Study) -> None:
    g = np.random.default_rng(5)
    rows = [row | {COLUMN: 93 + g.normal()} for row in grid()]
    assert "no hyperparameter is shown to matter" in " ".join(findings(analyse(study(rows).trials, COLUMN), "demo"))


def test_what_shuffles_cannot_show_is_not_called_unshown(study: Study) -> None:
    found = analyse(study(grid()).trials, COLUMN)
    one = found.methods[0]
    assert one.importances is not None
    shuffled = replace(one.importances, table=one.importances.table.assign(p=0.004), smallest_p=0.004)
    sampled = [replace(one, importances=None, ped_anova=shuffled, alpha=alpha) for alpha in (0.05, 0.001)]
    usual, strict = (" ".join(findings(replace(found, methods=[one]), "demo")) for one in sampled)
    assert "matters, too" in usual and "could be shown" not in usual
    assert "no hyperparameter could be shown to matter" in strict and "smallest p of its shuffles is 0.004" in strict


def test_failures_and_missing_defaults_are_said(study: Study) -> None:
    rows = [r for r in grid("other") if not (r["seed"] == 0 and r["hp.arch_lr"] == RATES[0])]
    lost = [r | {"status": "failed"} for r in grid("other")[:1]]
    found = analyse(study([*rows, *lost, trial("solo", 0, genotype=genotype(1))]).trials, COLUMN)
    text = " ".join(cautions(found))
    assert "1 of 34 trials of other gave no result" in text and "no full grid" in text
    assert "No default of other is known" in text and "One setting only, so nothing to analyse: solo" in text


def test_a_given_default_is_compared_with_the_best(study: Study) -> None:
    default = {"arch_lr": 1e-4, "arch_weight_decay": 1e-3}
    found = analyse(study(grid()).trials, COLUMN, default=default)
    text = " ".join(findings(found, "demo"))
    assert "darts: Tuning gains " in text and "points over the default (95 % interval" in text
    one = found.methods[0].tunability
    assert one is not None and 0.5 < one.gap.estimate < one.naive_gap + 0.3


def test_every_tuning_sentence(study: Study) -> None:
    found = analyse(study(grid()).trials, COLUMN, default={"arch_lr": 1e-4, "arch_weight_decay": 1e-3})
    one = found.methods[0]
    assert one.tunability is not None
    cases = {
        "not shown to gain": (0.1, -0.2, 0.4),
        "worse than the default by 0.30": (-0.3, -0.4, -0.1),
        "too few seeds for an interval": (0.1, float("nan"), float("nan")),
        "One seed cannot tell": (float("nan"), float("nan"), float("nan")),
    }
    for said, (estimate, low, high) in cases.items():
        gap = replace(one.tunability.gap, estimate=estimate, low=low, high=high)
        changed = replace(found, methods=[replace(one, tunability=replace(one.tunability, gap=gap))])
        assert said in " ".join(findings(changed, "demo"))


def test_nothing_varied_and_unknown_methods_are_refused(study: Study) -> None:
    trials = study([trial("darts", s, genotype=genotype(s)) for s in range(3)]).trials
    with pytest.raises(StoreError, match="run a study with a grid"):
        analyse(trials, COLUMN)
    with pytest.raises(StoreError, match="unknown method"):
        analyse(trials, COLUMN, method="dart")


def test_a_default_that_was_not_run_is_refused(study: Study) -> None:
    with pytest.raises(StoreError, match="must be among those that were run"):
        analyse(study(grid()).trials, COLUMN, default={"arch_lr": 1.0, "arch_weight_decay": 1e-3})


def test_a_whole_page_of_two_methods(study: Study, tmp_path: Path) -> None:
    results = study([*grid("darts", 3), *grid("gaea", 3)])
    page = write_sensitivity(results, tmp_path / "s.html", default={"arch_lr": 1e-4, "arch_weight_decay": 1e-3})
    drawn = {path.stem for path in (tmp_path / "s_files" / "figures").glob("*.svg")}
    shared = {"variance_shares", "robustness_profile", "default_tuned", "best_of_k", "rank_stability", "transfer"}
    own = {f"{kind}_darts" for kind in ("importance", "effects", "surfaces")}
    assert shared | own <= drawn
    tables = {path.stem for path in (tmp_path / "s_files" / "tables").glob("*.csv")}
    assert {"overview", "variance", "worst_case", "anova_darts", "tunability_darts", "ablation_darts"} <= tables
    assert "Main effects and pairs" in page.read_text()


def test_one_seed_of_a_foreign_table_still_makes_a_page(tmp_path: Path) -> None:
    lines = ["method,dataset,seed,hp.lr,hp.act,acc", *(f"mlp,car,0,{x},{a},{70 + x}" for x in range(6) for a in "uv")]
    (tmp_path / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    page = write_sensitivity(load_table(tmp_path / "t.csv", "acc"), tmp_path / "s.html").read_text()
    assert "Too few seeds for intervals: mlp (1)" in page
