"""The record schema: the columns of a finished trial and of a trial-epoch, their types and units.

Accuracies and shares are percent in [0, 100], regrets are percentage points, times are seconds (``_s``), memory is
MiB (``_mib``). A null means *not measured or not known*, never zero. Hyperparameters are extra columns ``hp.<name>``,
typed as the method declares them. What an epoch records beside its cell: trainables/metrics.py.
"""

from __future__ import annotations

import pyarrow as pa

from trainables.benchmarks.accuracies import LOOKED_UP, MEAN_COLUMNS
from trainables.metrics import COURSE, DIAGNOSTICS, LEARNING
from trainables.training_free import PROXIES

SCHEMA_VERSION = 1
MERGED = "compact-"
"""How the name of a file with many trials begins."""
STEP = "step-"
"""The same of trials that a worker finished within one step, before they are merged."""

STATUSES = ("ok", "diverged", "failed", "stopped")
"""ok: a derived cell. diverged: a loss or parameter stopped being finite. failed: an error, a dead worker, a limit.
stopped: ended early by the scheduler of a hyperparameter search, so without a derived cell."""


TRIALS = pa.schema(
    [
        ("schema_version", pa.int32()),
        ("trial_id", pa.string()),
        ("study", pa.string()),
        ("method", pa.string()),
        ("method_version", pa.int32()),
        ("config", pa.string()),  # the hyperparameters that differ from the defaults, "arch_lr=0.001"; "" if none
        ("space", pa.string()),
        ("dataset", pa.string()),
        ("image_size", pa.int32()),
        ("train_images", pa.int32()),
        ("dataset_fingerprint", pa.string()),
        ("protocol", pa.string()),  # P1, P2 or P3: which data drives which step; null for table searchers
        ("channels", pa.int32()),
        ("cells", pa.int32()),
        ("epochs", pa.int32()),  # planned search epochs, of most table searchers one a query; null where time decides
        ("batch_size", pa.int32()),
        ("precision", pa.string()),  # of products and convolutions; null of older rows: float32
        ("seed", pa.int64()),
        ("status", pa.string()),
        ("error", pa.string()),  # one line: why a trial failed, diverged or was stopped
        ("traceback", pa.string()),
        ("notes", pa.string()),  # what happened on the way: run again with a larger share of a GPU
        ("genotype", pa.string()),
        *[(name, pa.float64()) for name in LOOKED_UP],
        ("table_fingerprint", pa.string()),  # which table the looked-up columns came from
        ("supernet_valid_accuracy", pa.float64()),  # shared weights, last search epoch
        ("simulated_s", pa.float64()),  # table searchers: seconds of training that the queries stand for
        ("retrain_epochs", pa.int32()),
        ("retrain_test_accuracy", pa.float64()),  # derived cell trained from scratch, last epoch
        *[(f"proxy_{name}", pa.float64()) for name in PROXIES],  # training-free scores of the derived cell
        ("search_wall_s", pa.float64()),
        ("retrain_wall_s", pa.float64()),
        ("peak_memory_mib", pa.float64()),
        ("gpu_share", pa.float64()),  # of a GPU that the trial had to itself; 0 on CPUs, null of older rows
        ("device", pa.string()),
        ("host", pa.string()),
        ("code_version", pa.string()),
        ("finished_at", pa.timestamp("us", tz="UTC")),
    ]
)

EPOCHS = pa.schema(
    [
        ("trial_id", pa.string()),
        ("epoch", pa.int32()),  # epochs completed, from 1
        ("queries", pa.int32()),  # table searchers: queries spent so far
        *[(metric.name, pa.float64()) for metric in LEARNING],
        ("genotype", pa.string()),  # the cell the architecture stands for now
        *[(name, pa.float64()) for name in MEAN_COLUMNS],
        *[(metric.name, pa.float64()) for metric in (*DIAGNOSTICS, *COURSE)],
    ]
)

VOLATILE = frozenset(
    {
        "search_wall_s", "retrain_wall_s", "peak_memory_mib", "gpu_share", "device", "host", "code_version",
        "finished_at", "wall_s", "notes",
    }
)  # fmt: skip
"""Columns that say how a trial ran, not what came out: the only ones that may differ when a trial is repeated."""
