"""The tables of a sensitivity report, each made of the objects of study.py and numbers/."""

from __future__ import annotations

import pandas as pd

from analysis.pages.table import Table
from analysis.pages.words import interval, listed, number, p_value
from analysis.results import accuracies
from analysis.results.accuracies import slug
from analysis.sensitivity.study import MethodSensitivity, Sensitivity

_MEASURES = {
    "alone": "tuned alone",
    "missed": "lost if not tuned",
    "shapley": "Shapley share",
    "pair": "pair tuned alone",
    "interaction": "interaction",
}


def overview(found: Sensitivity) -> Table:
    """One row a method: what was run and what came out."""
    methods, sign, best = found.methods, accuracies.sign(found.column), f"best setting{accuracies.unit(found.column)}"
    data = pd.DataFrame(
        {
            "method": [one.name for one in methods],
            "settings": [len(one.settings.table) for one in methods],
            "seeds": [one.settings.n for one in methods],
            "without a value": [one.settings.failed for one in methods],
            best: [sign * float(one.settings.means[pd.notna(one.settings.means)].max()) for one in methods],
            "within 1 point (%)": [100 * one.profile.share(1.0) for one in methods],
            "tuning gain (points)": [
                float("nan") if one.tunability is None else one.tunability.gap.estimate for one in methods
            ],
        }
    )
    shown = data.assign(
        **{
            best: data[best].map(number),
            "within 1 point (%)": data["within 1 point (%)"].map(lambda v: number(v, 0)),
            "tuning gain (points)": [
                "no default"
                if one.tunability is None
                else _bounded(one.tunability.gap.estimate, one.tunability.gap.low, one.tunability.gap.high)
                for one in methods
            ],
        }
    )
    caption = (
        f"{found.title}, {accuracies.direction(found.column)}. Best setting: best mean over seeds, too good by luck. "
        "Within 1 point: share of "
        "the settings that close to it. Tuning gain: best over default, chosen and scored on different seeds, "
        f"{found.interval}."
    )
    return Table("overview", "What was varied", caption, shown, data)


def variance(found: Sensitivity) -> Table | None:
    table = found.variance.table
    if table.empty:
        return None
    shown = pd.DataFrame(
        {
            "component": table["component"],
            "std (points)": (table["variance"] ** 0.5).map(number),
            "share (%)": (100 * table["share"]).map(lambda v: number(v, 1)),
            f"{found.interval} (%)": [interval(100 * row.low, 100 * row.high, 1) for row in table.itertuples()],
        }
    )
    test = found.variance.test
    words = f" {test.method}: p {p_value(test.p)}." if test.p >= 0 else ""
    note = f" {found.variance.note}." if found.variance.note else ""
    return Table("variance", "Variance components", f"{_sentence(found.variance.method)}.{words}{note}", shown, table)


def importance(one: MethodSensitivity) -> Table:
    """Both evaluators beside each other."""
    ped = one.ped_anova.table.set_index("hyperparameter")
    main = (one.importances or one.ped_anova).table
    main = main[main["hyperparameter"].isin(one.settings.names)]
    shown = pd.DataFrame({"hyperparameter": main["hyperparameter"]})
    data = main.copy()
    if one.importances is not None:
        shown[f"{one.importances.evaluator} (%)"] = [_percents(r.importance, r.low, r.high) for r in main.itertuples()]
        if main["null"].notna().any():
            shown["by chance up to (%)"] = (100 * main["null"]).map(lambda v: number(v, 1))
        shown["p, Holm"] = main["p"].map(p_value)
    named = ped.loc[list(main["hyperparameter"])]
    if named["importance"].notna().any():
        shown["PED-ANOVA"] = [number(v, 4) for v in named["importance"]]
        shown["PED-ANOVA p, Holm"] = [p_value(v) for v in named["p"]]
    data = data.assign(ped_anova=named["importance"].to_numpy(), ped_anova_p=named["p"].to_numpy())
    words = [] if one.importances is None else [one.importances.method]
    caption = f"{_sentence('; '.join([*words, one.ped_anova.method]))}. Each p is of one, whatever the others do."
    return Table(f"importance_{slug(one.name)}", f"Importances, {one.name}", caption, shown, data)


def decomposition(one: MethodSensitivity, most: int = 12) -> Table | None:
    """The largest terms of the exact analysis of variance; None off a full grid."""
    if one.anova is None:
        return None
    data = one.anova.terms.drop(columns="names").sort_values("eta2", ascending=False, kind="stable")
    top = data.head(most)
    shown = pd.DataFrame(
        {
            "term": top["term"],
            "η² (%)": (100 * top["eta2"]).map(lambda v: number(v, 1)),
            "ω² (%)": [_percents(r.omega2, r.low, r.high) for r in top.itertuples()],
            "p": top["p"].map(p_value),
        }
    )
    cut = f" The {most} largest of {len(data)} terms; the CSV has all." if len(data) > most else ""
    return Table(
        f"anova_{slug(one.name)}",
        f"Exact decomposition, {one.name}",
        f"{_sentence(one.anova.method)}.{cut}",
        shown,
        data,
    )


def tunability(one: MethodSensitivity) -> Table | None:
    """What each hyperparameter gains; None without a default."""
    t = one.tunability
    if t is None:
        return None
    rows = t.table[t.table["gain"].notna() | t.table["naive"].notna()]
    shown = pd.DataFrame(
        {
            "hyperparameter": rows["hyperparameter"],
            "measure": rows["measure"].map(_MEASURES),
            "gain (points)": [_bounded(r.gain, r.low, r.high) for r in rows.itertuples()],
            "naive (points)": rows["naive"].map(number),
        }
    )
    setting = {"default": t.default, "best": t.best}
    words = "; ".join(f"{k}: {listed((f'{n}={v}' for n, v in s.items()), 12)}" for k, s in setting.items())
    caption = (
        f"{words}. {t.method}. The naive gap {number(t.naive_gap)} is {number(t.inflation)} too high; "
        f"{number(t.expected_inflation)} would be expected if all settings were equally good."
    )
    return Table(f"tunability_{slug(one.name)}", f"Tunability, {one.name}", caption, shown, t.table)


def ablation(one: MethodSensitivity) -> Table | None:
    """The path from the default to the best; None without a default, or where it is the best."""
    a = one.ablation
    if a is None or a.table.empty:
        return None
    sign = accuracies.sign(one.column)
    shown = pd.DataFrame(
        {
            "change": [f"{r.hyperparameter}: {r.before} → {r.after}" for r in a.table.itertuples()],
            f"then{accuracies.unit(one.column)}": (sign * a.table["value"]).map(number),
            "gain (points)": [_bounded(r.gain, r.low, r.high) for r in a.table.itertuples()],
            "Shapley (points)": a.table["shapley"].map(number),
        }
    )
    early = f" {_sentence(a.note)}." if a.note else ""
    start = f"{number(sign * a.start_value)}{accuracies.percent(one.column)}"
    caption = f"From {start} at the default; {a.method}.{early} The best was chosen on these seeds."
    return Table(
        f"ablation_{slug(one.name)}",
        f"From default to best, {one.name}",
        caption,
        shown,
        a.table.assign(value=sign * a.table["value"]),
    )


def worst_case(found: Sensitivity) -> Table:
    """Mean, CVaR and worst near the default and everywhere."""
    tables = [
        one.recorded(one.neighbourhood.table, "estimate", "naive").assign(method=one.name) for one in found.methods
    ]
    data, unit = pd.concat(tables, ignore_index=True), accuracies.unit(found.column)
    shown = pd.DataFrame(
        {
            "method": data["method"],
            "neighbourhood": data["neighbourhood"],
            "settings": [f"{r.settings}{f' ({r.lost} lost)' if r.lost else ''}" for r in data.itertuples()],
            "measure": data["measure"].replace({"cvar": "CVaR"}),
            f"value{unit}": [_bounded(r.estimate, r.low, r.high) for r in data.itertuples()],
            f"naive{unit}": data["naive"].map(number),
        }
    )
    first = found.methods[0].neighbourhood
    caption = (
        f"{first.method}. One at a time: settings that differ from the default in one hyperparameter at most. Naive: "
        "the worst means themselves, too bad by luck."
    )
    return Table("worst_case", "Worst case", caption, shown, data)


def transfer(found: Sensitivity) -> Table | None:
    """Regret of transferred settings; None where there is one data set."""
    if not found.transfers:
        return None
    data = pd.concat([one.regret.assign(method=name) for name, one in found.transfers.items()], ignore_index=True)
    taus = pd.concat([one.tau.assign(method=name) for name, one in found.transfers.items()], ignore_index=True)
    agreement = {(r.method, r.first, r.second): (r.tau, r.ceiling) for r in taus.itertuples()}
    both = agreement | {(m, b, a): v for (m, a, b), v in agreement.items()}
    shown = pd.DataFrame(
        {
            "method": data["method"],
            "chosen on": data["source"],
            "used on": data["target"],
            "regret (points)": [_bounded(r.regret, r.low, r.high) for r in data.itertuples()],
            "Kendall's τ": [number(both[r.method, r.source, r.target][0], 2) for r in data.itertuples()],
            "τ that seeds allow": [number(both[r.method, r.source, r.target][1], 2) for r in data.itertuples()],
        }
    )
    caption = (
        "Regret: points lost on a data set with the best setting of another, both chosen on one half of the seeds and "
        f"scored on the other, {found.interval}. τ: agreement of the rankings of all settings, and between two halves "
        "of the seeds."
    )
    return Table("transfer", "Transfer between data sets", caption, shown, data)


def _sentence(text: str) -> str:
    """With a capital, unless it starts with a name such as fANOVA."""
    return text if text[1:2].isupper() else text[:1].upper() + text[1:]


def _bounded(estimate: float, low: float, high: float) -> str:
    return f"{number(estimate)} {interval(low, high)}" if low <= high else number(estimate)


def _percents(estimate: float, low: float, high: float) -> str:
    text = number(100 * estimate, 1)
    return f"{text} {interval(100 * low, 100 * high, 1)}" if low <= high else text
