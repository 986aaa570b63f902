"""One table in four forms: HTML, Markdown and LaTeX for people, CSV for programs.

``shown`` holds finished text and is what people read; ``data`` holds the numbers behind it at full precision, with
units in the headers.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

import pandas as pd

from analysis.pages.csv import csv_text

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "×": r"$\times$",
    "→": r"$\to$",
    "…": r"\dots{}",
    "–": "--",
    "κ": r"$\kappa$",
    "τ": r"$\tau$",
    "☐": r"$\square$",
    "☑": r"$\checkmark$",
    "☒": r"$\boxtimes$",
}


@dataclass(frozen=True)
class Table:
    """``shown`` and ``data`` have one row for each thing described; their columns may differ.

    ``prose`` names the shown columns that hold sentences: they align left and wrap. ``folded`` tables show their title
    until they are opened.
    """

    name: str
    title: str
    caption: str
    shown: pd.DataFrame
    data: pd.DataFrame
    prose: tuple[str, ...] = ()
    folded: bool = False

    def to_csv(self) -> str:
        """The numbers, unrounded; an empty field is a missing value."""
        return csv_text(self.data)

    def to_markdown(self) -> str:
        """A pipe table under its title and caption."""
        header = [markdown(str(column)) for column in self.shown.columns]
        rows = [[markdown(str(value)) for value in row] for row in self.shown.itertuples(index=False)]
        rule = ["---" if left else "---:" for left in self._left()]
        lines = ["| " + " | ".join(row) + " |" for row in [header, rule, *rows]]
        return f"### {markdown(self.title)}\n\n{markdown(self.caption)}\n\n" + "\n".join(lines) + "\n"

    def to_latex(self) -> str:
        """A table for the packages booktabs and amssymb."""
        header = [f"\\textbf{{{_latex(str(column))}}}" for column in self.shown.columns]
        alignment = "l" + "".join("p{7cm}" if left else "r" for left in self._left()[1:])
        rows = [[_latex(str(value)) for value in row] for row in self.shown.itertuples(index=False)]
        body = [" & ".join(row) + r" \\" for row in rows]
        return "\n".join(
            [
                r"\begin{table}",
                r"  \centering",
                f"  \\caption{{{_latex(f'{self.title}. {self.caption}')}}}",
                f"  \\label{{tab:{self.name.replace('_', '-')}}}",
                f"  \\begin{{tabular}}{{{alignment}}}",
                r"    \toprule",
                "    " + " & ".join(header) + r" \\",
                r"    \midrule",
                *(f"    {line}" for line in body),
                r"    \bottomrule",
                r"  \end{tabular}",
                r"\end{table}",
                "",
            ]
        )

    def to_html(self) -> str:
        """A table element with a caption; the first cell of each row is its heading."""
        classes = [' class="prose"' if column in self.prose else "" for column in self.shown.columns]
        head = "".join(
            f'<th scope="col"{class_}>{_html(column)}</th>'
            for column, class_ in zip(self.shown.columns, classes, strict=True)
        )
        rows = []
        for first, *rest in self.shown.itertuples(index=False):
            cells = "".join(f"<td{c}>{_html(value)}</td>" for value, c in zip(rest, classes[1:], strict=True))
            rows.append(f'<tr><th scope="row">{_html(first)}</th>{cells}</tr>')
        caption = f"<caption><span>{html.escape(self.caption)}</span></caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"

    def _left(self) -> list[bool]:
        return [i == 0 or column in self.prose for i, column in enumerate(self.shown.columns)]


def _html(value: object) -> str:
    return html.escape(str(value)).replace("_", "_<wbr>")


def markdown(text: str) -> str:
    """The text on one line, with whatever Markdown or HTML would read as markup made harmless."""
    text = html.escape(text, quote=False).replace("\\", "\\\\")
    for special in "|*`[]":
        text = text.replace(special, f"\\{special}")
    return " ".join(text.split())


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
