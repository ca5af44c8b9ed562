"""A property worked out once for each instance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["cached_property"]

T = TypeVar("T")


class cached_property(Generic[T]):  # used as functools.cached_property is
    """``functools.cached_property`` without its lock, which ``torch.compile`` cannot trace.

    Python 3.12 has none either.

    >>> class Circle:
    ...     @cached_property
    ...     def area(self):
    ...         print("worked out")
    ...         return 3.14
    >>> circle = Circle()
    >>> circle.area, circle.area
    worked out
    (3.14, 3.14)
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object, owner: type) -> Self | T:
        if instance is None:
            return self
        # Found there before this is asked again, for it has no __set__.
        value = instance.__dict__[self._name] = self._make(instance)
        return value
