"""What ``nas-study status`` shows: a table a study, once or for as long as one likes to watch."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from study.status.standing import Observer, Standing


def watch(observers: list[Observer], console: Console, every_s: float) -> None:
    """Show how far the studies are, every ``every_s`` seconds anew, until interrupted."""
    try:
        if console.is_terminal:
            with Live(console=console, auto_refresh=False) as live:
                while True:
                    live.update(tables(observers), refresh=True)
                    time.sleep(every_s)
        while True:
            console.print(tables(observers))
            time.sleep(every_s)
    except KeyboardInterrupt:
        return


def tables(observers: Iterable[Observer]) -> Group:
    """One table a study, as its store is now."""
    return Group(*(table(observer.store.path, observer.look()) for observer in observers))


def table(title: str, standings: list[Standing]) -> Table:
    """A line for each method, and one for all where there are several."""
    *methods, everything = standings
    counts = ["planned", "ok", "diverged", "failed", "running", "begun", "left"]
    if everything.stopped:
        counts.insert(4, "stopped")
    shown = Table(title=title, box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold underline")
    shown.add_column("method", overflow="fold", min_width=10)
    for heading in (*counts, "trials/h", "time left"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for standing in methods if len(methods) == 1 else standings:
        rate = "–" if standing.per_hour is None else f"{standing.per_hour:.{0 if standing.per_hour >= 10 else 1}f}"
        numbers = (str(getattr(standing, name)) for name in counts)
        style = "bold" if standing is everything else None
        shown.add_row(standing.method, *numbers, rate, duration(standing.rest_s), style=style)
    return shown


def duration(seconds: float | None) -> str:
    """Days and hours, hours and minutes, or minutes and seconds; a dash for what is not known."""
    if seconds is None:
        return "–"
    minutes, rest_s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest_s:02} s"
