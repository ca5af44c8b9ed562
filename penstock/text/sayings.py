"""Meanings drawn at random, to be said in any language: days, times, numbers and quantities."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from random import Random
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from babel import Locale

__all__ = ["KINDS", "Saying"]

Saying = Callable[["Locale"], str]
"""One meaning: what to call with a language to have it said."""

_FIRST, _DAYS = date(1950, 1, 1), 29_000
_LENGTHS: tuple[Literal["long", "short"], ...] = ("long", "short")
_STYLES: tuple[Literal["standard", "name"], ...] = ("standard", "standard", "name")
_CURRENCIES = ("USD", "EUR", "GBP", "JPY", "CHF", "PLN", "SEK", "INR")
_UNITS = (
    "length-kilometer",
    "length-meter",
    "length-mile",
    "mass-kilogram",
    "mass-gram",
    "volume-liter",
    "area-square-meter",
    "temperature-celsius",
    "duration-day",
    "duration-hour",
    "duration-minute",
    "duration-month",
    "duration-week",
    "duration-year",
    "speed-kilometer-per-hour",
    "power-watt",
    "digital-megabyte",
)


def _day(random: Random) -> date:
    return _FIRST + timedelta(days=random.randrange(_DAYS))


def _minute(random: Random) -> time:
    return time(random.randrange(24), random.randrange(60))


def _quantity(random: Random) -> float:
    """A number of few figures: small ones and round ones, some with a decimal."""
    digits = random.choice((1, 2, 2, 3))
    whole = random.randrange(1, 10**digits)
    return random.choice(
        (whole, whole, whole * 100, whole * 1000, whole + random.randrange(10) / 10)
    )


def _date(random: Random) -> Saying:
    from babel.dates import format_date

    day, length = _day(random), random.choice(("full", "long", "long", "short"))
    return lambda locale: format_date(day, length, locale)


def _partial_date(random: Random) -> Saying:
    from babel.dates import format_skeleton

    day, parts = _day(random), random.choice(("MMMMd", "yMMMM", "MMMEd", "yMMMEd", "yQQQQ"))
    return lambda locale: format_skeleton(parts, day, locale=locale)


def _time(random: Random) -> Saying:
    from babel.dates import format_time

    minute = _minute(random)
    return lambda locale: format_time(minute, "short", locale=locale)


def _moment(random: Random) -> Saying:
    from babel.dates import format_date, format_time, get_datetime_format

    day, minute, length = _day(random), _minute(random), random.choice(_LENGTHS)

    def say(locale: Locale) -> str:
        pattern = str(get_datetime_format(length, locale)).replace("'", "")
        return pattern.format(
            format_time(minute, "short", locale=locale), format_date(day, length, locale)
        )

    return say


def _interval(random: Random) -> Saying:
    from babel.dates import format_interval

    first = _day(random)
    last = first + timedelta(days=random.randrange(1, 60))
    parts = random.choice(("yMMMd", "MMMd", "yMMMM"))
    return lambda locale: format_interval(first, last, parts, locale=locale)


def _relative(random: Random) -> Saying:
    from babel.dates import format_timedelta

    unit = random.choice(("seconds", "minutes", "hours", "days", "weeks"))
    delta = timedelta(**{unit: random.choice((-1, 1)) * random.randrange(1, 60)})
    direction = random.random() < 0.8
    return lambda locale: format_timedelta(
        delta, threshold=9, add_direction=direction, locale=locale
    )


def _number(random: Random) -> Saying:
    from babel.numbers import format_decimal

    number = _quantity(random)
    return lambda locale: format_decimal(number, locale=locale)


def _share(random: Random) -> Saying:
    from babel.numbers import format_percent

    share = random.randrange(1, 1000) / 1000
    return lambda locale: format_percent(share, locale=locale, decimal_quantization=False)


def _money(random: Random) -> Saying:
    from babel.numbers import format_currency

    amount, currency = random.randrange(1, 40_000) / 20, random.choice(_CURRENCIES)
    style = random.choice(_STYLES)
    return lambda locale: format_currency(amount, currency, locale=locale, format_type=style)


def _measure(random: Random) -> Saying:
    from babel.units import format_unit

    number, unit = _quantity(random), random.choice(_UNITS)
    return lambda locale: format_unit(number, unit, "long", locale=locale)


KINDS: tuple[Callable[[Random], Saying], ...] = (
    _date,
    _partial_date,
    _time,
    _moment,
    _interval,
    _relative,
    _number,
    _share,
    _money,
    _measure,
)
"""Kinds of meaning: each draws one. What a language has no words for raises LookupError."""
