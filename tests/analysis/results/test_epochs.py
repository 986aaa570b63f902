"""Epochs as grids: the same rows and the same numbers as from one frame, whatever the files hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal
from synthetic_store import Row, epochs_of, genotype, trial, write, write_study

from analysis import Results, load
from analysis.results.epochs import Epochs
from analysis.results.grids import lay_out
from analysis.robustness.collapse import Collapse
from analysis.robustness.courses import anytime
from analysis.robustness.courses.curves import POINTS, curves
from analysis.robustness.drawings import LINES_UP_TO
from analysis.statistics.anytime import onset
from analysis.statistics.intervals import t_interval
from study.store.files import Files
from study.store.schema import EPOCHS
from study.store.store import Store
from trainables.errors import StoreError

COLUMNS = ["cifar10_test_regret", "skip_share", "wall_s", "simulated_s", "entropy"]
REGRET = COLUMNS[0]


@pytest.fixture
def hard(tmp_path: Path) -> Results:
    """Variants of very different sizes, and searches of very different lengths within one.

    Rows in several files, of unknown trials, of an older schema, out of order.
    """
    seeds = {"large": LINES_UP_TO + 5, "a": 3, "b": 2, "c": 4}
    trials = [trial(m, s, genotype=genotype(61 * s + len(m)), protocol=None if m == "c" else "P1")
              for m, n in seeds.items() for s in range(n)]  # fmt: skip
    trials.append(trial("b", 7, status="diverged"))
    trials.append(trial("b", 8, genotype=genotype(8)))
    generator = np.random.default_rng(0)
    rows: list[Row] = []
    for place, row in enumerate(trials):
        if row["status"] == "ok":
            for epoch in epochs_of(row, count=300 if row["seed"] == 8 else 3 + place % 4):
                times = {"wall_s": float(generator.gamma(2)), "simulated_s": 10.0 * epoch["epoch"]}
                queries = {"queries": (epoch["epoch"] + 1) // 2} if row["method"] == "c" else {}
                rows.append(epoch | times | queries)
    rows += epochs_of(trial("unknown", 0, genotype=genotype(5)))
    generator.shuffle(rows)  # type: ignore[arg-type]
    folder = write_study(tmp_path, trials, rows[: len(rows) // 2], one_file=True)
    write(folder / "epochs" / "compact-2.parquet", rows[len(rows) // 3 :], EPOCHS)
    later = [row | {REGRET: row[REGRET] + 0.125} for row in rows[:20]]
    write(folder / "epochs" / "compact-3.parquet", later, EPOCHS)
    old = folder / "epochs" / "compact-2.parquet"
    pq.write_table(pq.read_table(old).drop_columns(["entropy", "hessian_eigenvalue"]), old)
    return load(tmp_path)


def rows_of(results: Results, epochs: Epochs, columns: list[str]) -> pd.DataFrame:
    """What the grids hold, a row a search and a point at which anything is known."""
    frames = [
        pd.DataFrame({name: values[:, i] for name, values in grid.values.items()})
        .assign(epoch=grid.at, trial_id=results.trials["trial_id"][place])
        .dropna(subset=columns, how="all")
        for grid in epochs.read(results.trials, columns)
        for i, place in enumerate(grid.trials)
    ]
    return pd.concat(frames).sort_values(["trial_id", "epoch"], ignore_index=True)[["trial_id", "epoch", *columns]]


def searches(results: Results, columns: list[str]) -> pd.DataFrame:
    """The same from one frame: epochs of trials that ended ok, or the last row of each number of queries."""
    ok = results.trials.loc[results.trials["status"] == "ok", ["trial_id", "variant", "protocol"]]
    rows = results.read_epochs(columns).merge(ok.astype({"variant": str}), on="trial_id")
    rows["epoch"] = rows["queries"].fillna(rows["epoch"]).astype("int64")
    return rows.drop_duplicates(["trial_id", "epoch"], keep="last", ignore_index=True)


def matrices(rows: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Variant by variant, by name, one row a search and one column an epoch, held until the next record."""
    wide = rows.pivot(index=["variant", "trial_id"], columns="epoch", values=column)
    for variant, values in wide.groupby("variant"):
        known = values.dropna(axis=1, how="all").dropna(how="all")
        if known.size:
            yield variant, known.ffill(axis=1)


def check_summary(summary: pd.DataFrame, variant: str, values: pd.DataFrame) -> None:
    own = summary[summary["variant"] == variant].set_index("budget")
    assert own["values"].tolist() == values.count().tolist()
    np.testing.assert_allclose(own["mean"], values.mean(), rtol=1e-13)
    np.testing.assert_allclose(own["std"], values.std(), rtol=1e-10, atol=1e-12)
    for name, share in (("p10", 0.1), ("p90", 0.9)):
        expected = values.melt().groupby("epoch")["value"].quantile(share)
        assert own[name].tolist() == expected.tolist(), "to the last bit"
    three = [t_interval(column.dropna()) for _, column in values.items()]
    np.testing.assert_allclose(own["low"], [e.low for e in three], rtol=1e-10)
    np.testing.assert_allclose(own["high"], [e.high for e in three], rtol=1e-10)


def test_rows_are_those_of_the_frame(hard: Results) -> None:
    epochs = hard.course(COLUMNS)
    assert epochs.known == {"queries", *COLUMNS} - {"entropy"}
    expected = searches(hard, COLUMNS)[["trial_id", "epoch", *COLUMNS]]
    assert_frame_equal(rows_of(hard, epochs, COLUMNS), expected, check_dtype=False)


def test_of_an_epoch_in_several_files_the_last_one_counts(hard: Results, tmp_path: Path) -> None:
    later = pq.read_table(tmp_path / "demo/epochs/compact-3.parquet", columns=["trial_id", "epoch", REGRET]).to_pandas()
    searched = hard.trials.loc[hard.trials["protocol"].notna(), "trial_id"]
    both = rows_of(hard, hard.course([REGRET]), [REGRET]).merge(
        later, on=["trial_id", "epoch"], suffixes=("", "_later")
    )
    both = both[both["trial_id"].isin(searched)]
    assert len(both) and both[REGRET].tolist() == both[f"{REGRET}_later"].tolist()


def test_only_what_is_asked_for_is_read(hard: Results) -> None:
    chosen = hard.trials[hard.trials["variant"] == "large"]
    grids = list(hard.course([REGRET]).read(chosen, [REGRET]))
    assert {grid.variant for grid in grids} == {"large"}
    assert sorted(np.concatenate([grid.trials for grid in grids])) == list(chosen.index)


def test_a_few_long_searches_leave_no_large_holes(tmp_path: Path) -> None:
    trials = [trial("m", s, genotype=genotype(s)) for s in range(40)]
    rows = [row for one in trials for row in epochs_of(one, count=2_000 if one["seed"] == 0 else 1 + one["seed"] % 4)]
    results = load(write_study(tmp_path, trials, rows))
    assert lay_out(Store(tmp_path, "demo").epochs, results.trials).size < 2 * len(rows)
    (curve,) = [curves(results.trials, results.course(["skip_share"]), "skip_share").summary]
    ((_, values),) = matrices(searches(results, ["skip_share"]), "skip_share")
    assert len(curve) == POINTS and curve["values"].tolist()[-1] == 40
    check_summary(curve, "m", values[curve["budget"]])


def test_curves_are_those_of_the_frame(hard: Results) -> None:
    found = curves(hard.trials, hard.course([REGRET]), REGRET)
    assert set(found.lines["variant"]) == {"a", "b", "c"}
    assert list(found.summary["variant"].unique()) == list(hard.trials["variant"].cat.categories)
    for variant, values in matrices(searches(hard, [REGRET]), REGRET):
        budgets = found.summary.loc[found.summary["variant"] == variant, "budget"]
        check_summary(found.summary, variant, values[budgets])
        lines = found.lines[found.lines["variant"] == variant]
        if variant != "large":
            expected = values[budgets].melt(ignore_index=False).dropna().reset_index()
            keys = ["trial_id", "epoch"]
            assert (
                lines.sort_values(["trial_id", "budget"])[["trial_id", "budget", "value"]].to_numpy().tolist()
                == expected.sort_values(keys)[[*keys, "value"]].to_numpy().tolist()
            )


def test_early_stopping_and_onsets_are_those_of_the_frame(hard: Results) -> None:
    epochs, rows = hard.course(COLUMNS), searches(hard, COLUMNS)
    early = anytime.early_stopping(hard.trials, epochs, REGRET).set_index("variant")
    assert list(early.index) == ["a", "b", "c", "large"]
    for variant, values in matrices(rows, REGRET):
        row, last, lowest = early.loc[variant], values.iloc[:, -1], values.min(axis=1)
        assert (row["seeds"], row["epochs"]) == (len(values), values.columns[-1])
        assert row["best_epoch"] == values.idxmin(axis=1).median()
        gap = t_interval(last - lowest)
        expected = [last.mean(), lowest.mean(), gap.estimate, gap.low, gap.high]
        np.testing.assert_allclose(row[["last", "lowest", "gap", "low", "high"]].astype(float), expected, rtol=1e-12)
    rows["flag"] = (rows["skip_share"] > 16).astype(float)
    onsets = {
        trial_id: at
        for _, values in matrices(rows, "flag")
        for (_, trial_id), at in zip(values.index, onset(values.columns, values == 1), strict=True)
        if np.isfinite(at)
    }
    found = anytime.collapse_onsets(hard.trials, epochs, Collapse(skips=1))
    assert onsets and dict(zip(hard.trials["trial_id"][found["trial"]], found["epoch"], strict=True)) == onsets


def test_the_course_against_seconds_is_that_of_the_frame(hard: Results) -> None:
    found = anytime.against_seconds(hard.trials, hard.course(COLUMNS), REGRET).summary
    rows = searches(hard, COLUMNS)
    spent = rows.groupby("trial_id")["wall_s"].cumsum()
    rows["seconds"] = spent.where(rows["protocol"].notna(), rows["simulated_s"])
    for variant, part in rows.groupby("variant"):
        budgets = found.loc[found["variant"] == variant, "budget"].to_numpy()
        np.testing.assert_allclose(budgets[[0, -1]], [part["seconds"].min(), part["seconds"].max()], rtol=1e-12)
        values = pd.DataFrame(
            {
                trial_id: [
                    own.loc[own["seconds"] <= b * (1 + 1e-12), REGRET].iloc[-1:].sum(min_count=1) for b in budgets
                ]
                for trial_id, own in part.groupby("trial_id")
            },
            index=pd.Index(budgets, name="epoch"),
        ).T
        check_summary(found, variant, values)


def test_a_study_without_epochs_has_no_grids(tmp_path: Path) -> None:
    write_study(tmp_path, [trial("darts", 0, genotype=genotype(1))])
    results = load(tmp_path)
    found = results.course(COLUMNS)
    assert not found and not found.known
    assert curves(results.trials, found, REGRET).summary.empty
    assert anytime.early_stopping(results.trials, found, REGRET).empty
    assert not results.has_epochs


def test_epochs_of_unrecorded_trials_are_none(tmp_path: Path) -> None:
    running = trial("darts", 1, genotype=genotype(1))
    write_study(tmp_path, [trial("darts", 0, genotype=genotype(1))], epochs_of(running))
    results = load(tmp_path)
    assert not results.course(COLUMNS)
    assert not results.has_epochs


class TestFiles:
    def test_a_damaged_file_is_named(self, hard: Results, tmp_path: Path) -> None:
        damaged = tmp_path / "demo" / "epochs" / "compact-3.parquet"
        content = damaged.read_bytes()
        damaged.write_bytes(content[:4] + b"\xff" * 300 + content[304:])
        with pytest.raises(StoreError, match=damaged.name):
            hard.course(COLUMNS)

    def test_files_that_are_merged_before_a_column_is_read_are_read_from_the_merged_one(self, tmp_path: Path) -> None:
        trials = [trial("darts", s, genotype=genotype(s)) for s in range(6)]
        write_study(tmp_path, trials, [row for one in trials for row in epochs_of(one)])
        results = load(tmp_path)
        found = results.course([REGRET])
        expected = rows_of(results, found, [REGRET])
        Store(tmp_path, "demo").compact()
        assert len(list((tmp_path / "demo/epochs").glob("*.parquet"))) == 1
        for epochs in (found, results.course([REGRET])):
            again = rows_of(results, epochs, [REGRET, "skip_share"] if epochs is found else [REGRET])
            assert_frame_equal(again[expected.columns], expected)

    def test_a_merge_while_the_files_are_listed_hides_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trials = [trial("darts", s, genotype=genotype(s)) for s in range(6)]
        folder = write_study(tmp_path, trials, [row for one in trials for row in epochs_of(one)]) / "epochs"
        results = load(tmp_path)
        expected = rows_of(results, results.course([REGRET]), [REGRET])
        original, listings = Files.listing, []

        def listed_then_merged(self: Files, name: str) -> list[object]:
            found = original(self, name)
            listings.append(name)
            if len(listings) == 1:
                table, old = pads.dataset(folder).to_table(), list(folder.iterdir())
                pq.write_table(table, folder / "compact-new.parquet")
                for path in old:
                    path.unlink()
            return found

        monkeypatch.setattr(Files, "listing", listed_then_merged)
        again = rows_of(results, results.course([REGRET]), [REGRET])
        assert len(listings) >= 2
        assert_frame_equal(again, expected)
