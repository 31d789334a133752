"""One value against one type annotation and its limits: the check that YAML files and Python calls share."""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Annotation: TypeAlias = Any
Report: TypeAlias = Callable[[str, str], None]
"""Takes the dotted key and the text of one problem."""
BuildSection: TypeAlias = Callable[[Any, object, str], Any]
"""Makes an instance of a settings class from what stands at a dotted key; reports its own problems."""


class _Invalid:
    """What `convert` returns for a value it has reported."""


INVALID = _Invalid()


@dataclass(frozen=True)
class Limits:
    """What a setting allows beyond its type; numbers inside tuples are held to it one by one."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[object, ...] | None = None
    finite: bool = True

    def text(self) -> str:
        """Say the bounds in words, "> 0 and <= 1"; empty without bounds."""
        bounds = ((">=", self.minimum), (">", self.above), ("<=", self.maximum), ("<", self.below))
        return " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)

    def allow(self, number: float) -> bool:
        """Say whether a number lies within the bounds."""
        return (
            (self.minimum is None or number >= self.minimum)
            and (self.above is None or number > self.above)
            and (self.maximum is None or number <= self.maximum)
            and (self.below is None or number < self.below)
        )


NO_LIMITS = Limits()


def convert(annotation: Annotation, value: Any, limits: Limits, key: str, report: Report, section: BuildSection) -> Any:
    """Return `value` in the exact form of its annotation, or report what is wrong and return `INVALID`.

    Lists become tuples, whole numbers become floats where a float is asked for, NumPy scalars become plain ones.
    """
    chosen = _option(annotation, value)
    if chosen is None:
        report(key, f"must be {describe(annotation, limits)}, got {shown(value)}{_hint(annotation, value)}")
        return INVALID
    (option,) = chosen
    if dataclasses.is_dataclass(option):
        return section(option, value, key)
    if _parts(option)[0] is tuple:
        return _convert_tuple(option, value, limits, key, report, section)
    exact = int(value) if option is int else _as_float(value) if option is float else value
    wrong = _outside(exact, limits, value)
    if wrong:
        report(key, wrong)
        return INVALID
    return exact


def describe(annotation: Annotation, limits: Limits = NO_LIMITS) -> str:
    """Say in words what a type accepts: "a whole number >= 2", "a number or 'median'"."""
    if limits.choices is not None:
        return f"one of {', '.join(map(repr, limits.choices))}"
    origin, arguments = _parts(annotation)
    if origin in (typing.Union, types.UnionType):
        kinds = " or ".join(describe(argument, limits) for argument in arguments if argument is not type(None))
        return f"{kinds}, or null" if type(None) in arguments else kinds
    if origin is Literal:
        return (f"one of {', '.join(map(repr, arguments))}") if len(arguments) > 1 else repr(arguments[0])
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"a list, each entry {describe(arguments[0], limits)}"
        same = len(set(arguments)) == 1
        entries = f"each {describe(arguments[0], limits)}" if same else ", ".join(describe(a) for a in arguments)
        return f"a list of {len(arguments)}: {entries}"
    if dataclasses.is_dataclass(annotation):
        return "a mapping of keys to values"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "null"}
    bounds = limits.text()
    return names[annotation] + (f" {bounds}" if bounds and annotation in (int, float) else "")


def shown(value: object) -> str:
    """Show a value in one short line; containers by kind and size only."""
    if isinstance(value, Mapping):
        return f"a mapping of {len(value)}"
    if isinstance(value, list | tuple) and len(repr(value)) > 60:
        return f"a list of {len(value)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Offer the nearest known word, "; did you mean 'samples'?"; empty when none is near."""
    by_text = {str(name).lower(): str(name) for name in known}
    near = difflib.get_close_matches(str(word).lower(), by_text, n=1, cutoff=0.6)
    return f"; did you mean {by_text[near[0]]!r}?" if near else ""


def _parts(annotation: Annotation) -> tuple[Any, tuple[Any, ...]]:
    """Split an annotation such as ``tuple[int, ...]`` into its origin and its arguments."""
    return typing.get_origin(annotation), typing.get_args(annotation)


def _option(annotation: Annotation, value: object) -> tuple[Annotation] | None:
    """Find the branch of the annotation that a value belongs to, wrapped because the branch itself may be None."""
    origin, arguments = _parts(annotation)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return (type(None),)
        found = (_option(argument, value) for argument in arguments)
        return next((option for option in found if option is not None), None)
    return (annotation,) if _is_of(annotation, origin, arguments, value) else None


def _is_of(annotation: Annotation, origin: object, arguments: tuple[Any, ...], value: object) -> bool:
    """Say whether a value is of the kind an annotation names; entries of tuples are not looked at."""
    if origin is Literal:
        # The type is compared too: in Python True equals 1.
        return any(type(value) is type(argument) and value == argument for argument in arguments)
    if origin is tuple:
        return isinstance(value, list | tuple)
    if dataclasses.is_dataclass(annotation):
        # A section that is written but empty (`lime:`) reads as null and means the defaults.
        return value is None or isinstance(value, Mapping | typing.cast("type", annotation))
    if annotation is type(None):
        return value is None
    if annotation is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if annotation is float:
        return isinstance(value, numbers.Real) and not isinstance(value, bool)
    if annotation in (bool, str):
        return isinstance(value, annotation)
    raise TypeError(f"settings cannot hold {annotation!r}: use numbers, text, Literal, tuple, or a settings class")


def _convert_tuple(
    annotation: Annotation, value: Any, limits: Limits, key: str, report: Report, section: BuildSection
) -> Any:
    arguments = _parts(annotation)[1]
    if arguments[-1] is Ellipsis:
        arguments = arguments[:1] * len(value)
    if len(arguments) != len(value):
        report(key, f"must be {describe(annotation, limits)}, got {shown(value)}")
        return INVALID
    entries = tuple(
        convert(argument, entry, limits, f"{key}[{index}]", report, section)
        for index, (argument, entry) in enumerate(zip(arguments, value, strict=True))
    )
    return INVALID if any(entry is INVALID for entry in entries) else entries


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _outside(value: object, limits: Limits, given: object) -> str:
    """Say why a value of the right kind is not allowed; empty if it is."""
    if limits.choices is not None and value is not None and value not in limits.choices:
        wanted = ", ".join(map(repr, limits.choices))
        return f"must be one of {wanted}, got {shown(given)}{did_you_mean(given, limits.choices)}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if limits.finite and not math.isfinite(value):
            return f"must be a finite number, got {shown(given)}"
        if not limits.allow(value):
            return f"must be {limits.text()}, got {shown(given)}"
    return ""


def _hint(annotation: Annotation, value: object) -> str:
    """Say how to write what was probably meant."""
    origin, arguments = _parts(annotation)
    kinds = arguments if origin in (typing.Union, types.UnionType) else (annotation,)
    if isinstance(value, float) and int in kinds and value.is_integer():
        return f"; write {int(value)}" if abs(value) < 1e15 else ""
    if isinstance(value, str) and bool in kinds and value.lower() in ("yes", "no", "on", "off"):
        return f"; write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    words = [word for kind in kinds if _parts(kind)[0] is Literal for word in _parts(kind)[1]]
    return did_you_mean(value, words) if isinstance(value, str) and words else ""
