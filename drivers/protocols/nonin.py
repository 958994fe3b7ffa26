"""Nonin pulse oximeters, binary: Data Formats 2, 7, 8, 13 and the replies between their frames.

first byte   what can begin there          proof
00           record of Data Format 13      header, length, sum and trailer of one record
01           packet of Data Format 2       25 frames in a row, each with its sum, SYNC in the first
02           reply block                   operation, length, trailer
06, 15       ACK, NAK                      stands where a frame or reply could
80-FF        packet of Data Format 7       as for 2
80-FF        frame of Data Format 8        pattern of 4 frames in a row, then of 1

So a single packet or record tells its own format, and only format 8, which has no checksum, needs
belief: until four frames have stood in a row nothing is returned and their bytes stay pending
(three seconds); then all four come at once, and each further one alone. Belief ends with any byte
that fits nothing, and with an ACK, because a format may have been selected. A decoder told to
expect format 8 believes from the start, and again after an ACK; sent another format, it can return
one false frame. The others are recognised whatever is expected: their proof is complete in itself,
and a record that an instrument sends against expectation must not be lost.

Resynchronisation: what cannot be completed is dropped a byte at a time until something can begin;
of a packet cut short by another SYNC or a bad sum, everything before the next sound packet is
skipped. ACK and NAK, being single bytes, count only in step: at the start, or right after a frame,
a reply or a sound part of a packet; after frames of format 8 not yet believed, only if nothing was
skipped before them. Replies between the frames of a packet come out before it.

Sources: see the modules of the four formats and `nonin_control`.
"""

from typing import TypeAlias

from drivers.model import Skipped
from drivers.protocols import nonin_control, nonin_df8, nonin_df13, nonin_stream
from drivers.protocols.nonin_control import (
    CONTROL_STARTS,
    NEED_MORE,
    Ack,
    ClockReply,
    DeviceTypeReply,
    Nak,
    NeedMore,
    OtherReply,
    Reply,
    SerialReply,
)
from drivers.protocols.nonin_df8 import SecondFrame
from drivers.protocols.nonin_df13 import SpotCheck
from drivers.protocols.nonin_stream import PlethPacket

Frame: TypeAlias = PlethPacket | SecondFrame | SpotCheck | Reply

DATA_FORMATS = (2, 7, 8, 13)

# A packet but for its last frame, in the place of which a reply stands but for its last byte; a
# record (72 bytes) and the proof of format 8 (12 with the same reply) are shorter.
MAX_PENDING = nonin_stream.PACKET_BYTES - nonin_stream.FRAME_BYTES + nonin_control.MAX_BLOCK - 1

_BLOCK = 512  # taken at a time: a reply is cut out of the buffer, which must not cost a long move


class Decoder:
    """Bytes to frames; any input is legal, in any chunking.

    `data_format` is the format the instrument is expected to send, None: not known.
    """

    def __init__(self, data_format: int | None = None) -> None:
        if data_format not in (None, *DATA_FORMATS):
            raise ValueError(f"Nonin Data Format {data_format}: one of {DATA_FORMATS}, or None")
        self._expects_df8 = data_format == 8
        self._believes_df8 = self._expects_df8
        self._in_step = True
        self._sound = 0  # frames at the head of the buffer already found sound
        self._buffer = bytearray()

    @property
    def pending(self) -> bytes:
        """Bytes that may still become a frame."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Frame | Skipped]:
        """Return what became complete with these bytes, in wire order."""
        out: list[Frame | Skipped] = []
        junk = bytearray()
        for start in range(0, len(data), _BLOCK):
            self._buffer += data[start : start + _BLOCK]
            self._drain(out, junk)
        if junk:
            out.append(Skipped(bytes(junk)))
        return out

    def _drain(self, out: list[Frame | Skipped], junk: bytearray) -> None:
        """Move what can be told by now from the buffer to `out` and, what is no frame, `junk`."""
        while self._buffer:
            found = self._read()
            if found is NEED_MORE:
                return
            if found is None:
                junk.append(self._buffer[0])
                self._drop_byte()
                continue
            if junk:
                out.append(Skipped(bytes(junk)))
                junk.clear()
            out.append(found)

    def _read(self) -> Frame | NeedMore | None:
        """Take the next frame off the buffer; None: its first byte begins nothing."""
        first = self._buffer[0]
        if first in CONTROL_STARTS:
            return self._read_reply(0) if self._in_step else None
        if first == nonin_df13.HEADER[0]:
            return self._read_record()
        if nonin_stream.begins_df2(first):
            return self._read_packet(2)
        if first < 0x80:
            return None
        if self._believes_df8 and (found := self._read_second(1)) is not None:
            return found
        found7 = self._read_packet(7)
        return found7 if found7 is not None else self._read_second(nonin_df8.PROOF_FRAMES)

    def _read_reply(self, at: int) -> Reply | NeedMore | None:
        """Take the reply at `at`, the place of a frame's first byte, out of the buffer."""
        reply = nonin_control.read_reply(self._buffer, at)
        if reply is None or reply is NEED_MORE:
            return reply
        del self._buffer[at : at + len(reply.raw)]
        self._in_step = True
        if isinstance(reply, Ack):
            self._believes_df8 = self._expects_df8
        return reply

    def _read_record(self) -> SpotCheck | NeedMore | None:
        record = nonin_df13.read_record(self._buffer)
        if isinstance(record, SpotCheck):
            self._take(len(record.raw))
        return record

    def _read_packet(self, data_format: int) -> PlethPacket | Reply | NeedMore | None:
        """Go on where the last call stopped; a reply inside the packet comes out first."""
        is_df2 = data_format == 2
        begins = nonin_stream.begins_df2 if is_df2 else nonin_stream.begins_df7
        sound = nonin_stream.sound_df2 if is_df2 else nonin_stream.sound_df7
        size = nonin_stream.FRAME_BYTES
        while self._sound < nonin_stream.FRAMES:
            at = self._sound * size
            if at == len(self._buffer):
                return NEED_MORE
            if at and self._buffer[at] in CONTROL_STARTS:
                return self._read_reply(at)
            if not begins(self._buffer[at]):
                return None
            if len(self._buffer) < at + size:
                return NEED_MORE
            if not sound(self._buffer, at, self._sound):
                return None
            self._sound += 1
        raw = self._take(nonin_stream.PACKET_BYTES)
        return nonin_stream.unpack_df2(raw) if is_df2 else nonin_stream.unpack_df7(raw)

    def _read_second(self, proof: int) -> SecondFrame | Reply | NeedMore | None:
        """Take one frame of format 8 if `proof` of them stand in a row."""
        size = nonin_df8.FRAME_BYTES
        for index in range(proof):
            at = index * size
            if at and at < len(self._buffer) and self._buffer[at] in CONTROL_STARTS:
                return self._read_reply(at) if self._in_step else None
            here = self._buffer[at : at + size]
            if here and not nonin_df8.fits(here):
                return None
            if len(here) < size:
                return NEED_MORE
        if proof > 1 and not nonin_df8.proves(self._buffer[: proof * size]):
            return None
        self._believes_df8 = True
        return nonin_df8.unpack(self._take(size))

    def _take(self, size: int) -> bytes:
        raw = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._sound = 0
        self._in_step = True
        return raw

    def _drop_byte(self) -> None:
        del self._buffer[0]
        self._sound = 0
        self._in_step = False
        self._believes_df8 = False


def broken(skipped: bytes) -> int:
    """Return how many frames of formats 2 and 7 with a wrong sum stand in skipped bytes."""
    return nonin_stream.broken(skipped)


def missing(before: Frame, after: Frame) -> int:
    """Return how many packets the timer shows to be lost between two."""
    if isinstance(before, PlethPacket) and isinstance(after, PlethPacket):
        return nonin_stream.missing(before, after)
    return 0


def decoder_for(frame: Frame) -> Decoder:
    """Return a decoder that believes this frame when it stands alone."""
    return Decoder(8 if isinstance(frame, SecondFrame) else None)


def encode(frame: Frame) -> bytes:
    """Return the bytes an instrument sends for this frame."""
    match frame:
        case PlethPacket():
            return nonin_stream.encode_packet(frame)
        case SecondFrame():
            return nonin_df8.encode_second(frame)
        case SpotCheck():
            return nonin_df13.encode_record(frame)
        case Ack() | Nak() | ClockReply() | DeviceTypeReply() | SerialReply() | OtherReply():
            return nonin_control.encode_reply(frame)


def scrub(frame: Frame) -> bytes:
    """Return the frame's bytes for a fixture: the serial number, all that identifies, as zeros."""
    if isinstance(frame, SerialReply):
        return encode(SerialReply(frame.ident, "0" * len(frame.serial)))
    if isinstance(frame, OtherReply):  # nobody knows what it holds; a serial number, perhaps
        return encode(OtherReply(frame.operation, bytes(len(frame.data))))
    return frame.raw
