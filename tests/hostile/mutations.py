"""Damage that needs no knowledge of the format: to bytes, to gzip files, and to words of a text header."""

import functools
import gzip
import itertools
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random

_ODD_BYTES = (0x00, 0xFF, 0x7F, 0x80, 0x01, 0x0A, 0x20)
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
MEGABYTE = 1 << 20

# What stands where a number is expected. 4300 digits are the most that Python turns into an int.
ODD_NUMBERS = (
    "0", "-0", "-1", "1", "2", "3", "7", "255", "32767", "32768", "65536", "2147483647", "4294967296",
    "9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e3", "1e-300", "1e300", "1e999", "-1e999",
    "nan", "inf", "-inf", "NaN", "0x10", "1_0", "١٢", "1.5", "1,5", "+3", " ", "", "None", "--1", "1e", ".", "½",
    "9" * 4000, "9" * 4400, "1" + "0" * 308, "0." + "0" * 400 + "1",
)  # fmt: skip
ODD_WORDS = (
    "", "x", "True", "False", "None", "LOCAL", "none", "\0", "é", "\ufeff", "%d", "%s%s%n", "../", "/dev/zero",
    "a" * 70_000, "(1,0,0)", "(nan,nan,nan)", "(1,0,0,0)", "()", "=", ":", ":=", "#", "\\n", "\t", "\r",
)  # fmt: skip


def damaged(random: Random, data: bytes) -> bytes:
    """Return `data` with bytes flipped, overwritten, cut out, doubled, put in, cut off or added."""
    return random.choice(_DAMAGES)(random, data)


def flipped(random: Random, data: bytes, start: int = 0, end: int | None = None) -> bytes:
    """Return `data` with 1 to 8 bytes between `start` and `end` changed."""
    result = bytearray(data)
    end = len(data) if end is None else min(end, len(data))
    for _ in range(random.choice((1, 1, 1, 2, 4, 8))):
        at = random.randrange(start, max(start + 1, end))
        if at < len(result):
            result[at] = random.choice(
                (result[at] ^ (1 << random.randrange(8)), random.choice(_ODD_BYTES), random.randrange(256))
            )
    return bytes(result)


def cut(random: Random, data: bytes) -> bytes:
    """Return the start of `data`; ends near the beginning and near the end are as likely as those between."""
    near = min(len(data), 512)
    return data[
        : random.choice(
            (random.randrange(near + 1), random.randrange(len(data) + 1), len(data) - random.randrange(near + 1))
        )
    ]


def lengthened(random: Random, data: bytes) -> bytes:
    """Return `data` with something after it."""
    return data + random.choice((b"\0", b"\n", b"\x1f\x8b", b"PK\x03\x04", bytes(4096), random.randbytes(100), data))


def _overwritten(random: Random, data: bytes) -> bytes:
    at, count = random.randrange(len(data) + 1), random.choice((1, 2, 4, 8, 64))
    return data[:at] + random.choice((bytes(count), b"\xff" * count, random.randbytes(count))) + data[at + count :]


def _shortened(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + data[at + random.choice((1, 2, 4, 16, 1000)) :]


def _doubled(random: Random, data: bytes) -> bytes:
    at, count = random.randrange(len(data) + 1), random.choice((1, 4, 16, 348))
    return data[: at + count] + data[at:]


def _filled(random: Random, data: bytes) -> bytes:
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice((b"\0", b"\xff\xfe", b"\n", random.randbytes(random.randrange(1, 40)))) + data[at:]


_DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    flipped, flipped, flipped, cut, lengthened, _overwritten, _shortened, _doubled, _filled,
)  # fmt: skip


def damaged_gzip(random: Random, content: bytes) -> bytes:
    """Return a gzip file of `content` that is damaged, or unusual and sound: who reads it must tell which."""
    return random.choice(_GZIP_DAMAGES)(random, content)


def members(random: Random, content: bytes) -> bytes:
    """Return a sound gzip file of several members; some of them may be empty."""
    ends = sorted([0, len(content), *(random.randrange(len(content) + 1) for _ in range(random.randrange(5)))])
    pieces = [content[start:end] for start, end in itertools.pairwise(ends)]
    return b"".join(with_fields(random, piece) for piece in pieces)


def with_fields(random: Random, content: bytes) -> bytes:
    """Return a sound gzip member whose header has the optional fields of RFC 1952."""
    flags, extra = 0, b""
    if random.random() < 0.3:
        flags |= 4
        field = random.randbytes(random.randrange(200))
        extra += struct.pack("<H", len(field)) + field
    for bit in (8, 16):
        if random.random() < 0.3:
            flags |= bit
            extra += bytes(random.randrange(1, 256) for _ in range(random.randrange(300))) + b"\0"
    head = b"\x1f\x8b\x08" + bytes([flags]) + random.randbytes(4) + b"\0\xff" + extra
    packer = zlib.compressobj(random.choice((0, 1, 6, 9)), zlib.DEFLATED, -15)
    body = packer.compress(content) + packer.flush()
    return head + body + struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)


@functools.lru_cache(maxsize=4)
def zeros_deflated(megabytes: int) -> bytes:
    """Return raw deflate blocks that grow to as many megabytes of zeros, without the mark of an end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(megabytes * MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH)


def bomb(start: bytes, megabytes: int, *, checksum: int = 0) -> bytes:
    """Return a gzip file that holds `start` and then zeros: a thousandth of their size. The checksum is wrong."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    opening = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    ending = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    blocks = zeros_deflated(16) * (megabytes // 16)
    size = (len(start) + megabytes * MEGABYTE) & 0xFFFFFFFF
    return _GZIP_HEADER + opening + blocks + ending + struct.pack("<II", checksum, size)


def _wrong_trailer(random: Random, content: bytes) -> bytes:
    packed = gzip.compress(content, mtime=0)
    return packed[:-8] + flipped(random, packed[-8:])


def _wrong_header(random: Random, content: bytes) -> bytes:
    return flipped(random, gzip.compress(content, mtime=0), 0, 10)


def _twice(_: Random, content: bytes) -> bytes:
    return gzip.compress(gzip.compress(content, mtime=0), mtime=0)


def _any_damage(random: Random, content: bytes) -> bytes:
    return damaged(random, gzip.compress(content, random.choice((0, 1, 9)), mtime=0))


def _more_inside(random: Random, content: bytes) -> bytes:
    return gzip.compress(content + random.choice((b"\0", bytes(4), bytes(5000), content)), mtime=0)


def _less_inside(random: Random, content: bytes) -> bytes:
    return gzip.compress(content[: random.randrange(len(content) + 1)], mtime=0)


def _more_after(random: Random, content: bytes) -> bytes:
    more = (
        b"\0",
        bytes(512),
        b"\x1f",
        b"\x1f\x8b",
        _GZIP_HEADER,
        gzip.compress(b"", mtime=0),
        gzip.compress(b"x", mtime=0),
        b"garbage",
    )
    return gzip.compress(content, mtime=0) + random.choice(more)


def _empty_members(random: Random, content: bytes) -> bytes:
    return gzip.compress(b"", mtime=0) * random.choice((1, 10, 5000)) + gzip.compress(content, mtime=0)


_GZIP_DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (
    _wrong_trailer, _wrong_header, _twice, _any_damage, _any_damage, _any_damage, _more_inside, _less_inside,
    _more_after, _empty_members, members,
)  # fmt: skip


def damaged_lines(random: Random, lines: Sequence[str]) -> list[str]:
    """Return the lines of a text header with a word or number changed, or lines lost, doubled, moved or put in."""
    result = list(lines)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        at = random.randrange(len(result)) if result else 0
        change = random.choice(
            (_odd_number, _odd_number, _odd_number, _odd_word, _doubled_line, _moved, _lost, _put_in, _respelled)
        )
        change(random, result, at)
    return result


def _odd_number(random: Random, lines: list[str], at: int) -> None:
    name, sign, value = _split(lines[at]) if lines else ("", "", "")
    words = value.replace(",", " , ").replace("(", " ( ").replace(")", " ) ").split()
    numbers = [i for i, word in enumerate(words) if word.lstrip("-").replace(".", "", 1).replace("e-", "", 1).isdigit()]
    if not numbers:
        return _odd_word(random, lines, at)
    for chosen in (random.choice(numbers),) if random.random() < 0.8 else numbers:
        words[chosen] = random.choice(ODD_NUMBERS)
    joined = " ".join(words) if "(" not in value else "".join(words).replace(")(", ") (")
    lines[at] = f"{name}{sign} {joined}"
    return None


def _odd_word(random: Random, lines: list[str], at: int) -> None:
    if lines:
        name, sign, _ = _split(lines[at])
        lines[at] = f"{name}{sign} {random.choice(ODD_WORDS)}"


def _doubled_line(random: Random, lines: list[str], at: int) -> None:
    if lines:
        lines.insert(random.randrange(len(lines) + 1), lines[at])
        if random.random() < 0.7:
            _odd_number(random, lines, at)


def _moved(random: Random, lines: list[str], at: int) -> None:
    if lines:
        lines.insert(random.randrange(len(lines)), lines.pop(at))


def _lost(_: Random, lines: list[str], at: int) -> None:
    if lines:
        lines.pop(at)


def _put_in(random: Random, lines: list[str], at: int) -> None:
    odd = (
        "",
        "Comment = x",
        "no sign at all",
        "# note",
        "x: y",
        "x:=y",
        "é = ü",
        "a" * 70_000,
        "=",
        ":",
        "\0",
        "Unknown = 1",
    )
    lines.insert(at, random.choice(odd))


def _respelled(random: Random, lines: list[str], at: int) -> None:
    if lines:
        name, sign, value = _split(lines[at])
        name = random.choice(
            (name.upper(), name.lower(), f" {name}", f"{name} ", name.replace(" ", ""), name[:-1], f"\t{name}")
        )
        lines[at] = f"{name}{sign} {value}" if random.random() < 0.7 else f"{name}{sign}{value}\r"


def _split(line: str) -> tuple[str, str, str]:
    sign = next((sign for sign in (":=", "=", ":") if sign in line), "")
    if not sign:
        return line, "", ""
    name, _, value = line.partition(sign)
    return name, sign, value.strip()
