"""Epochs a few variants at a time: the same rows and the same numbers as from one frame, whatever the files hold."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal
from synthetic_store import Row, epochs_of, genotype, trial, write, write_study

from analysis import Results, load
from analysis.results import epochs, from_store
from analysis.results.epochs import Epochs
from analysis.robustness.collapse import Collapse
from analysis.robustness.courses import anytime
from analysis.robustness.courses.curves import all_curves, curve_summary, curves, in_searches
from analysis.robustness.drawings import LINES_UP_TO
from study.store.schema import EPOCHS
from trainables.errors import StoreError

COLUMNS = ["cifar10_test_regret", "skip_share", "wall_s", "simulated_s", "entropy"]
REGRET = COLUMNS[0]


@pytest.fixture(autouse=True)
def _small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that variants share a part, and that one variant needs several files."""
    monkeypatch.setattr(epochs, "FILE_ROWS", 40)
    monkeypatch.setattr(epochs, "BATCH_ROWS", 7)


@pytest.fixture
def hard(tmp_path: Path) -> Results:
    """Variants of very different sizes; rows in two files, of unknown trials, of an older schema, out of order."""
    seeds = {"large": LINES_UP_TO + 5, "a": 3, "b": 2, "c": 4}
    trials = [trial(m, s, genotype=genotype(61 * s + len(m)), protocol=None if m == "c" else "P1")
              for m, n in seeds.items() for s in range(n)]  # fmt: skip
    trials.append(trial("b", 7, status="diverged"))
    generator = np.random.default_rng(0)
    rows: list[Row] = []
    for place, row in enumerate(trials):
        if row["status"] == "ok":
            for epoch in epochs_of(row, count=3 + place % 4):
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


def together(results: Results, found: Epochs) -> pd.DataFrame:
    frames = [rows.astype({"trial_id": str}) for _, rows in found.read(results.trials, COLUMNS)]
    assert len(frames) > 2
    return pd.concat(frames).sort_values(["trial_id", "epoch"], ignore_index=True)


def test_rows_are_those_of_the_frame(hard: Results) -> None:
    with hard.epochs_by_variant(COLUMNS) as found:
        rows = together(hard, found)
        assert max(len(part.files) for part in found.parts) > 1
        assert found.known == {"queries", *COLUMNS} - {"entropy"}
    assert_frame_equal(rows, hard.read_epochs(COLUMNS), check_dtype=False)


def test_a_part_comes_with_the_trials_asked_for_and_others_are_not_read(hard: Results) -> None:
    chosen = hard.trials[hard.trials["variant"] == "large"]
    with hard.epochs_by_variant([REGRET]) as found:
        ((own, rows),) = found.read(chosen, [REGRET])
        assert set(own["trial_id"]) == set(rows["trial_id"]) == set(chosen["trial_id"])


def test_curves_and_their_summary_are_those_of_the_frame_to_the_last_bit(hard: Results) -> None:
    curve = curves(hard.trials, hard.epochs, REGRET)
    with hard.epochs_by_variant(COLUMNS) as found:
        summarised = all_curves(hard.trials, found, REGRET)
    assert_frame_equal(summarised.summary, curve_summary(curve), check_exact=True)
    small = curve["variant"] != "large"
    assert_frame_equal(summarised.lines, curve[small].reset_index(drop=True))


def test_a_summary_equals_plain_pandas(hard: Results) -> None:
    with hard.epochs_by_variant([REGRET]) as found:
        summary = all_curves(hard.trials, found, REGRET).summary
    rows = in_searches(hard.trials, hard.read_epochs([REGRET])).astype({"variant": str, "trial_id": str})
    wide = rows.pivot(index=["variant", "trial_id"], columns="epoch", values=REGRET)
    for variant, values in wide.groupby("variant"):
        held = values.dropna(axis=1, how="all").ffill(axis=1)
        own = summary[summary["variant"] == variant].set_index("budget")
        assert own["values"].tolist() == held.count().tolist()
        np.testing.assert_allclose(own["mean"], held.mean(), rtol=1e-13)
        np.testing.assert_allclose(own["std"], held.std(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(own["p90"], held.quantile(0.9), rtol=1e-13)


def test_what_is_made_of_the_course_is_that_of_the_frame(hard: Results) -> None:
    trials, rows, rule = hard.trials, anytime.with_seconds(hard.trials, hard.epochs), Collapse(skips=1)
    with hard.epochs_by_variant(COLUMNS) as found:
        early = anytime.all_early_stopping(trials, found, REGRET)
        onsets = anytime.all_collapse_onsets(trials, found, rule)
        seconds = anytime.all_against_seconds(trials, found, REGRET)
    assert_frame_equal(early, anytime.early_stopping(rows, REGRET), check_exact=True)
    expected = anytime.collapse_onsets(trials, rows, rule)
    keys = ["variant", "trial_id"]
    assert (
        len(onsets) and onsets.sort_values(keys).to_numpy().tolist() == expected.sort_values(keys).to_numpy().tolist()
    )
    curve = anytime.on_common_grid(trials, rows, REGRET)
    assert_frame_equal(seconds.summary, curve_summary(curve), check_exact=True)


def test_a_study_without_epochs_has_no_parts(tmp_path: Path) -> None:
    write_study(tmp_path, [trial("darts", 0, genotype=genotype(1))])
    results = load(tmp_path)
    with results.epochs_by_variant(COLUMNS) as found:
        assert not found and not found.known
        assert all_curves(results.trials, found, REGRET).summary.empty
        assert anytime.all_early_stopping(results.trials, found, REGRET).empty
    assert not results.has_epochs


def test_epochs_of_unrecorded_trials_are_none(tmp_path: Path) -> None:
    running = trial("darts", 1, genotype=genotype(1))
    write_study(tmp_path, [trial("darts", 0, genotype=genotype(1))], epochs_of(running))
    results = load(tmp_path)
    with results.epochs_by_variant(COLUMNS) as found:
        assert not found
    assert not results.has_epochs


class TestFiles:
    def test_a_damaged_file_is_named(self, hard: Results, tmp_path: Path) -> None:
        damaged = tmp_path / "demo" / "epochs" / "compact-3.parquet"
        content = damaged.read_bytes()
        damaged.write_bytes(content[:4] + b"\xff" * 300 + content[304:])
        with pytest.raises(StoreError, match=damaged.name), hard.epochs_by_variant(COLUMNS):
            pass

    def test_files_that_are_merged_meanwhile_are_read_from_the_merged_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trials = [trial("darts", s, genotype=genotype(s)) for s in range(6)]
        folder = write_study(tmp_path, trials, [row for one in trials for row in epochs_of(one)]) / "epochs"
        results = load(tmp_path)
        expected, calls = results.read_epochs([REGRET]), []
        real: Callable[..., Epochs] = from_store.partition

        def merging(dataset: pads.Dataset, **given: object) -> Epochs:
            calls.append(1)
            if len(calls) == 1:
                table = pads.dataset(folder).to_table()
                old = list(folder.iterdir())
                pq.write_table(table, folder / "compact-new.parquet")
                for path in old:
                    path.unlink()
            return real(dataset, **given)

        monkeypatch.setattr(from_store, "partition", merging)
        with results.epochs_by_variant([REGRET]) as found:
            rows = pd.concat([rows for _, rows in found.read(results.trials, [REGRET])]).astype({"trial_id": str})
        assert len(calls) == 2
        rows = rows.sort_values(["trial_id", "epoch"], ignore_index=True)
        assert_frame_equal(rows, expected.drop(columns="queries"), check_dtype=False)

    def test_temporary_files_go_and_a_full_folder_is_said(
        self, hard: Results, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path_factory.mktemp("temporary")
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        with hard.epochs_by_variant(COLUMNS):
            assert list(folder.rglob("*.arrow"))
        assert not list(folder.iterdir())

        def full(*_: object, **__: object) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(epochs.ipc, "new_file", full)
        with pytest.raises(StoreError, match=r"No space left on device.*TMPDIR"), hard.epochs_by_variant(COLUMNS):
            pass
