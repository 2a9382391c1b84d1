"""Makes a screenshot a quarter of its size: 256 colors are plenty for a page of text.

It needs no image library: browsers write one simple kind of PNG.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLORS = 256
RGB = 3


def reduce(png: bytes) -> bytes:
    """The same picture (8 bits, RGB, not interlaced) with at most 256 colors.

    The most frequent ones stay as they are; the others are replaced by the nearest.
    """
    chunks = dict[bytes, bytes]()
    for kind, data in _chunks(png):
        chunks[kind] = chunks.get(kind, b"") + data
    width, height, *form = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if form != [8, 2, 0, 0, 0]:
        raise ValueError(f"this kind of PNG is not supported: {form}")
    pixels = _unfiltered(zlib.decompress(chunks[b"IDAT"]), width * RGB, height)
    colors = [pixels[at : at + RGB] for at in range(0, len(pixels), RGB)]
    kinds = [color for color, _ in Counter(colors).most_common()]
    kept = kinds[:COLORS]
    numbers = {color: _nearest(color, kept) for color in kinds}
    indexed = bytes(numbers[color] for color in colors)
    rows = b"".join(b"\0" + indexed[at : at + width] for at in range(0, len(indexed), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return SIGNATURE + b"".join(
        [
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", b"".join(kept)),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _nearest(color: bytes, kept: list[bytes]) -> int:
    """The index of the color, or of the one that is most similar."""
    if color in kept:
        return kept.index(color)
    red, green, blue = color
    return min(
        range(len(kept)),
        key=lambda number: (
            (kept[number][0] - red) ** 2
            + (kept[number][1] - green) ** 2
            + (kept[number][2] - blue) ** 2
        ),
    )


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _unfiltered(raw: bytes, stride: int, height: int) -> bytes:
    """The pixels, each of which is stored as its difference from neighbors (PNG, part 9)."""
    whole = bytearray()
    above = bytearray(stride)
    for row in range(height):
        start = row * (stride + 1)
        line = bytearray(raw[start + 1 : start + 1 + stride])
        guess = raw[start]
        for at in range(stride if guess else 0):
            left, corner = (line[at - RGB], above[at - RGB]) if at >= RGB else (0, 0)
            line[at] = (line[at] + _guessed(guess, left, above[at], corner)) & 255
        whole += line
        above = line
    return bytes(whole)


def _guessed(guess: int, left: int, above: int, corner: int) -> int:
    if guess == 1:
        return left
    if guess == 2:  # noqa: PLR2004 - the numbers of the standard
        return above
    if guess == 3:  # noqa: PLR2004
        return (left + above) >> 1
    distances = (abs(above - corner), abs(left - corner), abs(left + above - 2 * corner))
    return (left, above, corner)[distances.index(min(distances))]
