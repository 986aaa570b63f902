"""What a run shows while it runs: a live display in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import Any

from ray.tune.progress_reporter import TrialProgressCallback
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from study.running.failures import failures
from study.running.stopping import Stop

LINE_EVERY_S = 10.0


class ProgressDisplay(TrialProgressCallback):
    """Follows the reports of all workers; counts trials of the study, not of Tune.

    Its base is Tune's own display, which Tune would add beside any other callback.
    """

    def __init__(self, console: Console, total: int, done: set[str], stop: Stop) -> None:
        """``done``: ids of the trials that were finished before."""
        self.console, self.total, self.done, self.stop = console, total, set(done), stop
        self.announced = False
        self.running: dict[str, list[dict[str, Any]]] = {}
        """by worker: its trials in progress"""
        self.bar = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), console=console,
        )  # fmt: skip
        self.task = self.bar.add_task("trials", total=total, completed=len(done))
        self.live = Live(console=console, refresh_per_second=4, transient=True, get_renderable=self.render)
        self.started = self.line_at = time.monotonic()

    def __enter__(self) -> ProgressDisplay:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.console.is_terminal:
            self.live.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles callbacks with its state; this one lives in the driver only

    def __setstate__(self, state: dict[str, Any]) -> None:
        pass

    def render(self) -> Group:
        """The bar, then a line for each running trial."""
        lines = [Text("  " + describe(run), style="dim") for run in self._runs()]
        return Group(self.bar, *lines[:16])

    def on_step_begin(self, iteration: int, trials: list[Any], **_: Any) -> None:
        if self.stop.requested and not self.announced and not self.stop.mistake:
            self.announced = True
            rest = ": finishing the epochs under way (a second signal does not wait)"
            self.say(str(self.stop.reason), "yellow", rest)

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        for row in result.get("finished", []):
            self.done.add(row["trial_id"])
            if row["status"] in ("failed", "diverged"):
                self.say(row["status"], "yellow", f": {row['method']} seed {row['seed']} ({row['error']})")
        self.running[trial.trial_id] = result.get("running", [])
        partial = sum(run["epoch"] / run["epochs"] for run in self._runs() if run["epochs"])
        self.bar.update(self.task, completed=min(self.total, len(self.done) + partial))
        if not self.console.is_terminal and time.monotonic() - self.line_at >= LINE_EVERY_S:
            self.line_at = time.monotonic()
            now = "; ".join(describe(run) for run in self._runs()[:4])
            since_s = time.monotonic() - self.started
            self.console.print(f"{len(self.done)}/{self.total} trials, {since_s:.0f} s: {now}", soft_wrap=True)

    def say(self, first: str, style: str, rest: str) -> None:
        """A sentence that begins in a colour; nothing in it is markup."""
        self.console.print(Text.assemble((first, style), rest))

    def _runs(self) -> list[dict[str, Any]]:
        return [run for _, runs in sorted(self.running.items()) for run in runs]

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.running.pop(trial.trial_id, None)

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.running.pop(trial.trial_id, None)
        reason = failures(trial)[-1].reason
        self.say("a worker is started anew", "yellow", f"; its trials go on from their last epoch ({reason})")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.running.pop(trial.trial_id, None)
        reason = failures(trial)[-1].reason
        self.say("the workers of a batch failed too often", "red", f"; it is left ({reason})")


def describe(run: dict[str, Any]) -> str:
    """One running trial in words."""
    accuracy = "" if run["valid_accuracy"] is None else f", validation {run['valid_accuracy']:.1f} %"
    known = f"/{run['epochs']}" if run["epochs"] else ""
    return f"{run['method']} seed {run['seed']}: epoch {run['epoch']}{known}{accuracy}"
