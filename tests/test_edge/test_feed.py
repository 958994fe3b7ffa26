"""The feed: every waiting row reaches the window once, in order, whatever happens meanwhile."""

from dataclasses import dataclass, field

from drivers.model import Kind
from edge.observation import Space
from edge.publish.feed import Feed
from edge.publish.window import Limits, Window
from edge.store.outbox import OutboxRow


def row(order, **changes):
    fields = {
        "result_id": f"r-{order}",
        "kind": Kind.OXIMETRY,
        "payload": b"{}",
        "content_sha256": "0" * 64,
        "space": Space.DEMO,
        "order": order,
    }
    return OutboxRow(**{**fields, **changes})


@dataclass
class Shelf:
    """Rows in memory; `during` runs while an answer is under way."""

    rows: list[OutboxRow]
    asked: list[tuple[int, int]] = field(default_factory=list)
    during: object = None

    async def waiting(self, limit, after_order=0):
        self.asked.append((limit, after_order))
        answer = [row for row in self.rows if row.order > after_order][:limit]
        if self.during:
            self.during()
        return answer

    def mark_sent(self, result_ids):
        raise AssertionError(result_ids)


def bench(n, **limits):
    window = Window(Limits(**limits))
    shelf = Shelf([row(order) for order in range(1, n + 1)])
    return window, shelf, Feed(shelf, window)


def held(window):
    window.connected(1, 0)
    return [dispatch.row.order for dispatch in window.ready(0)]


def forget(shelf, window, feed, order):
    shelf.rows = [row for row in shelf.rows if row.order != order]
    window.settled(f"r-{order}")
    feed.ended(f"r-{order}")


async def test_a_backlog_is_taken_in_order_up_to_what_the_window_holds():
    window, _, feed = bench(500, held=100)
    await feed.fill(0)
    assert (len(window), held(window)[:3]) == (100, [1, 2, 3])


async def test_rows_that_come_in_later_are_found_from_where_the_last_reading_ended():
    window, shelf, feed = bench(3)
    await feed.fill(0)
    shelf.rows.append(row(4))
    feed.look_again()
    await feed.fill(0)
    assert held(window) == [1, 2, 3, 4]
    assert shelf.asked[-1][1] == 3


async def test_nothing_is_asked_while_nothing_happens():
    _, shelf, feed = bench(3)
    await feed.fill(0)
    asked = len(shelf.asked)
    await feed.fill(0)
    assert len(shelf.asked) == asked


async def test_a_row_put_back_by_a_person_is_found_before_the_end():
    window, shelf, feed = bench(3)
    await feed.fill(0)
    forget(shelf, window, feed, 1)
    await feed.fill(0)
    shelf.rows.insert(0, row(1))
    feed.look_again(from_start=True)
    await feed.fill(0)
    assert sorted(held(window)) == [1, 2, 3]


async def test_a_row_that_waited_for_another_is_found_once_that_one_is_filed():
    window, shelf, feed = bench(3)
    correction, shelf.rows = shelf.rows[1], [shelf.rows[0], shelf.rows[2]]
    await feed.fill(0)
    shelf.rows.insert(1, correction)  # sendable now, and before the end of the last reading
    forget(shelf, window, feed, 1)
    await feed.fill(0)
    assert sorted(held(window)) == [2, 3]


async def test_a_row_that_ends_while_the_answer_is_under_way_is_not_taken_in_again():
    window, shelf, feed = bench(2)
    await feed.fill(0)
    feed.look_again(from_start=True)
    shelf.during = lambda: (window.settled("r-1"), feed.ended("r-1"))
    answered = shelf.waiting

    async def once(limit, after_order=0):
        rows = await answered(limit, after_order)
        shelf.during = None
        shelf.rows = [row for row in shelf.rows if row.order != 1]
        return rows

    shelf.waiting = once
    await feed.fill(0)
    assert held(window) == [2]


async def test_large_results_are_read_few_at_a_time():
    window = Window(Limits())
    shelf = Shelf([row(order, payload=b"x" * (1 << 20)) for order in range(1, 100)])
    await Feed(shelf, window).fill(0)
    assert [limit for limit, _ in shelf.asked[1:]] == [4] * (len(shelf.asked) - 1)
    assert len(window) == 16
