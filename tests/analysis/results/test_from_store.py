"""Reading a store: what must be found, what must be told apart, what must be refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal
from synthetic_store import Row, epochs_of, genotype, trial, write, write_study

from analysis import Results, load
from study.store.schema import TRIALS
from trainables.errors import StoreError
from trainables.hyperparameters import MethodConfig, hyperparameter
from trainables.methods import METHODS

Study = Callable[..., Results]


class TestLayout:
    def test_files_and_row_order_do_not_matter(
        self, rows: tuple[list[Row], list[Row]], results: Results, tmp_path: Path
    ) -> None:
        trials, epochs = rows
        write_study(tmp_path, trials[::-1], epochs[::-1], one_file=True)
        other = load(tmp_path)
        assert_frame_equal(other.trials, results.trials)
        assert_frame_equal(other.epochs, results.epochs)

    def test_store_and_study_folder_and_uri_are_the_same(self, tmp_path: Path) -> None:
        folder = write_study(tmp_path, [trial("darts", 0, genotype=genotype(1))])
        for place in (tmp_path, str(folder), f"file://{tmp_path}", f"file://{folder}/"):
            assert load(place).name == "demo"
            assert len(load(place).trials) == 1

    def test_several_studies_need_a_name(self, tmp_path: Path) -> None:
        for name in ("first", "second"):
            write_study(tmp_path, [trial(name, 0)], name=name)
        with pytest.raises(StoreError, match="several; name one of: first, second"):
            load(tmp_path)
        assert list(load(tmp_path, "second").trials["method"]) == ["second"]
        with pytest.raises(StoreError, match="did you mean 'first'"):
            load(tmp_path, "frist")
        with pytest.raises(StoreError, match="'second' was asked for"):
            load(tmp_path / "first", "second")

    def test_absent_and_empty_stores_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="holds none"):
            load(tmp_path / "nowhere")
        (tmp_path / "empty" / "trials").mkdir(parents=True)
        with pytest.raises(StoreError, match="at least one recorded trial"):
            load(tmp_path)
        with pytest.raises(StoreError, match="address that pyarrow opens"):
            load("nosuchscheme://bucket/store")

    def test_study_without_epochs_has_an_empty_frame(self, study: Study) -> None:
        results = study([trial("darts", 0, genotype=genotype(1))])
        assert results.epochs.empty
        assert "skip_share" in results.epochs

    def test_only_asked_epoch_columns_are_read_and_orphans_are_left_out(self, study: Study) -> None:
        finished, running = trial("darts", 0, genotype=genotype(1)), trial("darts", 1, genotype=genotype(2))
        results = study([finished], [*epochs_of(finished), *epochs_of(running)])
        frame = results.read_epochs(["skip_share"])
        assert list(frame.columns) == ["trial_id", "epoch", "queries", "skip_share"]
        assert set(frame["trial_id"]) == {finished["trial_id"]}


class TestSchema:
    def test_methods_with_different_hyperparameters_unify(self, study: Study) -> None:
        trials = [
            trial("a", 0, **{"hp.rate": 0.1}),
            trial("b", 0, **{"hp.rate": 2, "hp.flag": True}),
            trial("c", 0, **{"hp.rate": "cosine"}),
        ]
        frame = study(trials).trials.set_index("method")
        assert frame["hp.rate"].to_dict() == {"a": "0.1", "b": "2", "c": "cosine"}
        assert pd.isna(frame.loc["a", "hp.flag"]) and bool(frame.loc["b", "hp.flag"])

    def test_hyperparameter_that_came_later_is_at_its_default_where_a_row_lacks_it(
        self, study: Study, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Config(MethodConfig):
            rate: float = hyperparameter(0.1, "a rate", source="here")
            warm: bool = hyperparameter(False, "came later", source="here", later=True)

        monkeypatch.setattr(METHODS["darts"], "Config", Config)
        old = trial("darts", 0, **{"hp.rate": 0.1})
        new = trial("darts", 1, config="warm=True", **{"hp.rate": 0.1, "hp.warm": True})
        frame = study([old, new, trial("gaea", 0)]).trials.set_index(["method", "seed"])
        assert frame.loc["darts", "hp.warm"].to_dict() == {0: False, 1: True}
        assert frame.loc["gaea", "hp.warm"].isna().all()

    def test_older_schema_reads_with_missing_columns_null(self, tmp_path: Path) -> None:
        folder = write_study(tmp_path, [trial("darts", 0, genotype=genotype(1))])
        path = next((folder / "trials").iterdir())
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["peak_memory_mib", "retrain_test_accuracy", "protocol"]), path)
        trials = load(tmp_path).trials
        assert set(TRIALS.names) <= set(trials.columns)
        assert trials["protocol"].isna().all() and trials["retrain_test_accuracy"].isna().all()

    def test_newer_schema_is_refused(self, study: Study) -> None:
        with pytest.raises(StoreError, match="update this program"):
            study([trial("darts", 0, schema_version=99)])

    def test_trial_in_two_files_counts_once_and_the_later_record_wins(self, tmp_path: Path) -> None:
        first = trial("darts", 3, status="failed", error="lost worker")
        again = trial("darts", 3, genotype=genotype(1))
        again["finished_at"] = first["finished_at"].replace(year=2027)
        first["trial_id"] = again["trial_id"]
        folder = write_study(tmp_path, [again], epochs_of(again))
        write(folder / "trials" / "compact-0.parquet", [first, trial("darts", 4)], TRIALS)
        trials = load(tmp_path).trials
        assert trials[["seed", "status"]].to_numpy().tolist() == [[3, "ok"], [4, "ok"]]


class TestDamage:
    @pytest.mark.parametrize("kind", ["trials", "epochs"])
    def test_truncated_file_is_named(self, tmp_path: Path, kind: str) -> None:
        trials = [trial("darts", s, genotype=genotype(s)) for s in range(3)]
        folder = write_study(tmp_path, trials, [e for t in trials for e in epochs_of(t)])
        damaged = folder / kind / f"{trials[1]['trial_id']}.parquet"
        damaged.write_bytes(damaged.read_bytes()[:-100])
        with pytest.raises(StoreError, match=damaged.name) as caught:
            _ = load(tmp_path).epochs
        remedy = {"trials": "and run the study again", "epochs": "the curves of its trials are lost"}
        assert [kind for kind, words in remedy.items() if words in str(caught.value)] == [kind]

    @pytest.mark.parametrize("kind", ["trials", "epochs"])
    def test_link_that_leads_nowhere_is_named(self, tmp_path: Path, kind: str) -> None:
        trials = [trial("darts", s, genotype=genotype(s)) for s in range(2)]
        folder = write_study(tmp_path, trials, [e for t in trials for e in epochs_of(t)])
        file = folder / kind / f"{trials[1]['trial_id']}.parquet"
        file.rename(tmp_path / "elsewhere.parquet")
        file.symlink_to(tmp_path / "elsewhere.parquet")
        assert len(load(tmp_path).epochs) == 12
        (tmp_path / "elsewhere.parquet").unlink()
        with pytest.raises(StoreError, match=rf"{file.name} leads to .*elsewhere.parquet, where nothing is"):
            _ = load(tmp_path).epochs

    @pytest.mark.parametrize("value", [-1e308, 100.5, float("inf")])
    def test_accuracy_that_is_none_is_refused(self, tmp_path: Path, value: float) -> None:
        write_study(tmp_path, [trial("darts", 0, genotype=genotype(1)) | {"cifar10_test_accuracy": value}])
        with pytest.raises(StoreError, match=r"percent, 0 to 100, but a trial of .* as its cifar10_test_accuracy"):
            load(tmp_path)

    def test_broken_pages_behind_a_whole_footer_are_named(self, tmp_path: Path) -> None:
        folder = write_study(tmp_path, [trial("darts", s, genotype=genotype(s)) for s in range(2)])
        damaged = sorted((folder / "trials").iterdir())[1]
        content = damaged.read_bytes()
        damaged.write_bytes(content[:4] + b"\xff" * 2000 + content[2004:])
        with pytest.raises(StoreError, match=damaged.name):
            load(tmp_path)

    def test_files_being_written_and_foreign_files_are_ignored(self, tmp_path: Path) -> None:
        folder = write_study(tmp_path, [trial("darts", 0, genotype=genotype(1))])
        for name in (".x.parquet", "_x.parquet", "notes.txt", "x.parquet.tmp"):
            (folder / "trials" / name).write_bytes(b"half")
        assert len(load(tmp_path).trials) == 1

    @pytest.mark.parametrize(
        ("name", "text"), [("study.yaml", "a: ["), ("environment.json", "{"), ("study.yaml", "- a")]
    )
    def test_unreadable_side_files_are_refused(self, tmp_path: Path, name: str, text: str) -> None:
        folder = write_study(tmp_path, [trial("darts", 0)])
        (folder / name).write_text(text)
        with pytest.raises(StoreError, match=name):
            load(tmp_path)


class TestVariants:
    def test_defaults_are_named_by_their_method_and_changed_settings_are_always_said(self, study: Study) -> None:
        trials = [trial("darts", s) for s in range(2)] + [trial("gaea", s, config="level=single") for s in range(2)]
        assert set(study(trials).trials["variant"]) == {"darts", "gaea (level=single)"}

    def test_settings_versions_and_data_sets_are_told_apart(self, study: Study) -> None:
        trials = [
            trial("drnas", 0),
            trial("drnas", 0, config="arch_lr=0.001"),
            trial("gaea", 0, method_version=1),
            trial("gaea", 0, method_version=2),
            trial("snas", 0, dataset="digits", trial_id="digits"),
            trial("snas", 0, dataset="cifar100", epochs=50, trial_id="cifar100"),
            trial("darts", 0),
        ]
        assert set(study(trials).trials["variant"]) == {
            "drnas (defaults)",
            "drnas (arch_lr=0.001)",
            "gaea v1",
            "gaea v2",
            "snas (on digits, 6 epochs)",
            "snas (on cifar100, 50 epochs)",
            "darts",
        }

    def test_many_changed_settings_are_named_in_short_and_told_apart(self, study: Study) -> None:
        many = ", ".join(f"hyperparameter_{i}={i}" for i in range(9))
        trials = [
            trial("darts", 0, config=many),
            trial("drnas", 0, config=f"lr=0.1, {many}, wd=0.1"),
            trial("drnas", 1, config=f"lr=0.2, {many}, wd=0.1"),
            trial("gaea", 0, config=many),
            trial("gaea", 1),
        ]
        assert set(study(trials).trials["variant"]) == {
            "darts (hyperparameter_0=0, hyperparameter_1=1, 7 more)",
            "drnas (lr=0.1, 10 more)",
            "drnas (lr=0.2, 10 more)",
            "gaea (hyperparameter_0=0, hyperparameter_1=1, 7 more)",
            "gaea (defaults)",
        }

    def test_a_failed_trial_without_settings_stays_with_its_method(self, study: Study) -> None:
        trials = [trial("darts", 0), trial("darts", 1, status="failed", protocol=None, channels=None)]
        assert study(trials).trials["variant"].nunique() == 1

    def test_order_is_by_mean_of_ok_trials_and_unknown_comes_last(self, results: Results) -> None:
        means = results.trials[results.trials["status"] == "ok"].groupby("variant", observed=True)
        values = means["cifar10_test_accuracy"].mean()
        assert values.is_monotonic_decreasing
        assert results.trials["variant"].cat.categories[-1] == "lost"
