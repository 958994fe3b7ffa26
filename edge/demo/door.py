"""The medical assistant's hand on the room: the hub's control socket, from outside."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from edge.view import RoomView, ValueView

LINE_BYTES = 1 << 20
LOOK_S = 0.2


class Door:
    """Acts and views of one room."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @staticmethod
    async def open(path: Path) -> "Door":
        """Connect to the hub's control socket."""
        return Door(*await asyncio.open_unix_connection(path, limit=LINE_BYTES))

    async def close(self) -> None:
        """Let go."""
        self._writer.close()
        await self._writer.wait_closed()

    async def act(self, do: str, **fields: object) -> Any:  # noqa: ANN401 - JSON of many shapes
        """Do something; PermissionError with the hub's words where it is refused."""
        self._writer.write(json.dumps({"do": do, **fields}).encode() + b"\n")
        await self._writer.drain()
        answer = json.loads(await self._reader.readline())
        if not answer["ok"]:
            raise PermissionError(answer["error"])
        return answer.get("result")

    async def look(self) -> RoomView:
        """Return the room as it is."""
        return msgspec.convert(await self.act("view"), RoomView)

    async def until(self, what: Callable[[RoomView], bool], seconds: float) -> RoomView | None:
        """Return the first view in which a condition holds, None if it does not within the time."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    view = await self.look()
                    if what(view):
                        return view
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            return None


def of_kind(view: RoomView, kind: str, *states: str) -> list[ValueView]:
    """Return the values of one kind that are in one of some states."""
    return [value for value in view.values if value.kind == kind and value.state in states]
