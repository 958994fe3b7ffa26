"""Puts the questions of an introduction, one at a time, while the instrument goes on sending.

The conversation waits for nothing itself: it is told what was heard and when patience ended, and
says how long its patience is. Where nothing may be written it is over before it begins. It begins
with listening, because in the middle of an unfinished
packet an answer cannot be told from waveform.
"""

from contextlib import suppress

from drivers.contract import ByteLink, Emit, Host
from drivers.errors import LinkLost
from drivers.instruments.nonin.introduction import WRITES, Heard, Question, Script
from drivers.model import Instant, InstrumentId, Notice
from drivers.protocols.nonin import Frame
from drivers.protocols.nonin_control import Nak, Reply

LISTEN_S = 0.8  # longer than the rest of one packet and the next, 2/3 s
ANSWER_S = 0.6
ATTEMPTS = 2


class Conversation:
    """One run through a script.

    `patience_s` is how long to wait for what is awaited now, None when the conversation is over;
    `turn` grows when something else is awaited.
    """

    def __init__(self, script: Script, host: Host, link: ByteLink, emit: Emit) -> None:
        self._script = script
        self._host = host
        self._link = link
        self._emit = emit
        self._question: Question | None = None
        self._attempts = 0
        self._asked = host.now()
        granted = any(host.may(purpose) for purpose in WRITES)
        self.patience_s: float | None = LISTEN_S if granted else None
        self.turn = 0

    async def heard(self, frame: Frame, at: Instant) -> None:
        """Take a frame: any one ends the listening, the right reply answers the question."""
        if self.patience_s is None:
            return
        if self._question is None:
            await self._go_on(None)
        elif isinstance(frame, Reply):
            if isinstance(frame, (*self._question.answers, Nak)):
                await self._go_on(Heard(frame, self._asked, at))
            else:
                self._host.count("replies_unasked")

    async def nothing_came(self) -> None:
        """Take the end of patience: ask once more, or go on without an answer."""
        if self._question is not None and self._attempts < ATTEMPTS:
            await self._ask(self._question)
        else:
            await self._go_on(None)

    async def _go_on(self, answer: Heard | None) -> None:
        """Run the script up to the next question that has an answer to wait for."""
        self.turn += 1
        while True:
            try:
                said = next(self._script) if answer is None else self._script.send(answer)
            except StopIteration:
                self.patience_s = None
                return
            answer = None
            match said:
                case Notice():
                    await self._emit(said)
                case InstrumentId():
                    self._host.identify(said)
                case Question(answers=()):
                    await self._say(said)
                case Question():
                    self._attempts = 0
                    await self._ask(said)
                    return

    async def _ask(self, question: Question) -> None:
        self.turn += 1
        self._question = question
        self._attempts += 1
        self._asked = self._host.now()
        self.patience_s = ANSWER_S
        await self._say(question)

    async def _say(self, question: Question) -> None:
        """Write; of a lost link the reader hears too, once all that came before has been read."""
        with suppress(LinkLost):
            await self._link.write(question.purpose, question.command)
