"""What a person wants of an instrument is never lost between two frames of it."""

from drivers.contract import Wish
from drivers.protocols.stx_nibp import Decoder, Ended, Progress, encode
from drivers.sessions import Dialogue
from drivers.transports.bench import BenchHost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime


def test_a_wish_that_was_taken_while_a_frame_before_was_made_durable_is_obeyed_first():
    clock = RecordedTime()
    link, host = MemoryLink(clock.now), BenchHost(clock)

    async def slowly(_item, _at):
        await clock.sleep(1)
        assert host.wishes.tell(Wish.STOP)

    async def run():
        async with Dialogue(host, link, Decoder(), slowly) as talk:
            link.send(encode(Progress(100, 0, 1)) + encode(Ended()))
            return [await talk.attend(60, _is_end, Wish.STOP) for _ in range(2)]

    first, then = clock.run(run())
    assert first is Wish.STOP
    assert then[0] == Ended()


def _is_end(frame):
    return isinstance(frame, Ended)
