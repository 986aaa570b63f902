"""How fast a study goes: trials an hour, and how long the rest takes, from when and in how long its trials finished."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import fmean

from study.store.arrow import Row

LATEST = 100
"""The pace is that of so many trials, or of the whole run while it has fewer."""


class Pace:
    """Of a run that began at ``started_at``, read at ``now`` (both in seconds since the epoch).

    The rest is counted in seconds of work, a trial being as long as its method's are on average; the work done in a
    second, by however many workers there are, is that of the trials that finished last.
    """

    def __init__(self, rows: Iterable[Row], started_at: float, now: float) -> None:
        known = [(row["finished_at"], row) for row in rows if row["finished_at"] is not None]
        since = sorted((pair for pair in known if pair[0] >= started_at), key=lambda pair: pair[0])
        latest = since[-LATEST:]
        self.finished_at = max((time for time, _ in known), default=0.0)
        self._hours = (now - (since[-LATEST - 1][0] if len(since) > LATEST else started_at)) / 3600
        self._finished = Counter(row["method"] for _, row in latest)
        lengths = defaultdict(list)
        for _, row in known:
            lengths[row["method"]].append(work_s(row))
        self._mean_s = {method: fmean(values) for method, values in lengths.items()}
        self._any_s = fmean(self._mean_s.values()) if self._mean_s else 0.0
        self._work_per_hour = sum(work_s(row) for _, row in latest) / self._hours if latest else 0.0

    def per_hour(self, method: str) -> float:
        return self._finished[method] / self._hours if self._finished[method] else 0.0

    def rest_s(self, method: str, left: int) -> float | None:
        """Seconds that ``left`` trials take all workers together; None while no trial has finished to go by."""
        if not left:
            return 0.0
        if not self._work_per_hour:
            return None
        return 3600 * left * self._mean_s.get(method, self._any_s) / self._work_per_hour


def work_s(row: Row) -> float:
    return (row["search_wall_s"] or 0.0) + (row["retrain_wall_s"] or 0.0)
