"""The sections of a sensitivity report. One that has nothing to show is left out, and says why."""

from __future__ import annotations

from analysis.pages.figure import Plot
from analysis.pages.page import Section
from analysis.pages.table import Table
from analysis.sensitivity import figures, hyperparameter_figures, tables
from analysis.sensitivity.study import MOST_FOREST_SETTINGS, Sensitivity
from analysis.statistics.estimate import percent

_DEFINITIONS = {
    "Setting": "One combination of hyperparameters. Its value is the mean over its seeds; the unit of replication is "
    "the seed.",
    "Exact ANOVA": "On a full grid with a value for every seed the variance between settings is divided exactly: "
    "nothing is modelled. η² and ω² are shares of all variance, seeds included; ω² is free of what seeds add.",
    "fANOVA": "Off a full grid, the shares that a random forest finds (Hutter et al. 2014, as in Optuna), not "
    f"normalised. It is left out above {MOST_FOREST_SETTINGS} settings.",
    "PED-ANOVA": "Which hyperparameters decide whether a setting is among the best tenth (Watanabe et al. 2023): "
    "another question, and other numbers by design.",
    "p of an importance": "Of that hyperparameter's own null hypothesis, that its levels share one mean whatever the "
    "others do: F test against the seeds within settings on a full grid, else F test of leaving it out of an additive "
    "model of the settings; Holm over the hyperparameters of the method. By chance: the share that it exceeds in "
    "{alpha} of cases if it does not matter. PED-ANOVA's p is of its own null, whole settings shuffled, with Holm too.",
    "Cross-fitting": "The best of many means is too high by luck. Every half of the seeds chooses, the other half "
    "scores; naive numbers choose and score on all seeds.",
    "Intervals": "{percent}, over seeds: Student's t with the jackknife's standard error, or of per-seed curves. From "
    "three seeds.",
    "Robustness profile": "ρ(ε): share of settings whose mean is within ε points of the best; its area up to 5 points "
    "is in the legend.",
    "Tunability": "Gain of the best setting over the default (Probst et al. 2019); of a hyperparameter: when it alone "
    "is tuned, when all but it are, and its Shapley share.",
    "Rank stability": "Simulated studies draw k settings of every method, choose on one half of the seeds, score "
    "on the other.",
}


def build(found: Sensitivity) -> list[Section]:
    """All sections after the summary. Draws figures: call it inside style.style()."""
    return [
        _variance(found),
        _importance(found),
        _effects(found),
        _robustness(found),
        _tuning(found),
        _budget(found),
        _transfer(found),
        Section("methods", "Methods", "What each number is.", definitions=_definitions(found)),
    ]


def _definitions(found: Sensitivity) -> dict[str, str]:
    level = {"alpha": percent(found.alpha), "percent": percent(1 - found.alpha)}
    return {name: text.format(**level) for name, text in _DEFINITIONS.items()}


def _variance(found: Sensitivity) -> Section:
    plot, table = figures.variance(found), tables.variance(found)
    lead = "How much of all variance lies between methods, between the settings of a method, and between seeds."
    if plot is None:
        lead += f" Not known: {found.variance.note}."
    if plot is None and table is None:
        return Section("variance", "Where the variance lies", absent=found.variance.note or "one method and one seed")
    return Section("variance", "Where the variance lies", lead, _known([plot]), _known([table]))


def _importance(found: Sensitivity) -> Section:
    exact = [one.name for one in found.methods if one.anova is not None]
    lead = "Which hyperparameters matter, with their uncertainty over seeds, and a test of each."
    if exact:
        lead += " Where all combinations were run the decomposition is exact, without a surrogate."
    for one in found.methods:
        if one.importances is None:
            lead += f" {one.name} has more settings than fANOVA is given off a full grid; PED-ANOVA is in the table."
        elif one.importances.note and one.importances.table["importance"].isna().all():
            lead += f" {one.name}: {one.importances.note}."
    plots = _known([hyperparameter_figures.importance(one) for one in found.methods])
    rows = [table for one in found.methods for table in (tables.importance(one), tables.decomposition(one))]
    return Section("importance", "Importances", lead, plots, _known(rows))


def _effects(found: Sensitivity) -> Section:
    lead = "How the mean moves along each hyperparameter, all others averaged over."
    for one in found.methods:
        if one.effects.table.empty:
            lead += f" {one.name} has no curves: {one.effects.note}."
    drawn = [
        plot
        for one in found.methods
        for plot in (hyperparameter_figures.effects(one), hyperparameter_figures.surfaces(one))
    ]
    if not _known(drawn):
        return Section("effects", "Main effects and pairs", absent=found.methods[0].effects.note)
    return Section("effects", "Main effects and pairs", lead, _known(drawn))


def _robustness(found: Sensitivity) -> Section:
    lead = "How many settings are good enough, and how bad the others are."
    return Section("robustness", "Robustness to settings", lead, [figures.profiles(found)], [tables.worst_case(found)])


def _tuning(found: Sensitivity) -> Section:
    lead = "What tuning is worth over the default, and which hyperparameter is worth it."
    unknown = [one.name for one in found.methods if one.default is None]
    if unknown:
        lead += f" No default is known among the settings of {', '.join(unknown)}; name one with --default."
    if len(unknown) == len(found.methods):
        absent = f"no default is known among the settings of {', '.join(unknown)}; name one with --default"
        return Section("tuning", "Default against tuned", absent=absent)
    rows = [table for one in found.methods for table in (tables.tunability(one), tables.ablation(one))]
    return Section(
        "tuning", "Default against tuned", lead, _known([figures.default_against_tuned(found)]), _known(rows)
    )


def _budget(found: Sensitivity) -> Section:
    lead = "What a budget of k random settings buys, and whether studies of that budget would rank the methods alike."
    if found.stability is None:
        lead += " One method only, so there is no ranking."
    elif found.stability.table.empty:
        lead += f" No ranking: {found.stability.note}."
    return Section("budget", "Tuning budget", lead, _known([figures.budgets(found), figures.stability(found)]))


def _transfer(found: Sensitivity) -> Section:
    lead = "Whether the best setting of one data set serves another."
    if not found.transfers:
        return Section("transfer", "Transfer", absent="the value is known on one data set only")
    return Section("transfer", "Transfer", lead, _known([figures.transfers(found)]), _known([tables.transfer(found)]))


def _known(items: list[Plot | None] | list[Table | None]) -> list:
    return [item for item in items if item is not None]
