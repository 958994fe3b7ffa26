"""SCP-ECG: the character sets of texts, named by a code in the description of the device.

Carts often write another set than they declare, so reading never fails: what is not text in the
declared set is UTF-8 if it can be, else Latin-1. Texts end at their first NUL.
"""

_LATIN_1 = "iso8859-1"
_UTF_16 = "utf-16-le"
UTF_8 = "utf-8"

# Language support codes (EN 1064, tag 14): the first bit off is ASCII, the second off Latin-1.
_CHARSETS = {
    0x03: "iso8859-2",
    0x0B: "iso8859-4",
    0x13: "iso8859-5",
    0x1B: "iso8859-6",
    0x23: "iso8859-7",
    0x2B: "iso8859-8",
    0x33: "iso8859-11",
    0x3B: "iso8859-15",
    0x07: _UTF_16,
    0x0F: "shift-jis",
    0x17: "euc-jp",
    0x1F: "euc-jp",
    0x27: "gb2312",
    0x2F: "euc-kr",
    0x37: UTF_8,
}
# Written in this order of preference; UTF-16 is not: its NULs end texts for most readers.
_WRITTEN = (0x00, 0x01, *(code for code in _CHARSETS if _CHARSETS[code] not in {_UTF_16, UTF_8}))


def charset(language: int) -> str:
    """Return the codec of a language code; Latin-1 where the code is none of the standard's."""
    if language & 1 == 0:
        return "ascii"
    return _CHARSETS.get(language, _LATIN_1)


def decoded(value: bytes, codec: str) -> str:
    """Return a text without its end mark, surrounding blanks and control characters."""
    if codec == _UTF_16:
        text = value[: len(value) & ~1].decode(_UTF_16, "replace").partition("\0")[0]
    else:
        text = _lenient(value.partition(b"\0")[0], codec)
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def parts(value: bytes, codec: str) -> list[str]:
    """Return the texts in a value that NULs divide."""
    if codec == _UTF_16:
        whole = value[: len(value) & ~1].decode(_UTF_16, "replace")
        pieces = [piece.encode(_UTF_16) for piece in whole.split("\0")]
    else:
        pieces = value.split(b"\0")
    return [text for piece in pieces if (text := decoded(piece, codec))]


def language_for(texts: list[str]) -> int | None:
    """Return the code of the first character set that has all letters of the texts, if any has."""
    for code in _WRITTEN:
        try:
            for text in texts:
                text.encode(charset(code))
        except UnicodeEncodeError:
            continue
        return code
    return None


def _lenient(value: bytes, codec: str) -> str:
    for known in (codec, UTF_8):
        try:
            return value.decode(known)
        except UnicodeDecodeError:
            continue
    return value.decode(_LATIN_1)
