"""The tables of a report, each made of one frame of summary.py."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from analysis.pages.settings import distinct
from analysis.pages.table import Table
from analysis.pages.words import UNKNOWN, interval, mean_std, number
from analysis.results import accuracies
from analysis.results.absent import absent_seeds
from analysis.robustness.summary import (
    accounting,
    derived_cells,
    failures,
    final_table,
    summarise,
    training_seed_spread,
)
from analysis.statistics.estimate import LEVEL, percent

MOST_ROWS = 1_000
"""Rows of a table of trials that are shown; its file has all."""
_OF_ALL = "of all that the variant or those it shares seeds with have a row of"


def counts(trials: pd.DataFrame) -> Table:
    """Recorded trials and how they ended."""
    data = accounting(trials)
    caption = "Recorded trials and how they ended. Means are over the trials that ended ok; n counts all."
    return Table("trials_by_status", "Trials", caption, data, data)


def glance(trials: pd.DataFrame) -> Table:
    """The headline accuracy in one small table."""
    data, column = final_table(trials), accuracies.headline(trials)
    unit, absent = accuracies.unit(column), absent_seeds(trials)
    data["absent"] = [absent[str(variant)] for variant in data["variant"]]
    shown = pd.DataFrame(
        {
            "variant": data["variant"],
            "seeds": [f"{values} of {n + more}" for values, n, more in data[["values", "n", "absent"]].to_numpy()],
            f"mean ± std{unit}": _each(data, lambda row: mean_std(row["mean"], row["std"])),
            f"worst seed{unit}": data["worst"].map(number),
        }
    )
    what, regret = accuracies.title(column), accuracies.title(accuracies.headline_regret(trials))
    caption = f"{_spread(column)}, {accuracies.direction(column)}. Seeds: with a value, {_OF_ALL}."
    if data["regret"].notna().any():
        shown["mean regret (points)"] = data["regret"].map(number)
        caption += f" Regret: {regret}."
    units = {
        "mean": f"{what} mean{unit}",
        "std": _std(column),
        "worst": f"worst{unit}",
        "regret": f"{regret} mean (points)",
    }
    units |= {"values": "with a value", "absent": "seeds without a row"}
    if accuracies.is_foreign(column):
        data = data.drop(columns=["ok", "failed", "diverged", "regret"])
    return Table("headline", accuracies.heading(column), caption, shown, data.rename(columns=units))


def overview(trials: pd.DataFrame) -> Table:
    """One row a variant, one column an accuracy: mean ± std, with the seeds behind it."""
    shown, data = _variants(trials), _variants(trials)
    ended, absent = accounting(trials), absent_seeds(trials)
    totals = [n + absent[str(variant)] for variant, n in zip(ended["variant"], ended["n"], strict=True)]
    shown["seeds"] = [f"{ok} of {total}" for ok, total in zip(ended["ok"], totals, strict=True)]
    supernet = [accuracies.SUPERNET] if accuracies.is_known(trials, accuracies.SUPERNET) else []
    for column in [*accuracies.known(trials), *supernet]:
        summary = summarise(trials, column)
        heading = f"{accuracies.words(column).short}{accuracies.unit(column)}"
        shown[heading] = _each(summary, lambda row: _mean_std(row, row["ok"]))
        data[f"{accuracies.title(column)} n"] = summary["values"]
        data[f"{accuracies.title(column)} mean{accuracies.unit(column)}"] = summary["mean"]
        data[f"{accuracies.title(column)} {_std(column)}"] = summary["std"]
    headline = accuracies.headline(trials)
    if accuracies.is_foreign(headline):
        caption = f"{_spread(headline)}, {accuracies.direction(headline)}. Seeds: with any value, {_OF_ALL}."
        return Table("accuracy_overview", "All values", caption, shown, data)
    caption = (
        f"{_spread(headline)}. Seeds: ended ok, {_OF_ALL}. The table's accuracies are means over the benchmark's own "
        "training seeds; that spread is not part of the ±."
    )
    if supernet:
        caption += " Supernet: shared weights after the last search epoch, not an accuracy of the cell."
    return Table("accuracy_overview", "Accuracy of the derived cells", caption, shown, data)


def detail(trials: pd.DataFrame, column: str, level: float = LEVEL) -> Table:
    """Everything about one accuracy: spread, interval, median, extremes and regret."""
    summary, unit = summarise(trials, column, level), accuracies.unit(column)
    absent = absent_seeds(trials)
    totals = [n + absent[str(variant)] for variant, n in zip(summary["variant"], summary["n"], strict=True)]
    shown = _variants(trials).assign(
        **{
            "seeds": [f"{values} of {total}" for values, total in zip(summary["values"], totals, strict=True)],
            f"mean ± std{unit}": _each(summary, _mean_std),
            f"{percent(level)} t interval{unit}": _each(summary, lambda row: interval(row["low"], row["high"])),
            f"median{unit}": summary["median"].map(number),
            f"worst seed{unit}": summary["worst"].map(number),
            f"best seed{unit}": summary["best"].map(number),
        }
    )
    data = summary.rename(columns={c: f"{c}{unit}" for c in ("mean", "low", "high", "median", "worst", "best")})
    data = data.rename(columns={"std": _std(column)})
    accuracy = accuracies.TABLE.get(column)
    caption = (
        f"{_spread(column)}; Student-t interval of the mean (three seeds or more); {accuracies.direction(column)}."
    )
    if accuracy is not None and accuracies.is_known(trials, accuracy.regret):
        regrets = summarise(trials, accuracy.regret)
        shown["regret (points)"] = _each(regrets, _mean_std)
        data["regret mean (points)"], data[f"regret {_std(column)}"] = regrets["mean"], regrets["std"]
        caption += " Regret: points below the best cell of the table."
    return Table(accuracies.slug(column), accuracies.heading(column), caption, shown, data)


def training_noise(trials: pd.DataFrame) -> Table | None:
    """How far the benchmark's own training seeds lie apart; None where the table does not say."""
    shown, data = _variants(trials), _variants(trials)
    for column, accuracy in accuracies.TABLE.items():
        spread = training_seed_spread(trials, accuracy)
        if spread["spread"].notna().any():
            shown[f"{accuracies.words(column).short} (points)"] = spread["spread"].map(number)
            data[f"{accuracies.title(column)} cells"] = spread["cells"]
            data[f"{accuracies.title(column)} std over training seeds (points)"] = spread["spread"]
    if shown.shape[1] == 1:
        return None
    caption = (
        "Standard deviation of a derived cell's accuracy over the table's two or three "
        "training seeds (ddof = 1), median over the variant's cells. A different spread from the one over search seeds."
    )
    return Table("training_seed_spread", "The benchmark's own noise", caption, shown, data)


def cell_kinds(trials: pd.DataFrame) -> Table:
    """How diverse and how skip-heavy the derived cells are."""
    cells = derived_cells(trials)
    shown = _variants(trials).assign(
        **{
            "derived": [f"{derived} of {n}" for derived, n in cells[["derived", "n"]].to_numpy()],
            "distinct": cells["distinct"],
            "isomorphism classes": cells["classes"],
            "most frequent (%)": cells["modal"].map(lambda share: number(share, 0)),
            "skip edges (%)": cells["skips"].map(lambda share: number(share, 1)),
            "disconnected": cells["disconnected"],
        }
    )
    data = cells.rename(columns={"modal": "most frequent cell (%)", "skips": "skip edges (%)"})
    caption = (
        "Isomorphism classes: distinct up to the benchmark's isomorphism. Disconnected: no path leads from input to "
        "output."
    )
    return Table("derived_cells", "Kinds of derived cells", caption, shown, data)


def cost(trials: pd.DataFrame) -> Table | None:
    """Wall-clock time and memory of the trials that ended ok; None where neither was recorded."""
    shown, data = _variants(trials), _variants(trials)
    named = {"search_wall_s": "search (s)", "retrain_wall_s": "retraining (s)", "peak_memory_mib": "peak memory (MiB)"}
    for column, heading in named.items():
        if accuracies.is_known(trials, column):
            summary = summarise(trials, column)
            shown[heading] = _each(summary, lambda row: mean_std(row["mean"], row["std"], 1))
            data[f"{heading} mean"], data[f"{heading} std over trials"] = summary["mean"], summary["std"]
    if accuracies.is_known(trials, "device"):
        shown["device"] = data["device"] = trials.groupby("variant", observed=True)["device"].agg(distinct).to_numpy()
    if shown.shape[1] == 1:
        return None
    caption = "Mean ± standard deviation over the trials that ended ok. How a trial ran, not what came out."
    return Table("cost", "Cost", caption, shown, data, prose=("device",))


def early_stopping(data: pd.DataFrame, onsets: pd.DataFrame, column: str, level: float = LEVEL) -> Table:
    """anytime.early_stopping and the epochs of collapse (anytime.collapse_onsets), for people."""
    shown = pd.DataFrame()
    if len(data):
        at = onsets.groupby("variant")["epoch"].agg(["size", "median"])
        data = data.join(at, on="variant").rename(columns={"size": "collapsing", "median": "collapse_epoch"})
        data["collapsing"] = data["collapsing"].fillna(0).astype(int)
        shown = pd.DataFrame(
            {
                "variant": data["variant"],
                "seeds": data["seeds"],
                "last epoch (points)": data["last"].map(number),
                "best epoch (points)": data["lowest"].map(number),
                "early-stopping regret (points)": _each(data, _gap),
                "best epoch is": [f"{b:g} of {n:g}" for b, n in data[["best_epoch", "epochs"]].to_numpy()],
                "seeds collapsing": data["collapsing"],
                "collapse epoch": data["collapse_epoch"].map(lambda epoch: number(epoch, 0)),
            }
        )
    caption = (
        f"{accuracies.title(column)}, means over search seeds. Best epoch: the lowest regret on the way, which only "
        f"the benchmark knows; early-stopping regret: last minus best, {percent(level)} t interval, what a perfect "
        "choice of the epoch would have gained. Best epoch is: median over seeds, of epochs or queries. Collapse "
        "epoch: median of the seeds that collapse and stay so."
    )
    return Table(f"early_stopping_{column}", f"Early stopping: {accuracies.title(column)}", caption, shown, data)


def failed(trials: pd.DataFrame) -> Table:
    """Every trial that did not end ok, with its reason."""
    data = failures(trials).drop(columns="traceback")
    data["error"] = data["error"].astype(object).where(data["error"].notna(), "no reason was recorded")
    shown = data.head(MOST_ROWS).rename(columns={"error": "reason", "trial_id": "trial"})
    caption = "Every trial that failed or diverged, and why."
    if len(data) > MOST_ROWS:
        caption += f" The first {MOST_ROWS:,} of {len(data):,} are shown; the CSV file has all."
    return Table("failed_trials", "Reasons", caption, shown, data, prose=("reason",))


def _spread(column: str) -> str:
    return f"Mean ± standard deviation over {accuracies.seeds(column)} (ddof = 1)"


def _std(column: str) -> str:
    return f"std over {accuracies.seeds(column)} (points)"


def _variants(trials: pd.DataFrame) -> pd.DataFrame:
    variants = trials["variant"].cat.remove_unused_categories().cat.categories
    return pd.DataFrame({"variant": variants.astype(object)})


def _mean_std(row: pd.Series, expected: int | None = None) -> str:
    text = mean_std(row["mean"], row["std"])
    return f"{text} (n = {row['values']})" if expected is not None and 0 < row["values"] < expected else text


def _gap(row: pd.Series) -> str:
    bounds = interval(row["low"], row["high"])
    return number(row["gap"]) + ("" if bounds == UNKNOWN else f" {bounds}")


def _each(frame: pd.DataFrame, text: Callable[[pd.Series], str]) -> list[str]:
    return [text(row) for _, row in frame.iterrows()]
