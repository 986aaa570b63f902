"""A study file read: by name or path, with overrides; every error names the key, what was given and the fix."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from study.config import Evaluate, PartialScale, Resources, RetrainStudy, Search, Study
from trainables.errors import ConfigError, choose, shown
from trainables.reading import Unreadable, from_yaml, read_text
from trainables.spec import DatasetSpec

_UNION_BRANCHES = {"a value", "a list", "keys", "constrained-float", "bool", "int", "float", "str"}


def shipped() -> dict[str, str]:
    """Name -> YAML text of the studies that come with the package."""
    folder = resources.files("study") / "studies"
    return {f.name.removesuffix(".yaml"): f.read_text() for f in folder.iterdir() if f.name.endswith(".yaml")}


def load(study: str, overrides: list[str] | None = None) -> Study:
    """Read a shipped study by name or a YAML file by path, apply ``key=value`` overrides. Raises ConfigError."""
    known = shipped()
    place = Path(study)
    if study not in known and place.suffix not in (".yaml", ".yml") and "/" not in study and not _is_file(place):
        raise ConfigError(f"{choose('study', study, known)}; or give the path of a YAML file")
    try:
        raw = from_yaml(known[study] if study in known else read_text(place))
    except Unreadable as error:
        raise ConfigError(f"a study must be a file of readable YAML, but {shown(study)} is not: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(
            f"a study file must hold keys such as name, dataset and methods, but {study} holds {shown(raw)}"
        )
    for override in overrides or []:
        _override(raw, override)
    return parse(raw)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no file has such a name
        return False


def parse(raw: dict[str, Any]) -> Study:
    """Validate a study given as plain values, turning pydantic's report into one sentence. Raises ConfigError."""
    try:
        return Study.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if str(part) not in _UNION_BRANCHES)
        if first["type"] == "extra_forbidden":
            known = set(Study.model_fields) if len(first["loc"]) == 1 else _keys_at(first["loc"])
            raise ConfigError(f"in the study: {choose('key', where, known)}") from None
        if first["type"] == "missing":
            raise ConfigError(f"a study must have the key `{where}`, but it is missing") from None
        message = re.sub(r"^(Value error, |(Input|String|List|Dictionary) (?=should))", "", first["msg"])
        raise ConfigError(f"in the study: `{where}` {message}, but got {shown(first['input'])}") from None


def _keys_at(location: tuple[int | str, ...]) -> set[str]:
    """The keys allowed beside an unknown nested one, written with their parent."""
    models: dict[str, type[BaseModel]] = {
        "dataset": DatasetSpec, "scale": PartialScale, "evaluate": Evaluate, "resources": Resources, "search": Search,
    }  # fmt: skip
    if location[:2] == ("evaluate", "retrain"):
        return {f"evaluate.retrain.{key}" for key in RetrainStudy.model_fields}
    model = models.get(str(location[0]))
    return {f"{location[0]}.{key}" for key in model.model_fields} if model else set(Study.model_fields)


def _override(raw: dict[str, Any], override: str) -> None:
    """Apply one ``a.b.c=value`` to the raw study; the value is YAML."""
    path, equals, value = override.partition("=")
    if not equals or not path:
        raise ConfigError(f"an override must read key=value, such as scale.epochs=5, but got {shown(override)}")
    *parents, last = path.split(".")
    place = raw
    for key in parents:
        if isinstance(place.get(key), list):
            raise ConfigError(f"an override changes one key, but `{key}` in {shown(override)} is a list; give it whole")
        if not isinstance(place.get(key), dict):
            place[key] = {"name": place[key]} if key == "dataset" and isinstance(place.get(key), str) else {}
        place = place[key]
    try:
        place[last] = from_yaml(value)
    except Unreadable as error:
        raise ConfigError(f"the value of an override must be YAML, but {shown(override)} is not: {error}") from None
