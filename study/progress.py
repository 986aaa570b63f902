"""What a run shows while it runs: a live display in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import Any

from ray import tune
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

LINE_EVERY_S = 10.0


class ProgressDisplay(tune.Callback):
    """Follows the reports of all workers; counts trials of the study, not of Tune."""

    def __init__(self, console: Console, total: int, done: int) -> None:
        self.console, self.total, self.done = console, total, done
        self.failed = 0
        self.running: dict[str, dict[str, Any]] = {}
        self.bar = Progress(
            TextColumn("[bold]{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), console=console,
        )  # fmt: skip
        self.task = self.bar.add_task("trials", total=total, completed=done)
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
        lines = [Text("  " + describe(run), style="dim") for _, run in sorted(self.running.items())]
        return Group(self.bar, *lines[:16])

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        for row in result.get("finished", []):
            self.done += 1
            if row["status"] != "ok":
                self.failed += 1
                self.console.print(
                    f"[yellow]{row['status']}[/]: {row['method']} seed {row['seed']}", Text(f"({row['error']})")
                )
        if result.get("running"):
            self.running[trial.trial_id] = result["running"]
        else:
            self.running.pop(trial.trial_id, None)
        partial = sum(run["epoch"] / run["epochs"] for run in self.running.values() if run["epochs"])
        self.bar.update(self.task, completed=min(self.total, self.done + partial))
        if not self.console.is_terminal and time.monotonic() - self.line_at >= LINE_EVERY_S:
            self.line_at = time.monotonic()
            now = "; ".join(describe(run) for _, run in sorted(self.running.items())[:4])
            self.console.print(
                f"{self.done}/{self.total} trials, {time.monotonic() - self.started:.0f} s: {now}", highlight=False,
                soft_wrap=True,
            )  # fmt: skip

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.running.pop(trial.trial_id, None)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.running.pop(trial.trial_id, None)
        self.console.print("[yellow]a worker process died; its trials go on from their last epoch[/]")


def describe(run: dict[str, Any]) -> str:
    """One running trial in words."""
    accuracy = "" if run["valid_accuracy"] is None else f", validation {run['valid_accuracy']:.1f} %"
    known = f"/{run['epochs']}" if run["epochs"] else ""
    return f"{run['method']} seed {run['seed']}: epoch {run['epoch']}{known}{accuracy}"
