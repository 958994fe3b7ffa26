"""How the files of each format begin; enough to choose a reader that then says what is wrong."""

from struct import unpack_from

_SCP_MAGIC = b"SCPECG"
_SCP_TABLE_AT = 6  # after the record's checksum and length
_SECTION_HEADER = 16
_POINTER = 10


def is_scp(data: bytes) -> bool:
    """Whether the bytes begin as an SCP-ECG record does.

    Old carts leave the magic out: then section 0 must have number 0 and begin with a pointer to
    itself, of its own length.
    """
    if len(data) < _SCP_TABLE_AT + _SECTION_HEADER + _POINTER:
        return False
    if data[16:22] == _SCP_MAGIC:
        return True
    number, length = unpack_from("<HI", data, _SCP_TABLE_AT + 2)
    first, first_length = unpack_from("<HI", data, _SCP_TABLE_AT + _SECTION_HEADER)
    return bool(number == first == 0 and length == first_length >= _SECTION_HEADER + _POINTER)
