"""An immutable mapping that is cheap to change, for a room that is folded event by event.

Keys are spread over a fixed number of small dicts; a change copies one of them and the tuple that
holds them, so that folding twenty thousand unanswered results stays linear.
"""

from collections.abc import Hashable, Iterable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

BUCKETS = 256


class Ledger(Generic[K, V]):
    """A persistent mapping: `put` and `without` return a new one and leave this one as it was."""

    __slots__ = ("_buckets", "_size")

    def __init__(self, pairs: Iterable[tuple[K, V]] = ()) -> None:
        buckets: list[dict[K, V]] = [{} for _ in range(BUCKETS)]
        for key, value in pairs:
            buckets[hash(key) % BUCKETS][key] = value
        self._buckets = tuple(buckets)
        self._size = sum(map(len, buckets))

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[K]:
        for bucket in self._buckets:
            yield from bucket

    def __contains__(self, key: object) -> bool:
        return key in self._buckets[hash(key) % BUCKETS]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ledger) and self._buckets == other._buckets

    def __hash__(self) -> int:
        return hash(self._size)

    def get(self, key: K) -> V | None:
        """Return the value, or None."""
        return self._buckets[hash(key) % BUCKETS].get(key)

    def items(self) -> list[tuple[K, V]]:
        """Return all pairs, in no particular order."""
        return [pair for bucket in self._buckets for pair in bucket.items()]

    def values(self) -> list[V]:
        """Return all values, in no particular order."""
        return [value for bucket in self._buckets for value in bucket.values()]

    def put(self, key: K, value: V) -> "Ledger[K, V]":
        """Return a ledger in which `key` has `value`."""
        return self._with(key, {**self._buckets[hash(key) % BUCKETS], key: value})

    def without(self, key: K) -> "Ledger[K, V]":
        """Return a ledger that does not have `key`."""
        bucket = self._buckets[hash(key) % BUCKETS]
        if key not in bucket:
            return self
        return self._with(key, {k: v for k, v in bucket.items() if k != key})

    def _with(self, key: K, bucket: dict[K, V]) -> "Ledger[K, V]":
        at = hash(key) % BUCKETS
        new: Ledger[K, V] = Ledger.__new__(Ledger)
        new._buckets = (*self._buckets[:at], bucket, *self._buckets[at + 1 :])
        new._size = self._size + len(bucket) - len(self._buckets[at])
        return new
