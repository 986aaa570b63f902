"""Running a plan: trials -> batches -> one Ray Tune run; resuming is running again.

What is finished is known from the store alone, so any process may be killed at any time: the same command then runs
what is left, each trial from its last saved epoch. Tune schedules batches, reuses workers between them and starts a new
one where a worker died; its own experiment state is written to a scratch folder and never read.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import socket
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import ray
from ray import tune
from ray.tune.execution import class_cache
from rich.console import Console

from study.config import Resources, Search, Study
from study.estimate import Estimator
from study.plan import Plan
from study.running.dispatch import Dispatcher, Fixed
from study.running.failures import Brief
from study.running.gpu_sharing import CUDA, Device, shares
from study.running.hosts import Host, hosts_to_come, hosts_up
from study.running.packing import fitting, pack_by_share, reserved, slots_of
from study.running.progress import ProgressDisplay
from study.running.stopping import Budget, Fifo, Stop
from study.running.suggestions import Suggestions
from study.running.tidying import tidying
from study.store.store import Store
from trainables.batch import Work
from trainables.errors import ConfigError
from trainables.records import changed
from trainables.secrets import is_secret
from trainables.spec import TrialSpec
from trainables.trainable import SearchTrainable
from trainables.trial import Surroundings
from trainables.watchdog import Limits

MOST_WORKER_DEATHS = 30
"""How often the worker of one batch is started anew; a trial that kills its worker is given up long before."""
SECOND_TRY_AFTER_S = 30.0
"""What a machine gets that was too busy to start Ray within Ray's own limit, half a minute."""
KNOCK_S = 10.0
FEWEST_WAITING = 4
MOST_WAITING = 200
"""Batches that wait for a slot. A host that joins late fills up at this pace, and each costs Ray a reservation."""

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # relative --data and --store paths stay what the user meant
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # csv, json and TensorBoard files a trial cost more than a short trial
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # study/running/stopping.py has one
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
    stopped: int
    left: int
    begun: int
    """of those left: saved at the epoch they have reached"""
    ended_early: str | None
    """why, if the run was told to end before all was done"""

    @property
    def exit_code(self) -> int:
        """3 if the run ended early and trials are left, else 1 if anything failed, diverged or is left, else 0."""
        if self.ended_early and self.left:
            return 3
        return 0 if self.diverged + self.failed + self.left == 0 else 1


def run(
    study: Study,
    plan: Plan,
    store: Store,
    surroundings: Surroundings,
    *,
    address: str | None,
    console: Console,
    budget: Budget | None = None,
    device: Device = CUDA,
    callbacks: Sequence[tune.Callback] = (),
) -> Outcome:
    """Run what is not finished; ``device`` is what ``gpu: auto`` measures, ``callbacks`` see every report of a worker.

    Raises ConfigError where Ray does not start, the cluster cannot give what a trial asks for, or no worker can be set
    up on it.
    """
    rows = store.finished(("status", "method", "config", "search_wall_s", "retrain_wall_s"))
    store.check_names(rows)
    over = {trial_id for trial_id, row in rows.items() if row["status"] != "stopped"}
    todo = [spec for spec in plan.trials if spec.id not in over]
    stop = Stop(budget or Budget())
    searches: list[Suggestions] = []
    if todo or plan.adaptive:
        with _cluster(address, console), stop.listening():
            kinds = todo + [part.trials[0] for part in plan.adaptive]
            hosts = _hosts(study.resources, address, console)
            share_of = shares(study.resources.gpu, kinds, surroundings, console, device)
            slots = {share: slots_of(study.resources, share, hosts) for share in {share_of(spec) for spec in kinds}}
            estimator = Estimator(list(rows.values()), surroundings)
            costs = [(spec, estimator.seconds(spec, changed(spec))) for spec in stop.take(todo)]
            batches = pack_by_share(costs, share_of, slots, study.resources.together)
            for number, part in enumerate(plan.adaptive, len(batches)):
                assert study.search is not None
                take = functools.partial(_take, stop, over)
                searches.append(Suggestions(part, study.search, number, share_of(part.trials[0]), take))
            work = Work(
                study.name,
                uuid.uuid4().hex,
                [trials for _, trials in batches] + [part.trials for part in plan.adaptive],
                store,
                surroundings,
                study.search.objective if study.search else Search.model_fields["objective"].default,
                Limits(study.resources.trial_timeout_s, study.resources.memory_gib),
                study.resources.together,
                shares_grow=study.resources.gpu == "auto",
            )
            dispatcher = Dispatcher([Fixed([share for share, _ in batches]), *searches], stop, store.remove)
            done = over.intersection(spec.id for spec in plan.trials)
            with ProgressDisplay(console, _total(study, plan), done, stop) as display, tidying(store, display.done):
                _tune(work, study.resources, dispatcher, [display, *callbacks], max(slots.values()))
    if stop.mistake:
        raise ConfigError(stop.mistake)
    if not stop.reason:
        store.compact()
    return _outcome(plan, store, searches, stop)


@contextlib.contextmanager
def _cluster(address: str | None, console: Console) -> Iterator[None]:
    """A private Ray on this machine, or the cluster at ``address``, for as long as the block runs."""
    os.environ.update(ENVIRONMENT)
    if cache := os.environ.get("NAS_STUDY_CACHE"):
        os.environ["NAS_STUDY_CACHE"] = str(Path(cache).absolute())  # workers are in a folder of Ray's
    # Tune would hand credentials to workers in a description that Ray logs for all to read; they find them themselves
    class_cache.ENV_VARS_TO_PROPAGATE -= {name for name in class_cache.ENV_VARS_TO_PROPAGATE if is_secret(name)}
    logging.getLogger("ray.tune").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    Brief.install()
    with tempfile.TemporaryDirectory(prefix="nas-study-") as empty:
        # Workers would else look for modules in the folder that the user is in first, and find a study.py of theirs
        surroundings = {"env_vars": ENVIRONMENT | {"OMP_NUM_THREADS": "1"}, "working_dir": empty}
        context = _connect(address, console, surroundings)
    if context.dashboard_url:
        console.print(f"Ray dashboard: http://{context.dashboard_url}")
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str | None, console: Console, runtime_env: dict[str, Any]) -> Any:
    """Start Ray or join a cluster; a machine too busy for Ray to start is given some time. Raises ConfigError."""
    console.print("starting Ray …" if address is None else f"joining the Ray cluster at {address} …")
    start = functools.partial(
        ray.init,
        address=address or "local",
        include_dashboard=False if address is None else None,
        log_to_driver=False,
        logging_level=logging.ERROR,
        runtime_env=runtime_env,
    )
    try:
        if address is not None:
            _knock(address)
        return start()
    except Exception as error:  # Ray raises the class itself where it is too slow
        ray.shutdown()
        reason = " ".join(str(error).split())
    if address is not None:
        raise ConfigError(
            f"--address must name a Ray cluster that this machine can reach, but {address} does not answer ({reason}); "
            "start one with `ray start --head`, set RAY_AUTH_MODE=token if it asks for a token, or leave --address out"
        )
    console.print(f"Ray did not start ({reason}): once more in {SECOND_TRY_AFTER_S:.0f} s", soft_wrap=True)
    time.sleep(SECOND_TRY_AFTER_S)
    try:
        return start()
    except Exception as error:
        ray.shutdown()
        raise ConfigError(
            f"a run needs Ray, but twice it did not start on this machine ({' '.join(str(error).split())}); see that "
            "processors and memory are free, read the logs in /tmp/ray/session_latest/logs, or name a cluster that "
            "runs with --address"
        ) from None


def _knock(address: str) -> None:
    """Raises OSError where nobody listens at HOST:PORT; Ray itself would ask again and again for ten minutes."""
    if found := re.fullmatch(r"([^/:]+):([0-9]{1,5})", address):
        socket.create_connection((found[1], int(found[2])), KNOCK_S).close()


def _hosts(resources: Resources, address: str | None, console: Console) -> list[Host]:
    """The hosts that the run may use. Raises ConfigError if no trial will ever fit on one."""
    up = hosts_up()
    hosts = [*up, *hosts_to_come(up)] if address else up
    gpu = 1.0 if resources.gpu == "auto" else resources.gpu  # a measurement takes a whole one
    slots_of(resources, gpu, hosts)
    if not fitting(reserved(resources, gpu), up):
        console.print("no host has room for a trial yet: waiting for the autoscaler to start one")
    return hosts


def _tune(work: Work, resources: Resources, dispatcher: Dispatcher, callbacks: list[tune.Callback], slots: int) -> None:
    """One run of Tune over all batches. Trials that fail are rows in the store; nothing is read from Tune's results.

    Beside those that run as many batches wait as there are slots: an autoscaler sees them and starts hosts, and a host
    that joins the cluster meanwhile gets its share of them.
    """
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(min(max(slots, FEWEST_WAITING), MOST_WAITING))
    trainable = tune.with_resources(
        tune.with_parameters(SearchTrainable, work=work),
        lambda config: tune.PlacementGroupFactory([reserved(resources, config["gpu"])]),
    )
    with tempfile.TemporaryDirectory(prefix="nas-study-") as scratch, contextlib.suppress(KeyboardInterrupt):
        tune.run(  # its Tuner would read back what trials reported, also of those that were never begun
            trainable,
            name=work.study,
            storage_path=scratch,
            search_alg=dispatcher,
            scheduler=Fifo(dispatcher.stop),
            num_samples=-1,
            reuse_actors=True,
            trial_dirname_creator=str,
            verbose=0,
            callbacks=callbacks,
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # it would lie on the driver's host
            max_failures=MOST_WORKER_DEATHS,
            raise_on_failed_trial=False,
        )


def _take(stop: Stop, over: set[str], trials: list[TrialSpec]) -> bool:
    """Whether a suggestion's trials may be run; those that are in the store cost nothing."""
    return stop.take_whole([spec for spec in trials if spec.id not in over])


def _total(study: Study, plan: Plan) -> int:
    samples = study.search.samples if study.search else 0
    return len(plan.trials) + sum(len(part.trials) * samples for part in plan.adaptive)


def _outcome(plan: Plan, store: Store, searches: list[Suggestions], stop: Stop) -> Outcome:
    rows = store.finished()
    planned = {spec.id for spec in plan.trials}
    count = Counter(row["status"] for trial_id, row in rows.items() if trial_id in planned or plan.adaptive)
    left = len(planned.difference(rows)) + sum(search.missing(set(rows)) for search in searches)
    begun = len(set(store.checkpoints()).difference(rows)) if left else 0
    return Outcome(
        count["ok"],
        count["diverged"],
        count["failed"],
        count["stopped"],
        left=left,
        begun=begun,
        ended_early=stop.reason,
    )
