"""The checklist answers from the records, and leaves open what they cannot know."""

from __future__ import annotations

from analysis import Results
from analysis.robustness.checklist import NO, OPEN, YES, checklist


def test_checklist_answers_what_the_records_can(results: Results) -> None:
    answers = checklist(results).data.set_index("question")["answer"]
    assert answers["Was every method run with several seeds?"] == NO
    assert answers["Is random search among the methods?"] == YES
    assert answers["Are there ablations of what is new?"] == OPEN
