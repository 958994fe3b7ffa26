"""Record Access Control Point (2A52): asking an instrument for what it has stored.

operation u8, operator u8, operand: what is written, and what is indicated in answer
01 report   02 delete   03 abort   04 number of records   05 number: u16   06 response: of, code

Sources: Bluetooth SIG GATT XML; vectors of Nordic's Android BLE Common Library; ChoiceMMed C208S.
"""

from dataclasses import dataclass, field
from enum import IntEnum

from drivers.protocols.gatt.fields import Fields, Malformed, packed


class Operation(IntEnum):
    """What is asked for, or answered."""

    REPORT = 1
    DELETE = 2
    ABORT = 3
    COUNT = 4
    COUNT_RESPONSE = 5
    RESPONSE = 6


class Operator(IntEnum):
    """Which records."""

    NULL = 0
    ALL = 1
    AT_MOST = 2
    AT_LEAST = 3
    RANGE = 4
    FIRST = 5
    LAST = 6


class Outcome(IntEnum):
    """How a procedure ended."""

    SUCCESS = 1
    OPERATION_NOT_SUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_NOT_SUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS = 6
    ABORT_UNSUCCESSFUL = 7
    NOT_COMPLETED = 8
    OPERAND_NOT_SUPPORTED = 9


@dataclass(frozen=True, slots=True)
class RecordAccess:
    """One request or answer; numbers as sent, reserved ones too."""

    operation: int
    operator: int = Operator.NULL
    operand: bytes = b""
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def count(self) -> int | None:
        """How many records there are, None where this is no such answer."""
        if self.operation != Operation.COUNT_RESPONSE or len(self.operand) != 2:
            return None
        return int.from_bytes(self.operand, "little")

    @property
    def ended(self) -> tuple[int, int] | None:
        """Which operation ended and how, None where this is no such answer."""
        if self.operation != Operation.RESPONSE or len(self.operand) != 2:
            return None
        return self.operand[0], self.operand[1]


COUNT_ALL = RecordAccess(Operation.COUNT, Operator.ALL)
REPORT_ALL = RecordAccess(Operation.REPORT, Operator.ALL)
DELETE_ALL = RecordAccess(Operation.DELETE, Operator.ALL)


def number_of_records(count: int) -> RecordAccess:
    """Return the answer to a question for the number of records."""
    return RecordAccess(Operation.COUNT_RESPONSE, operand=packed(count, 2))


def response(operation: int, outcome: Outcome) -> RecordAccess:
    """Return how a procedure ended."""
    return RecordAccess(Operation.RESPONSE, operand=packed(operation, 1) + packed(outcome, 1))


def decode(payload: bytes) -> RecordAccess | Malformed:
    """Return what was written to 2A52 or indicated by it."""
    fields = Fields(payload)
    return fields.whole(RecordAccess(fields.u8(), fields.u8(), fields.rest(), payload))


def encode(frame: RecordAccess) -> bytes:
    """Return the payload of 2A52."""
    return packed(frame.operation, 1) + packed(frame.operator, 1) + frame.operand
