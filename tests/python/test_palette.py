"""Screenshots are made smaller without visible changes."""

from __future__ import annotations

import struct
import zlib

import pytest

import palette


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(rows: list[bytes], width: int, color_type: int = 2) -> bytes:
    """A PNG of rows that are already filtered."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, color_type, 0, 0, 0)
    return (
        palette.SIGNATURE
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + chunk(b"IEND", b"")
    )


def pixels(png: bytes) -> list[tuple[int, ...]]:
    """The colors of a picture with a palette, in order."""
    chunks = {}
    at = len(palette.SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(kind + data),)
        chunks[kind] = data
        at += length + 12
    width, height, depth, color_type, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, color_type) == (8, 3)
    raw = zlib.decompress(chunks[b"IDAT"])
    table = chunks[b"PLTE"]
    found = []
    for row in range(height):
        line = raw[row * (width + 1) : (row + 1) * (width + 1)]
        assert line[0] == 0
        found += [tuple(table[number * 3 : number * 3 + 3]) for number in line[1:]]
    return found


def test_every_filter_is_undone() -> None:
    rows = [
        bytes([0, 10, 20, 30, 40, 50, 60]),
        bytes([1, 1, 2, 3, 1, 1, 1]),  # the difference from the left
        bytes([2, 5, 5, 5, 5, 5, 5]),  # from above
        bytes([3, 1, 1, 1, 1, 1, 1]),  # from the mean of both
        bytes([4, 1, 1, 1, 2, 2, 2]),  # from whichever is nearest
    ]
    assert pixels(palette.reduce(picture(rows, 2))) == [
        *[(10, 20, 30), (40, 50, 60)],
        *[(1, 2, 3), (2, 3, 4)],
        *[(6, 7, 8), (7, 8, 9)],
        *[(4, 4, 5), (6, 7, 8)],
        *[(5, 5, 6), (8, 9, 10)],
    ]


def test_what_is_frequent_stays_and_what_is_rare_becomes_what_is_near() -> None:
    frequent = [(number, 0, 0) for number in range(256)]
    row = b"\0" + b"".join(bytes(color) for color in [*frequent, *frequent, (9, 1, 0)])
    assert pixels(palette.reduce(picture([row], 513))) == [*frequent, *frequent, (9, 0, 0)]


def test_another_kind_of_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="kind of PNG is not supported"):
        palette.reduce(picture([bytes(5)], 1, color_type=6))
