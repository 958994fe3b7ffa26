"""The analysis process: it gets arrays and files, returns results or reasons, and knows no more.

Started by `edge.analysis` as ``python -m edge.analysis_worker FD MEMORY_BYTES PARENT``. It holds no
state between requests, reads no file and opens no connection. It ends when its socket does, when
its parent does, or when told to.
"""

import ctypes
import os
import resource
import signal
import socket
import sys

import numpy as np

import dsp
from drivers.errors import FormatError
from edge.analysis_study import study
from edge.analysis_wire import (
    PREFIX,
    LeadVerdict,
    Message,
    MessageError,
    RateReply,
    RateRequest,
    Ready,
    Refusal,
    StudyRequest,
    check_sizes,
    decode,
    encode,
)

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_WARM_UP_FS = 500.0


def main(arguments: list[str]) -> int:
    """Serve the socket until it ends; return the exit status."""
    descriptor, memory, parent = (int(argument) for argument in arguments)
    _die_with(parent)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a patient's ECG
    # Ctrl-C reaches the whole terminal; the hub ends this process when it no longer needs it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as link:
        _work(RateRequest(_WARM_UP_FS, ((1, 1000),), None, "monitor"), (np.zeros((1, 1000)),))
        _send(link, (Ready(), ()))
        while (message := _receive(link)) is not None:
            _send(link, answer(message))
    return 0


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process with its parent, and end if that is gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        raise SystemExit("the hub that started this analysis process is gone")


def answer(message: Message) -> Message:
    """Answer one message, with a refusal where the work cannot be done."""
    try:
        return _work(*message)
    except MemoryError:
        return Refusal("memory", "the request needs more memory than analysis may take"), ()
    except FormatError as wrong:
        return Refusal("format", str(wrong)[:500]), ()
    except ValueError as wrong:
        return Refusal("input", str(wrong)[:500]), ()
    except Exception as wrong:  # noqa: BLE001 -- one bad strip must not end the process for the next
        # The type only: a message from inside a library can quote what it was given.
        return Refusal("error", type(wrong).__name__), ()


def _work(header: object, arrays: tuple[np.ndarray, ...]) -> Message:
    """Do what is asked."""
    match header:
        case RateRequest():
            return _rate(header, arrays[0])
        case StudyRequest():
            return study(arrays[0].tobytes())
        case _:
            raise ValueError(f"{type(header).__name__} is not a request")


def _rate(request: RateRequest, ecg: np.ndarray) -> Message:
    """Return beats, rate and quality of a strip, and the filtered strip if wanted."""
    peaks = dsp.find_r_peaks(ecg, request.fs)
    rate = dsp.heart_rate(peaks, request.fs)
    scaled = ecg if request.microvolts is None else ecg * request.microvolts
    quality = dsp.ecg_quality(scaled, request.fs, microvolts=request.microvolts is not None)
    arrays = [peaks.astype(np.float64)]
    if request.preset is not None:
        arrays.append(dsp.clean_ecg(ecg, request.fs, request.preset))
    reply = RateReply(
        per_min=rate.per_min,
        intervals=rate.intervals,
        reason=rate.reason,
        leads=tuple(LeadVerdict(lead.usable, lead.flaws) for lead in quality),
        shapes=tuple(array.shape for array in arrays),
    )
    return reply, tuple(arrays)


def _receive(link: socket.socket) -> Message | None:
    """Return the next message, None when the hub has closed the link."""
    prefix = _read(link, PREFIX.size)
    if not prefix:
        return None
    header, arrays = PREFIX.unpack(prefix)
    check_sizes(header, arrays)
    return decode(_read(link, header), _read(link, arrays))


def _read(link: socket.socket, size: int) -> bytes:
    """Return exactly so many bytes, or none when the link ends before the first."""
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        count = link.recv_into(view[got:])
        if count == 0:
            if got:
                raise MessageError("the link ended inside a message")
            return b""
        got += count
    return bytes(data)


def _send(link: socket.socket, message: Message) -> None:
    """Send one message; nobody listening any more is the end of this process, not an error."""
    try:
        for piece in encode(*message):
            link.sendall(piece)
    except (BrokenPipeError, ConnectionResetError) as gone:
        raise SystemExit(0) from gone


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
