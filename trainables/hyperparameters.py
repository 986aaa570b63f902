"""How a search method declares its hyperparameters: once, as fields of a frozen model.

Validation, ``nas-study methods show``, the default range of a hyperparameter search, the docs and the trial id all
read this one declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from trainables.errors import ConfigError, choose, shown

Scalar = bool | int | float | str
MOST_COUNT, MOST_NUMBER = 1_000_000, 1e30
"""What a hyperparameter may be that declares no upper bound of its own: a whole number, another one."""


@dataclass(frozen=True)
class Range:
    """The values a hyperparameter study searches: [low, high], uniform in the logarithm if ``log``."""

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"a range needs low < high, and low > 0 if log, but got {self}")

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}]{' log' if self.log else ''}"


Ranges = Mapping[str, Range | tuple[Scalar, ...]]
"""What a hyperparameter study searches: hyperparameter -> its range or its choices."""


def hyperparameter(
    default: Scalar, doc: str, *, source: str, search: Range | None = None, later: bool = False, **bounds: Any
) -> Any:
    """Declare one hyperparameter.

    ``bounds`` are pydantic's (gt, ge, lt, le): values outside are refused. A number without an upper one has that of
    its kind, so that none overflows and a count comes to an end. ``search`` is the range that a hyperparameter search
    draws from when the study names none; choices (bool, Literal) need none. ``later`` marks one that the method did
    not have from the beginning, and without which it ran as it runs at the default: results from before stay valid.
    """
    if isinstance(default, int | float) and not isinstance(default, bool) and not {"le", "lt"} & set(bounds):
        bounds["le"] = MOST_COUNT if isinstance(default, int) else MOST_NUMBER
    extra: dict[str, Any] = {"source": source, "search": asdict(search) if search else None}
    extra |= {"later": later, "bounds": bounds}
    return Field(default=default, description=doc, json_schema_extra=extra, **bounds)


def no_truth_for_a_number(cls: type[BaseModel], value: Any, info: ValidationInfo) -> Any:
    """Refuse true and false where a number is declared, which pydantic would take for 1 and 0."""
    annotation = cls.model_fields[str(info.field_name)].annotation
    kinds = get_args(annotation) or (annotation,)
    if isinstance(value, bool) and bool not in kinds and {int, float} & set(kinds):
        raise ValueError("must be a number, not true or false")
    return value


class MethodConfig(BaseModel):
    """Base of every method's hyperparameters. Frozen; unknown names and values out of bounds are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    _numbers = field_validator("*", mode="before")(no_truth_for_a_number)

    @classmethod
    def redeclare(cls, name: str, default: Scalar, *, source: str) -> Any:
        """The hyperparameter ``name`` once more, for a config derived from this one whose default is another."""
        field = cls.model_fields[name]
        extra, search = _extra(field), _extra(field)["search"]
        search = Range(**search) if search else None
        return hyperparameter(
            default, field.description or "", source=source, search=search, later=extra["later"], **extra["bounds"]
        )

    @classmethod
    def later(cls) -> dict[str, Scalar]:
        """The defaults of the hyperparameters that were declared ``later``."""
        return {name: field.default for name, field in cls.model_fields.items() if _extra(field)["later"]}

    def stated(self) -> dict[str, Scalar]:
        """What a trial states of them, which its id is a hash of: all but those declared ``later`` at their default."""
        later = self.later()
        return {name: value for name, value in self.model_dump().items() if name not in later or value != later[name]}

    @classmethod
    def parse(cls, method: str, values: dict[str, Any]) -> MethodConfig:
        """Build the config, turning pydantic's report into one sentence. Raises ConfigError."""
        for name in values:
            field_named(cls, method, name)
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = str(first["loc"][0]) if first["loc"] else "config"
            given = f", but got {name}={shown(first['input'])}" if first["loc"] else ""
            message = first["msg"].removeprefix("Input ").removeprefix("Value error, ")
            raise ConfigError(f"{method}: `{name}` {message}{given}") from None


def source_of(field: FieldInfo) -> str:
    """Where the default comes from."""
    return str(_extra(field)["source"])


def choices_of(field: FieldInfo) -> tuple[Scalar, ...] | None:
    """The values of a Literal or boolean hyperparameter, or None for a number."""
    if field.annotation is bool:
        return (False, True)
    return get_args(field.annotation) or None


def range_of(config: type[MethodConfig], method: str, name: str) -> Range | tuple[Scalar, ...]:
    """The declared search range of a hyperparameter, or its choices. Raises ConfigError where there is neither."""
    field = field_named(config, method, name)
    declared = _extra(field)["search"]
    if declared:
        return Range(**declared | {"integer": field.annotation is int})
    choices = choices_of(field)
    if choices is None:
        raise ConfigError(f"{method}: `{name}` declares no search range; give one as {{low: ..., high: ..., log: ...}}")
    return choices


def field_named(config: type[MethodConfig], method: str, name: str) -> FieldInfo:
    """A declared hyperparameter. Raises ConfigError naming the nearest known one."""
    if name not in config.model_fields:
        raise ConfigError(f"{method}: {choose('hyperparameter', name, config.model_fields)}")
    return config.model_fields[name]


def _extra(field: FieldInfo) -> dict[str, Any]:
    assert isinstance(field.json_schema_extra, dict)
    return field.json_schema_extra
