"""Files that lost their end, as a disk may leave them when the power fails, and files under a wrong name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import drills
import pytest
from inline import Inline

from study.store.store import Store
from trainables.checkpoints import serialise
from trainables.errors import StoreError
from trainables.trial import Trial


@pytest.fixture
def undisturbed(table_study: dict[str, Any], tmp_path: Path) -> drills.Rows:
    Inline(table_study, tmp_path / "undisturbed").run()
    return drills.rows(tmp_path / "undisturbed", "table")


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_checkpoint_is_said_and_its_trial_begun_anew_when_asked_for(
    kept: float, table_study: dict[str, Any], undisturbed: drills.Rows, tmp_path: Path
) -> None:
    """The trial is recorded as failed, for this reason; --retry-failed runs it from its beginning."""
    first = Inline(table_study, tmp_path)
    spec = first.work.batches[0][0]
    trial = Trial(spec, first.work.surroundings)
    trial.advance()
    whole = serialise(trial)
    first.prepared.store.write_checkpoint(spec.id, whole[: int(kept * len(whole))])
    first.run()
    rows = first.prepared.store.finished(("status", "error"))
    assert [row["status"] for row in rows.values()].count("ok") == 5
    said = rows[spec.id]["error"]
    assert said.startswith("StoreError: a checkpoint must be whole") and "run again with --retry-failed" in said
    first.prepared.store.remove([spec.id])
    Inline(table_study, tmp_path).run()
    assert drills.rows(tmp_path, "table") == undisturbed


@pytest.mark.parametrize(("in_a_step", "compacted"), [(1, False), (2, False), (1, True)])
def test_a_truncated_result_file_is_named_and_what_it_held_is_run_anew(
    in_a_step: int, compacted: bool, table_study: dict[str, Any], undisturbed: drills.Rows, tmp_path: Path
) -> None:
    """Nothing runs before it is deleted; then the trials that it held do, and no others."""
    store = Inline(table_study, tmp_path, in_a_step=in_a_step).run().prepared.store
    if compacted:
        store.compact()
    damaged = sorted((tmp_path / "table/trials").glob("*.parquet"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(StoreError, match=f"must be a whole Parquet file, but .*{damaged.name}.*delete it and run the"):
        Inline(table_study, tmp_path)
    damaged.unlink()
    kept = set(store.finished())
    assert len(kept) == (0 if compacted else 6 - in_a_step)
    again = Inline(table_study, tmp_path)
    assert {spec.id for spec in again.work.batches[0]} == {row["trial_id"] for row in undisturbed[0]} - kept
    again.run()
    assert drills.rows(tmp_path, "table") == undisturbed


@pytest.mark.parametrize("in_a_step", [1, 2])
def test_a_result_file_truncated_while_a_study_runs_is_named_by_whoever_reads_it(
    in_a_step: int, table_study: dict[str, Any], tmp_path: Path
) -> None:
    """Also by a worker, which asks for one trial."""
    store = Inline(table_study, tmp_path, in_a_step=in_a_step).run().prepared.store
    trial_id = next(iter(store.finished()))
    damaged = next((tmp_path / "table/trials").glob("*.parquet" if in_a_step > 1 else f"{trial_id}.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(StoreError, match=f"must be a whole Parquet file, but .*{damaged.name}"):
        Store(tmp_path, "table").find(trial_id)


def test_a_result_file_under_the_name_of_another_trial_is_named_before_anything_runs(
    table_study: dict[str, Any], undisturbed: drills.Rows, tmp_path: Path
) -> None:
    """A copy would leave that trial unfinished for ever; under a name of its own a copy is harmless."""
    store = Inline(table_study, tmp_path).run().prepared.store
    kept, lost = sorted((tmp_path / "table/trials").glob("*.parquet"))[:2]
    shutil.copy(kept, kept.with_name("copy of mine.parquet"))
    shutil.copy(kept, lost)
    store.check_names(set(store.finished()) | {lost.stem})
    with pytest.raises(StoreError, match=f"named after, but .*{lost.name} holds another; delete it"):
        store.check_names(store.finished())
    with pytest.raises(StoreError, match=f"named after, but .*{lost.name} holds another"):
        Inline(table_study, tmp_path).run()
    lost.unlink()
    Inline(table_study, tmp_path).run()
    assert drills.rows(tmp_path, "table") == undisturbed


def test_a_truncated_file_of_epochs_is_named_and_costs_curves_but_no_result(
    table_study: dict[str, Any], undisturbed: drills.Rows, tmp_path: Path
) -> None:
    """The rows of trials lie elsewhere."""
    store = Inline(table_study, tmp_path).run().prepared.store
    damaged = sorted((tmp_path / "table/epochs").glob("*.parquet"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(StoreError, match=f"{damaged.name} is not .*delete it; the curves of its trials are lost"):
        store.compact()
    damaged.unlink()
    store.compact()
    trials, epochs = drills.rows(tmp_path, "table")
    assert trials == undisturbed[0]
    assert epochs == [row for row in undisturbed[1] if row["trial_id"] != damaged.stem]
