"""What becomes of an input in the hands of others: strategies that change bytes, trees of values, and columns."""

from __future__ import annotations

import copy
import datetime
import decimal
import os
from collections.abc import Callable
from typing import Any

import hypothesis
import pyarrow as pa
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

TIMES = int(os.environ.get("NAS_STUDY_MUTATIONS", "1"))
"""How many times as many examples are tried as the suite takes."""

ODD_TEXTS = [
    "", " ", "\0", "²", "٣", "[/b]", "<b>&", "\x1b[31m", "nan", "-inf", "1e999", "-1", "0", "9" * 400, "1e400", "0x10",
    "9223372036854775808", "-9223372036854775809", "null", "true", "~", "[]", "{}", "'", '"', ",", ";", "\n", "\r", ":",
    "=1+1", "%s%n", "{x}", "{0}", "../..", "\u202e", "\u2028",
     "\U0001f600", "é", "e\u0301", "ﬁ", "&a [*a]",
    "!!python/none x", "---", "x" * 5000,
]  # fmt: skip
ODD_VALUES: list[Any] = [
    None, True, False, 0, -1, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1e-320, 1e308, float("nan"), float("inf"),
    [], [[]], [None],
    [1, "a"], {}, {"": 1}, {"low": 1, "high": 0}, {"low": 0, "high": 1, "log": True}, {"name": []}, "search", "auto",
    *ODD_TEXTS,
]  # fmt: skip
ODD_BYTES = [text.encode() for text in ODD_TEXTS] + [b"\xff\xfe", b"\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf"]
ODD_COLUMNS: list[Callable[[int], pa.Array]] = [
    lambda n: pa.nulls(n),
    lambda n: pa.array([True] * n),
    lambda n: pa.array([[1]] * n),
    lambda n: pa.array([{"a": 1}] * n),
    lambda n: pa.array([b"\xff"] * n),
    lambda n: pa.array([2**64 - 1] * n, pa.uint64()),
    lambda n: pa.array([-1] * n),
    lambda n: pa.array([float("nan")] * n),
    lambda n: pa.array([1e308, *[-1e308] * (n - 1)]),
    lambda n: pa.array([0.5] * n, pa.float16()),
    lambda n: pa.array([decimal.Decimal("90.5")] * n),
    lambda n: pa.array([datetime.datetime(9999, 12, 31)] * n),
    lambda n: pa.array([datetime.timedelta(1)] * n),
    lambda n: pa.array(["A"] * n).dictionary_encode(),
    lambda n: pa.array([[{"a": 1}]] * n),
    lambda n: pa.array(range(n)),
]


def bounded(examples: int) -> hypothesis.settings:
    """So many examples, the same each time; pytest's own limit ends one that hangs."""
    return hypothesis.settings(
        max_examples=TIMES * examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # to shrink what failed would take minutes
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """Up to three changes: a bit, an end that is lost, a piece that is gone, doubled or replaced by something odd."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        until = min(len(content), at + draw(st.sampled_from([0, 1, 2, 8, 64])))
        kind = draw(st.sampled_from(["bit", "cut", "gone", "twice", "odd"]))
        if kind == "bit" and content:
            content = content[:at] + bytes([content[at] ^ 1 << draw(st.integers(0, 7))]) + content[at + 1 :]
        elif kind == "cut":
            content = content[:at]
        elif kind == "gone":
            content = content[:at] + content[until:]
        elif kind == "twice":
            content = content[:until] + content[at:]
        else:
            content = content[:at] + draw(st.sampled_from(ODD_BYTES)) + content[until:]
    return content


@st.composite
def mutated_tree(draw: st.DrawFn, tree: Any) -> Any:
    """Dicts and lists with one or two values, keys or branches that are something else."""
    root = {"": copy.deepcopy(tree)}
    for _ in range(draw(st.integers(1, 2))):
        holder, key = draw(st.sampled_from(_places(root)))
        kind = draw(st.sampled_from(["value", "value", "value", "list", "gone", "key"]))
        if kind == "list":
            holder[key] = [holder[key]] * draw(st.integers(1, 2))
        elif kind == "gone" and holder is not root:
            del holder[key]
        elif kind == "key" and isinstance(holder, dict) and holder is not root:
            holder[draw(st.sampled_from([*ODD_TEXTS, None, 1, 1.5, True]))] = holder.pop(key)
        else:
            holder[key] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))  # the next mutation may be of its inside
    return root[""]


def _places(node: Any) -> list[tuple[Any, Any]]:
    pairs = list(node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ())
    return [(node, key) for key, _ in pairs] + [place for _, below in pairs for place in _places(below)]


@st.composite
def mutated_table(draw: st.DrawFn, table: pa.Table) -> pa.Table:
    """A column or two of another type, under another name, twice, or gone."""
    for _ in range(draw(st.integers(1, 2))):
        if not table.num_columns:
            break
        at = draw(st.integers(0, table.num_columns - 1))
        name = table.column_names[at]
        kind = draw(st.sampled_from(["type", "type", "type", "value", "name", "twice", "gone", "rows"]))
        if kind == "type":
            table = table.set_column(at, name, draw(st.sampled_from(ODD_COLUMNS))(len(table)))
        elif kind == "value":
            values = [str(value) for value in table.column(at).to_pylist()]
            values[:1] = [draw(st.sampled_from(ODD_TEXTS))]
            table = table.set_column(at, name, pa.array(values[: len(table)], pa.string()))
        elif kind == "name":
            table = table.set_column(at, draw(st.sampled_from([*ODD_TEXTS, f"hp.{name}", "seed"])), table.column(at))
        elif kind == "twice":
            table = table.append_column(name, table.column(at))
        elif kind == "gone":
            table = table.remove_column(at)
        else:
            table = table.slice(0, draw(st.sampled_from([0, 1])))
    return table
