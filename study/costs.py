"""The cost table of a dry run: trials by method and hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass

from study.estimate import Estimator
from study.preparation import Prepared
from trainables.records import changed
from trainables.spec import TrialSpec


@dataclass(frozen=True)
class CostLine:
    """Trials that differ only in their seed. Seconds on one slot."""

    method: str
    config: str
    trials: int
    done: int
    trial_s: float

    @property
    def rest_s(self) -> float:
        return (self.trials - self.done) * self.trial_s


def costs(prepared: Prepared) -> list[CostLine]:
    """One line per method and setting, in the plan's order; a setting Optuna will choose is one line a method."""
    finished = prepared.store.finished(("status", "method", "config", "search_wall_s", "retrain_wall_s"))
    estimator = Estimator(list(finished.values()), prepared.surroundings)
    groups: dict[tuple[str, str], list[TrialSpec]] = {}
    for spec in prepared.plan.trials:
        groups.setdefault((spec.method, changed(spec)), []).append(spec)
    lines = [
        CostLine(method, config, len(specs), sum(s.id in finished for s in specs), estimator.seconds(specs[0], config))
        for (method, config), specs in groups.items()
    ]
    search = prepared.study.search
    for part in prepared.plan.adaptive:
        assert search is not None
        trials = len(part.trials) * search.samples
        chosen = f"{', '.join(part.ranges)} chosen by {search.algorithm}"
        done = sum(row["method"] == part.method for row in finished.values())
        trial_s = estimator.seconds(part.trials[0], changed(part.trials[0]))
        lines.append(CostLine(part.method, chosen, trials, min(done, trials), trial_s))
    return lines
