"""Running a plan: trials -> batches -> one Ray Tune run; resuming is running again.

What is finished is known from the store alone, so any process may be killed at any time: the same command then runs
what is left, each trial from its last saved epoch. Tune schedules batches, reuses workers between them and starts a new
one where a worker died; its own experiment state is written to a scratch folder and never read.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import optuna
import ray
from ray import tune
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch
from rich.console import Console

from study.config import Resources, Search, Study
from study.estimate import Estimator
from study.plan import Adaptive, Plan
from study.progress import ProgressDisplay
from study.store import Store
from trainables.errors import ConfigError
from trainables.hyperparameters import Range
from trainables.spec import TrialSpec
from trainables.trainable import SearchTrainable, Work, changed
from trainables.trial import Surroundings

BATCH_S = 30.0
"""Work a batch should hold. Below about ten times a worker's start (3 s) Tune leaves slots idle."""
MOST_WORKER_DEATHS = 30
"""How often the worker of one batch is started anew; a trial that kills its worker is given up long before."""

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative --data and --store paths stay what the user meant
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # csv, json and TensorBoard files a trial cost more than a short trial
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",  # the experiment state is never read
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


@dataclass(frozen=True)
class Outcome:
    """How many trials of the plan are in the store at the end, by status, and how many are still to do."""

    ok: int
    diverged: int
    failed: int
    left: int

    @property
    def exit_code(self) -> int:
        """1 if anything failed, diverged or is left."""
        return 0 if self.diverged + self.failed + self.left == 0 else 1


class FastFifo(FIFOScheduler):
    """First in, first out without scanning all trials for each decision; the controller starts pending ones itself."""

    def choose_trial_to_run(self, tune_controller: Any) -> None:
        return None


def run(
    study: Study, plan: Plan, store: Store, surroundings: Surroundings, *, address: str | None, console: Console
) -> Outcome:
    """Run what is not finished. Raises ConfigError where the cluster cannot give what a trial asks for."""
    finished = store.finished(("status", "method", "config", "search_wall_s", "retrain_wall_s"))
    todo = [spec for spec in plan.trials if spec.id not in finished]
    total = len(plan.trials) + sum(len(part.trials) * _samples(study) for part in plan.adaptive)
    if todo or plan.adaptive:
        estimator = Estimator(list(finished.values()), surroundings)
        with _cluster(address), ProgressDisplay(console, total, len(plan.trials) - len(todo)) as display:
            slots = slots_of(study.resources, ray.cluster_resources())
            batches = pack([(spec, estimator.seconds(spec, changed(spec))) for spec in todo], slots)
            work = Work(study.name, uuid.uuid4().hex, batches, store, surroundings, _objective(study))
            if batches:
                _tune(work, study.resources, display, slots, {"batch": tune.grid_search(list(range(len(batches))))})
            for part in plan.adaptive:
                _search(part, study, work, display)
    return _outcome(plan, store, total)


def pack(costs: list[tuple[TrialSpec, float]], slots: int) -> list[list[TrialSpec]]:
    """Batches of about BATCH_S of work each, the dearest first; at least one a slot where there are trials enough."""
    total = sum(seconds for _, seconds in costs)
    count = max(1, min(len(costs), max(slots, round(total / BATCH_S)))) if costs else 0
    batches: list[list[TrialSpec]] = [[] for _ in range(count)]
    loads = [0.0] * count
    for spec, seconds in sorted(costs, key=lambda cost: -cost[1]):
        lightest = loads.index(min(loads))
        batches[lightest].append(spec)
        loads[lightest] += seconds
    order = sorted(range(count), key=lambda index: -loads[index])
    return [batches[index] for index in order]


def slots_of(resources: Resources, available: dict[str, float]) -> int:
    """How many trials fit at once on what the cluster has. Raises ConfigError if not even one does."""
    fits = math.inf
    for kind, wanted in (("CPU", resources.cpu), ("GPU", resources.gpu)):
        have = available.get(kind, 0.0)
        if wanted > have:
            raise ConfigError(
                f"a trial asks for {kind.lower()}: {wanted:g}, but the cluster has {have:g} {kind}; lower "
                f"resources.{kind.lower()} in the study (--set resources.{kind.lower()}=...) or give another --address"
            )
        if wanted:
            fits = min(fits, have / wanted + 1e-9)
    return int(fits)


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    """A private Ray on this machine, or the cluster at ``address``, for as long as the block runs."""
    os.environ.update(ENVIRONMENT)
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    forwarded = {"env_vars": ENVIRONMENT | {"OMP_NUM_THREADS": "1"}}
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if address is None else None,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=forwarded,
        )
    except ConnectionError as error:
        raise ConfigError(
            f"--address must name a Ray cluster that this machine can reach, but {address} does not answer ({error}); "
            "start one with `ray start --head`, or leave --address out"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _tune(
    work: Work, resources: Resources, display: ProgressDisplay, slots: int, space: dict[str, Any], **options: Any
) -> None:
    """One Tuner over batches. Trials that fail are rows in the store; nothing is read from Tune's results."""
    trainable = tune.with_resources(
        tune.with_parameters(SearchTrainable, work=work), {"cpu": resources.cpu, "gpu": resources.gpu}
    )
    config: dict[str, Any] = {"scheduler": FastFifo(), "max_concurrent_trials": 2 * slots} | options
    with tempfile.TemporaryDirectory(prefix="nas-study-") as scratch:
        tune.Tuner(
            trainable,
            param_space=space,
            tune_config=tune.TuneConfig(reuse_actors=True, **config),
            run_config=tune.RunConfig(
                name=work.study,
                storage_path=scratch,
                verbose=0,
                callbacks=[display],
                failure_config=tune.FailureConfig(max_failures=MOST_WORKER_DEATHS),
            ),
        ).fit()


def _search(part: Adaptive, study: Study, work: Work, display: ProgressDisplay) -> None:
    """Let Optuna choose hyperparameters; one suggestion is one batch, over all seeds.

    Suggestions are made and answered in rounds of a fixed size, so the sequence depends on the study alone. Run again,
    it repeats the same suggestions, and those whose trials are in the store are answered at once.
    """
    search = study.search
    assert search is not None
    sampler = optuna.samplers.TPESampler(seed=search.seed)
    algorithm = OptunaSearch(_distributions(part), metric="objective", mode="max", sampler=sampler)
    limited = ConcurrencyLimiter(algorithm, max_concurrent=search.parallel, batch=True)
    part_of_work = Work(work.study, work.run_id, [part.trials], work.store, work.surroundings, work.objective)
    _tune(
        part_of_work, study.resources, display, search.parallel, {"batch": 0},
        search_alg=limited, num_samples=search.samples, metric="objective", mode="max", max_concurrent_trials=None,
    )  # fmt: skip


def _distributions(part: Adaptive) -> dict[str, Any]:
    """The declared ranges as Optuna's."""
    found: dict[str, Any] = {}
    for name, choice in part.space.items():
        if not isinstance(choice, Range):
            distribution: Any = optuna.distributions.CategoricalDistribution(choice)
        elif choice.integer:
            distribution = optuna.distributions.IntDistribution(int(choice.low), int(choice.high), log=choice.log)
        else:
            distribution = optuna.distributions.FloatDistribution(choice.low, choice.high, log=choice.log)
        found[f"hyperparameters/{name}"] = distribution
    return found


def _outcome(plan: Plan, store: Store, total: int) -> Outcome:
    finished = store.finished()
    planned = {spec.id for spec in plan.trials}
    rows = [row for trial_id, row in finished.items() if trial_id in planned or plan.adaptive]
    count = {status: sum(row["status"] == status for row in rows) for status in ("ok", "diverged", "failed")}
    return Outcome(**count, left=max(0, total - len(rows)))


def _samples(study: Study) -> int:
    return study.search.samples if study.search else 1


def _objective(study: Study) -> str:
    return study.search.objective if study.search else Search.model_fields["objective"].default
