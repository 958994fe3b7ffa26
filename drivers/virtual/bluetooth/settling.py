"""Waiting for what Bumble does, which it cancels when the link is lost."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from bumble.core import UnreachableError

Result = TypeVar("Result")


async def settled(work: Awaitable[Result]) -> Result:
    """Return what came of it; UnreachableError if it was given up, unless we are given up too."""
    try:
        return await work
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        raise UnreachableError from None
