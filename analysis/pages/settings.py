"""The table of settings: what exactly each variant was."""

from __future__ import annotations

import pandas as pd

from analysis.pages.table import Table
from analysis.pages.words import UNKNOWN
from trainables.records import setting_text


def settings(trials: pd.DataFrame) -> Table:
    """What exactly each variant was: protocol, data, scale and every hyperparameter."""
    columns = ["method_version", "protocol", "dataset", "channels", "cells", "epochs", "batch_size", "retrain_epochs"]
    hyperparameters = sorted(c for c in trials.columns if c.startswith("hp."))
    grouped = trials.groupby("variant", observed=True)
    data = grouped[[*columns, *hyperparameters]].agg(distinct).reset_index()
    known = [column for column in columns if data[column].ne(UNKNOWN).any()]
    shown = data[["variant", *known]].rename(columns=lambda name: name.replace("_", " "))
    shown["hyperparameters"] = [
        ", ".join(f"{c.removeprefix('hp.')}={row[c]}" for c in hyperparameters if row[c] != UNKNOWN) or "none"
        for _, row in data.iterrows()
    ]
    caption = "Epochs are search epochs; methods that only look cells up have no protocol and mostly count queries."
    if not known:
        caption = "What the table says of each."
    return Table("settings", "Settings", caption, shown, data, prose=("hyperparameters",))


def distinct(values: pd.Series) -> str:
    """All values that occur, "a / b"; a dash where there are none."""
    texts = dict.fromkeys(setting_text(value) for value in values.dropna().unique())
    return " / ".join(texts) or UNKNOWN
