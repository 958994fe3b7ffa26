"""Eight-bit cyclic sums of Bluetooth LE instruments' own frames."""

CRC8 = 0x07  # x^8 + x^2 + x + 1, most significant bit first
CRC8_MAXIM = 0x8C  # x^8 + x^5 + x^4 + 1, least significant bit first


def crc8(data: bytes) -> int:
    """Return the sum with `CRC8`, begun with 0."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 & 0xFF) ^ (CRC8 if value & 0x80 else 0)
    return value


def crc8_maxim(data: bytes) -> int:
    """Return the sum with `CRC8_MAXIM`, begun with 0."""
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (CRC8_MAXIM if value & 1 else 0)
    return value
