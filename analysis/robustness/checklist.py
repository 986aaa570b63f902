"""The best-practice checklist for NAS research, answered from the records where they can answer it.

Source: Lindauer and Hutter, "Best Practices for Scientific Research on Neural Architecture Search", JMLR 21(243), 2020;
the questions are put in our words. What only the authors of a study can answer stays an open box.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from analysis.pages.table import Table
from analysis.pages.words import listed
from analysis.results import accuracies
from analysis.results.from_store import Results
from analysis.robustness.summary import accounting

YES, NO, OPEN = "☑ yes", "☒ no", "☐ open"


@dataclass(frozen=True)
class Answer:
    """One of YES, NO and OPEN, and what in the records says so."""

    answer: str
    evidence: str


def _code(results: Results) -> Answer:
    versions = sorted(results.trials["code_version"].dropna().astype(str).unique())
    if not versions:
        return Answer(OPEN, "the records name no version of the code")
    commit = str(results.environment.get("commit") or "not recorded")
    return Answer(YES, f"version {listed(versions)}, commit {commit}; open if that code is not public")


def _seeds_and_settings(results: Results) -> Answer:
    if not results.study_text:
        return Answer(OPEN, "seeds are recorded; whether all settings are, is not known")
    return Answer(YES, "study.yaml, every hyperparameter and every seed are under Provenance")


def _evaluation(results: Results) -> Answer:
    trials = results.trials
    looked_up = any(accuracies.is_known(trials, c) for c in accuracies.TABLE)
    if looked_up and trials["table_fingerprint"].nunique() == 1:
        return Answer(YES, "every cell was looked up in one benchmark table")
    if looked_up:
        return Answer(NO, f"{trials['table_fingerprint'].nunique()} versions of the benchmark table were used")
    return Answer(OPEN, "no benchmark table was used")


def _same_data(results: Results) -> Answer:
    trials = results.trials
    if accuracies.foreign_columns(trials):
        return Answer(OPEN, "the table of results does not say")
    spaces, data = trials["space"].nunique(), trials["dataset"].nunique()
    images = int(trials.groupby("dataset")["dataset_fingerprint"].nunique().max() or 0)
    answer = YES if spaces == 1 and data == 1 and images <= 1 else NO
    return Answer(
        answer, f"search spaces {spaces}, data sets searched on {data}, versions of the images at most {images}"
    )


def _confounders(results: Results) -> Answer:
    trials = results.trials
    counts = {name: trials[name].nunique() for name in ("device", "host", "code_version")}
    if not any(counts.values()):
        return Answer(OPEN, "not recorded")
    words = f"devices {counts['device']}, hosts {counts['host']}, code versions {counts['code_version']}"
    return Answer(YES if max(counts.values()) == 1 else NO, words)


def _protocol(results: Results) -> Answer:
    budget = ["channels", "cells", "epochs", "batch_size"]
    trained = results.trials.loc[results.trials["protocol"].notna(), ["protocol", *budget]]
    if trained.empty:
        return Answer(OPEN, "no method here trains on a division of the data")
    used = sorted(trained["protocol"].unique())
    budgets = trained[budget].drop_duplicates()
    answer = YES if len(used) == 1 and len(budgets) == 1 else NO
    return Answer(answer, f"protocols {listed(used)}; {len(budgets)} different budgets (see Settings)")


def _over_time(results: Results) -> Answer:
    if accuracies.foreign_columns(results.trials):
        return Answer(OPEN, "the table of results does not say")
    if not results.has_epochs:
        return Answer(NO, "no epochs were recorded")
    return Answer(YES, "regret against epoch, time and cost")


def _random_baseline(results: Results) -> Answer:
    found = sorted({m for m in results.trials["method"].unique() if str(m).startswith("random")})
    return Answer(YES, listed(found)) if found else Answer(NO, "no random search is among the methods")


def _repeats(results: Results) -> Answer:
    counts = accounting(results.trials)["seeds"]
    fewest, most = int(counts.min()), int(counts.max())
    count = str(most) if fewest == most else f"{fewest} to {most}"
    return Answer(YES if fewest >= 3 else NO, f"{count} seeds a variant; three are the least here")


def _benchmark(results: Results) -> Answer:
    found = _evaluation(results)
    return Answer(YES, "NAS-Bench-201") if found.answer != OPEN else found


def _tuning(results: Results) -> Answer:
    search = results.study.get("search")
    if isinstance(search, dict):
        return Answer(
            YES, f"{search.get('algorithm')} search, {search.get('samples')} samples, by {search.get('objective')}"
        )
    return Answer(OPEN, "say how each method's hyperparameters were chosen, and at what cost")


def _cost(results: Results) -> Answer:
    trials = results.trials
    known = int(trials.loc[trials["status"] == "ok", "search_wall_s"].notna().sum())
    if not known:
        return Answer(OPEN, "no times were recorded")
    return Answer(YES, f"search time of {known} trials, under Tables; time spent on tuning is not in it")


def _open(words: str) -> Callable[[Results], Answer]:
    return lambda results: Answer(OPEN, words)


QUESTIONS: dict[str, Callable[[Results], Answer]] = {
    "Is the code of search space, methods and evaluation released?": _code,
    "Are the seeds and hyperparameters of every run given?": _seeds_and_settings,
    "Were all methods evaluated with the same training code and hyperparameters?": _evaluation,
    "Did all methods see the same data and search the same space?": _same_data,
    "Are confounders such as hardware and library versions the same for all?": _confounders,
    "Did all methods search under one protocol and at one budget?": _protocol,
    "Is performance compared over time, not at the end only?": _over_time,
    "Is random search among the methods?": _random_baseline,
    "Was every method run with several seeds?": _repeats,
    "Was a tabular or surrogate benchmark used for thorough evaluation?": _benchmark,
    "Are there ablations of what is new?": _open("say which parts were switched off, and what remained"),
    "Is it said how the hyperparameters were tuned?": _tuning,
    "Is the cost of the whole method reported?": _cost,
    "Is every other detail of the setup reported?": _open("say what the records cannot, such as manual choices"),
}


def checklist(results: Results) -> Table:
    """Every question with its answer and the evidence for it."""
    answers = {question: answer(results) for question, answer in QUESTIONS.items()}
    data = pd.DataFrame([{"question": q, "answer": a.answer, "evidence": a.evidence} for q, a in answers.items()])
    caption = (
        "After Lindauer and Hutter (2020). Answered from the records where they can answer; an open box is the "
        "authors' to fill in."
    )
    return Table("checklist", "Best-practice checklist", caption, data, data, prose=("answer", "evidence"))
