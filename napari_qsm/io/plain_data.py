"""JSON and YAML from anybody: a few levels deep, with numbers that a computer can hold.

Parsers of both end in errors of many kinds, or in none at all, for a file that is nested a
hundred thousand times, holds a number of four hundred digits, or repeats itself by reference.
Every reader of this program goes through here and gets one kind, with a reason to show.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import yaml

_DEEPEST = 60
#: Digits of a whole number that 64 bits can hold.
_MOST_DIGITS = 19
#: Texts, and what opens or closes a level.
_SIGN = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_LONGEST = 64 * 2**20


class PlainDataError(ValueError):
    """The text cannot be used; the message says why and follows the file's name."""


class NoNumber:
    """Stands in a lenient reading for a number that no field can hold; nothing takes it."""

    def __repr__(self) -> str:
        return "no number"


def parse_json(text: str, *, lenient: bool = False) -> Any:
    """The content of JSON text.

    Parameters
    ----------
    text : str
    lenient : bool
        For readers that judge each value by itself: a number that is none, or far too long,
        becomes :class:`NoNumber`, and what is nested too deeply becomes null.

    Raises
    ------
    PlainDataError
        If it is no JSON, nested too deeply, or holds a number that is too long.

    Examples
    --------
    >>> parse_json('{"EchoTime": 0.021}')
    {'EchoTime': 0.021}
    """
    _check_length(text)
    text = text.removeprefix("\ufeff")
    if lenient:
        text = _without_depth(text)
    whole, fraction = (_or_none(_whole), _or_none(_fraction)) if lenient else (_whole, _fraction)
    constant: Callable[[str], object] = (lambda _: NoNumber()) if lenient else float
    try:
        said = json.loads(text, parse_int=whole, parse_float=fraction, parse_constant=constant)
    except PlainDataError:
        raise
    except json.JSONDecodeError as error:
        raise PlainDataError(f"is not valid JSON (line {error.lineno})") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError:
        raise PlainDataError("is not valid JSON") from None
    _check_depth(said)
    return said


def parse_yaml(text: str) -> Any:
    """The content of YAML text; JSON is YAML.

    Raises
    ------
    PlainDataError
        As from :func:`parse_json`; also for references (``&a``, ``*a``), with which a small file
        can hold more than any memory.
    """
    _check_length(text)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise _too_deep()
            if isinstance(event, yaml.AliasEvent):
                raise PlainDataError(f"refers to itself (*{event.anchor}), which is not read")
            if isinstance(event, yaml.ScalarEvent) and _is_long_number(event.value):
                raise _too_long(event.value)
        return yaml.safe_load(text)
    except PlainDataError:
        raise
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise PlainDataError(f"is not valid YAML or JSON{where}") from None
    except RecursionError:
        raise _too_deep() from None
    except (ValueError, OverflowError):  # an impossible date, for example
        raise PlainDataError("holds a value that is not possible") from None


def _or_none(number: Callable[[str], float]) -> Callable[[str], float | NoNumber]:
    def read(digits: str) -> float | NoNumber:
        try:
            return number(digits)
        except PlainDataError:
            return NoNumber()

    return read


def _without_depth(text: str) -> str:
    """JSON text with null for whatever is nested too deeply."""
    kept, start, depth = [], 0, 0
    for found in _SIGN.finditer(text):
        if found[0] in ("[", "{"):
            depth += 1
            if depth == _DEEPEST + 1:
                kept += [text[start : found.start()], "null"]
        elif found[0] in ("]", "}"):
            if depth == _DEEPEST + 1:
                start = found.end()
            depth -= 1
    return "".join([*kept, text[start:]]) if kept else text


def _whole(digits: str) -> int:
    if _is_long_number(digits):
        raise _too_long(digits)
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise PlainDataError(f"holds a number that is too large ({digits[:20]})")
    return value


def _is_long_number(text: str) -> bool:
    digits = text.lstrip("+-").replace("_", "")
    return len(digits) > _MOST_DIGITS and digits.isascii() and digits.isdigit()


def _too_long(digits: str) -> PlainDataError:
    return PlainDataError(f"holds a whole number of {len(digits.lstrip('+-'))} digits")


def _too_deep() -> PlainDataError:
    return PlainDataError(f"is nested more than {_DEEPEST} levels deep")


def _check_length(text: str) -> None:
    if len(text) > _LONGEST:
        raise PlainDataError(f"is far too long ({len(text) / 1e6:.0f} MB)")


def _check_depth(said: Any) -> None:
    level, inside = 0, [said]
    while inside := [
        inner
        for outer in inside
        if isinstance(outer, dict | list)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        level += 1
        if level > _DEEPEST:
            raise _too_deep()
