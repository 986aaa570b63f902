"""What a user wrote, read the same way wherever it is met: paths, small text files, YAML, JSON.

A text says what it means or is refused: no key stands twice, nothing nests or multiplies without end, and dates are the
words that they are written in. What is refused raises Unreadable, whose text completes a sentence that names the place.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from trainables.errors import shown

LARGEST_KIB = 256
"""Of a file that somebody wrote by hand; a list of 30,000 seeds fits."""
MOST_VALUES = 100_000
"""In a YAML text, each alias counted as what it stands for."""
DEEPEST = 20
MOST_DIGITS = 100
_INTEGER = "tag:yaml.org,2002:int"
_NUMBERS = (_INTEGER, "tag:yaml.org,2002:float")
_DISGUISED = re.compile(r"[-+]?(0[0-9_]+|[0-9_]+(:[0-9_.]+)+)")
"""Numbers that are others than they look: 010 is 8 and 1:30 is 90."""
_TRUTHS = ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:null")


class Unreadable(ValueError):
    """Why a text cannot be read, as the end of a sentence."""


def whole_path(path: str | Path) -> Path:
    """The path as it is understood in any working folder. Raises Unreadable."""
    try:
        return Path(path).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, no such user, a zero byte
        raise Unreadable(_words(error)) from None


def read_text(path: str | Path) -> str:
    """The whole of a small UTF-8 file. Raises Unreadable."""
    place = whole_path(path)
    try:
        if not place.is_file():
            raise Unreadable("it is not a file" if place.exists() else "there is no such file")
        with place.open("rb") as file:
            content = file.read(LARGEST_KIB * 1024 + 1)
    except OSError as error:
        raise Unreadable(error.strerror or _words(error)) from None
    if len(content) > LARGEST_KIB * 1024:
        raise Unreadable(f"it is larger than {LARGEST_KIB} KiB")
    return decoded(content)


def decoded(content: bytes) -> str:
    """UTF-8 as text, with or without a byte order mark. Raises Unreadable."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("it is UTF-16; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Unreadable(f"line {line} holds a byte that is not UTF-8; save it as UTF-8") from None


def from_json(text: str) -> Any:
    """Raises Unreadable."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(_words(error)) from None


def from_yaml(text: str) -> Any:
    """Raises Unreadable."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check(node)
        return loader.construct_document(node)
    except RecursionError:
        raise Unreadable(f"it nests deeper than {DEEPEST} levels") from None
    except Unreadable:
        raise
    except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise Unreadable(_words(error)) from None  # what follows YAMLError: tags such as !!int on what is none


class _Loader(yaml.SafeLoader):
    """YAML of plain values: a date is text, for nothing here takes one."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _check(root: yaml.Node) -> None:
    """Refuse repeated keys, endless nesting, and aliases that stand for more values than anybody means."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node, depth: int) -> int:
        if depth > DEEPEST:  # an alias of what it stands in never ends
            raise Unreadable(f"it nests deeper than {DEEPEST} levels")
        if id(node) not in sizes:
            parts: list[yaml.Node] = []
            if node.tag == _INTEGER and len(node.value) > MOST_DIGITS:
                raise Unreadable(f"line {node.start_mark.line + 1} holds a number of {len(node.value)} digits")
            if node.tag in _NUMBERS and _DISGUISED.fullmatch(node.value):
                raise Unreadable(
                    f"line {node.start_mark.line + 1} holds {shown(node.value)}, which YAML takes for a number to "
                    "the base of 8 or 60; write it without zeros before it, or in quotes"
                )
            if isinstance(node, yaml.MappingNode):
                _check_keys(node)
                parts = [part for pair in node.value for part in pair]
            elif isinstance(node, yaml.SequenceNode):
                parts = node.value
            sizes[id(node)] = 1 + sum(size(part, depth + 1) for part in parts)
        return sizes[id(node)]

    if size(root, 0) > MOST_VALUES:
        raise Unreadable(f"it stands for more than {MOST_VALUES} values")


def _check_keys(node: yaml.MappingNode) -> None:
    seen: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        name = (key.tag, str(key.value)) if isinstance(key, yaml.ScalarNode) else None
        if name in seen:
            raise Unreadable(
                f"the key {shown(name[1])} stands on line {seen[name]} and again on line {key.start_mark.line + 1}; "
                "keep one, or give one of them a list"
            )
        if name is not None and key.tag in _TRUTHS:
            raise Unreadable(
                f"the key {name[1]} on line {key.start_mark.line + 1} is no text to YAML, but true, false or null; "
                "put it in quotes if it is a name"
            )
        if name is not None:
            seen[name] = key.start_mark.line + 1


def _words(error: Exception) -> str:
    """The error's own words as the end of a sentence."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 300 else f"{words[:300]} …"
