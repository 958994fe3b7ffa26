"""What waits for the record system, and sending it again.

list      one JSON line a result: id, kind, state, bytes; nothing of the patient
export    the exact bytes of results, as they are sent: patient data
resend    let results be sent again under their ids; the record system files none twice
"""

import argparse
import sys
from collections.abc import AsyncIterator

import msgspec

from edge.clock import SystemClock
from edge.store import Store
from edge.store.outbox import OutboxRow, RowState
from edge.verbs.storage import add_store, said, say, store_path

PAGE = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    acts = parser.add_subparsers(dest="act", required=True, metavar="list|export|resend")
    listing = acts.add_parser("list", help="one JSON line a result")
    listing.add_argument("--state", choices=[state.value for state in RowState])
    for name, text in (
        ("export", "the bundles of results, one a line: patient data"),
        ("resend", "send results again"),
    ):
        act = acts.add_parser(name, help=text)
        act.add_argument("result_id", nargs="+", metavar="RESULT_ID")
    for act in acts.choices.values():
        add_store(act)


def run(args: argparse.Namespace) -> int:
    """List, export or resend."""
    match args.act:
        case "list":
            return said(_list(args))
        case "export":
            return said(_export(args))
        case _:
            return said(_resend(args))


async def _list(args: argparse.Namespace) -> int:
    state = RowState(args.state) if args.state else None
    async with await Store.open_to_read(store_path(args)) as store:
        async for row in _rows(store, state):
            sys.stdout.write(f"{_line(row)}\n")
        counts = await store.counts()
    say(", ".join(f"{number} {state}" for state, number in counts.items()))
    return 0


async def _export(args: argparse.Namespace) -> int:
    async with await Store.open_to_read(store_path(args)) as store:
        for result_id in args.result_id:
            row = await store.row(result_id)
            if row is None or not row.payload:
                say(f"{result_id}: {'not in the outbox' if row is None else 'patient erased'}")
                return 1
            sys.stdout.buffer.write(row.payload + b"\n")
    return 0


async def _resend(args: argparse.Namespace) -> int:
    async with await Store.open(store_path(args), clock=SystemClock()) as store:
        for result_id in args.result_id:
            row = await store.requeue(result_id)
            sys.stdout.write(f"{_line(row)}\n")
    say("they are sent when the service runs again")
    return 0


async def _rows(store: Store, state: RowState | None) -> AsyncIterator[OutboxRow]:
    after = 0
    while page := await store.rows(PAGE, after, state):
        for row in page:
            yield row
        after = page[-1].order


def _line(row: OutboxRow) -> str:
    fields = {
        "result_id": row.result_id,
        "kind": row.kind,
        "state": row.state,
        "sequence": row.order,
        "after": row.after,
        "runs_that_sent_it": row.attempts,
        "space": row.space,
        "content_sha256": row.content_sha256,
        "bytes": len(row.payload),
    }
    return msgspec.json.encode(fields).decode()
