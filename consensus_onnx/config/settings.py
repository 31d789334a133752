"""Settings classes: frozen dataclasses whose fields carry their documentation and their limits."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Sequence
from typing import Any, TypeVar

from consensus_onnx.config.values import INVALID, NO_LIMITS, Annotation, Limits, convert, shown

T = TypeVar("T")


def setting(
    default: T,
    doc: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[object] | None = None,
    finite: bool = True,
) -> T:
    """Declare one field of a settings class: its default, what it means, and what it may be.

    Parameters
    ----------
    default : object
        The value when none is given: a scalar, a tuple, or an instance of another settings class.
    doc : str
        What the setting does and in which unit, in a sentence; it becomes the comment in the documented YAML.
    minimum, maximum : float, optional
        Inclusive bounds; every number in a tuple is held to them.
    above, below : float, optional
        Exclusive bounds.
    choices : sequence, optional
        The only values allowed, where the names are not fixed enough for a ``Literal`` type. ``None`` is always
        allowed if the type allows it.
    finite : bool
        Whether infinities and NaN are refused.

    Returns
    -------
    object
        A dataclass field, typed as its default so that type checkers compare it with the annotation.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Noise:
    ...     level: float = setting(0.1, "Standard deviation, as a share of the value range.", above=0, maximum=1)
    ...     def __post_init__(self) -> None:
    ...         check_settings(self)
    >>> Noise(level=15)
    Traceback (most recent call last):
        ...
    ValueError: Noise.level: must be > 0 and <= 1, got 15
    """
    limits = Limits(minimum, maximum, above, below, None if choices is None else tuple(choices), finite)
    return dataclasses.field(default=default, metadata={"doc": doc, "limits": limits})


def required(doc: str, *, choices: Sequence[object] | None = None) -> Any:
    """Declare a field of a settings class that has no default and must be given.

    Parameters
    ----------
    doc : str
        What the setting does, in a sentence.
    choices : sequence, optional
        The only values allowed.

    Returns
    -------
    object
        A dataclass field without default.
    """
    limits = Limits(choices=None if choices is None else tuple(choices))
    return dataclasses.field(metadata={"doc": doc, "limits": limits})


def check_settings(instance: Any) -> None:
    """Check every field of a settings instance; call it in ``__post_init__``.

    Fields are also brought into their exact form (lists to tuples, whole numbers to floats, NumPy scalars to plain
    ones), so that settings that mean the same are written to a run folder as the same bytes.

    Parameters
    ----------
    instance : object
        An instance of a frozen dataclass with `setting` fields.

    Raises
    ------
    ValueError
        If a value has the wrong type or lies outside its limits; names all such fields.
    """
    cls = type(instance)
    problems: list[str] = []

    def report(key: str, text: str) -> None:
        problems.append(f"{key}: {text}")

    def section(expected: Any, value: object, key: str) -> Any:
        if isinstance(value, expected):
            return value
        report(key, f"must be an instance of {expected.__name__}, got {shown(value)}")
        return INVALID

    for field in fields_of(cls):
        key = f"{cls.__name__}.{field.name}"
        value = convert(field.annotation, getattr(instance, field.name), field.limits, key, report, section)
        if value is not INVALID:
            object.__setattr__(instance, field.name, value)
    if problems:
        raise ValueError("; ".join(problems))


@dataclasses.dataclass(frozen=True)
class SettingField:
    """One field of a settings class, with its annotation resolved."""

    name: str
    annotation: Annotation
    default: Any
    doc: str
    limits: Limits

    @property
    def is_required(self) -> bool:
        """Whether the field has no default."""
        return self.default is dataclasses.MISSING


def fields_of(cls: Any) -> tuple[SettingField, ...]:
    """Return the fields of a settings class that its constructor takes, in order."""
    hints = typing.get_type_hints(cls)
    return tuple(
        SettingField(
            name=field.name,
            annotation=hints[field.name],
            default=field.default if field.default_factory is dataclasses.MISSING else field.default_factory(),
            doc=str(field.metadata.get("doc", "")),
            limits=field.metadata.get("limits", NO_LIMITS),
        )
        for field in dataclasses.fields(cls)
        if field.init
    )
