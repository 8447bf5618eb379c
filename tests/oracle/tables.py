"""Reads the streams of the example `to_arrow` with pyarrow and compares every value with the bytes of the file.

    tables.py DIR LIST          LIST holds the lines that to_arrow printed

Headers are read by astropy, fields by numpy, and what they mean is worked out here by the rules of the standard:
nulls, unsigned integers, scaling in double precision, strings, bits, descriptors and heap. Compressed tables are left
to the tests of the crate.
"""

import gzip
import pathlib
import re
import sys
import warnings

import numpy as np
import pyarrow as pa
from astropy.io import fits

warnings.simplefilter("ignore")
np.seterr(all="ignore")

STORED = {"L": "u1", "X": "u1", "B": "u1", "A": "S1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
PLAIN = {"B": pa.uint8(), "I": pa.int16(), "J": pa.int32(), "K": pa.int64(), "E": pa.float32(), "D": pa.float64()}
SHIFTED = {("B", -128): pa.int8(), ("I", 2**15): pa.uint16(), ("J", 2**31): pa.uint32(), ("K", 2**63): pa.uint64()}


class Column:
    """What the header says of a column."""

    def __init__(self, header, n):
        get = lambda key, default=None: header.get(f"{key}{n}", default)
        self.name = get("TTYPE", f"col{n}").rstrip()
        self.unit = get("TUNIT", "").rstrip()
        self.tform = get("TFORM").strip()
        whole = lambda v: int(v) if float(v).is_integer() else v
        self.scale, self.zero, self.null = whole(get("TSCAL", 1)), whole(get("TZERO", 0)), get("TNULL")
        self.dim = [int(d) for d in re.findall(r"\d+", get("TDIM", ""))]
        self.start = get("TBCOL")


def text(raw):
    return raw.split(b"\0")[0].rstrip(b" ").decode("latin1")


def element(column, code):
    """The type of an element and what a stored one becomes."""
    scale, zero, null = column.scale, column.zero, column.null
    plain = (scale, zero) == (1, 0)
    if code == "L":
        return pa.bool_(), lambda v: {84: True, 70: False}.get(int(v))
    if code == "X":
        return pa.bool_(), bool
    if code in "CM":
        part = pa.float32() if code == "C" and plain else pa.float64()
        return pa.list_(part, 2), lambda v: [zero + scale * float(v.real), scale * float(v.imag)]
    if code in "ED":
        return PLAIN[code] if plain else pa.float64(), lambda v: zero + scale * float(v)
    if plain or scale == 1 and (code, zero) in SHIFTED:
        kind = PLAIN[code] if plain else SHIFTED[code, zero]
        return kind, lambda v: None if int(v) == null else int(v) + zero
    return pa.float64(), lambda v: None if int(v) == null else float(zero + scale * float(v))


def strings(column, field):
    """All strings of a field, where TDIM says that there are several."""
    size = column.dim[0]
    return [text(field[i : i + size]) for i in range(0, len(field) - size + 1, size)]


def binary(column, table, heap, offset):
    """The type and the rows of a column of a binary table, and the bytes of its field."""
    repeat, code, rest = re.fullmatch(r"(\d*)([A-Z])(.*)", column.tform).groups()
    repeat = int(repeat or 1)
    if code in "PQ":
        width = repeat * (16 if code == "Q" else 8)
        words = np.ascontiguousarray(table[:, offset : offset + width]).view(">u8" if code == "Q" else ">u4")
        return *arrays(column, words, heap, rest[0], code == "Q"), width
    width = (repeat + 7) // 8 if code == "X" else repeat * np.dtype(STORED[code]).itemsize
    raw = np.ascontiguousarray(table[:, offset : offset + width])
    if code == "A":
        fields = [row.tobytes() for row in raw]
        if len(column.dim) > 1:
            return pa.list_(pa.string(), repeat // column.dim[0]), [strings(column, f) for f in fields], width
        return pa.string(), [text(f) for f in fields], width
    kind, value = element(column, code)
    if width == 0:
        return pa.list_(kind), [[]] * len(table), width
    values = np.unpackbits(raw, axis=1)[:, :repeat] if code == "X" else raw.view(STORED[code])
    rows = [[value(v) for v in row] for row in values]
    if repeat == 1 and len(column.dim) < 2:
        return kind, [row[0] for row in rows], width
    return pa.list_(kind, repeat), rows, width


def arrays(column, words, heap, code, large):
    """The type and the rows of variable-length arrays."""
    rows = []
    for count, start in words if words.size else [(0, 0)] * len(words):
        count, start = int(count), int(start)
        size = (count + 7) // 8 if code == "X" else count * np.dtype(STORED[code]).itemsize
        rows.append((count, heap[start : start + size]))
    listed = pa.large_list if large else pa.list_
    if code == "A":
        kind = pa.large_string() if large else pa.string()
        if len(column.dim) > 1:
            return listed(kind), [strings(column, raw) for _, raw in rows]
        return kind, [text(raw) for _, raw in rows]
    kind, value = element(column, code)
    bits = lambda count, raw: np.unpackbits(np.frombuffer(raw, "u1"))[:count]
    values = lambda count, raw: bits(count, raw) if code == "X" else np.frombuffer(raw, STORED[code])
    return listed(kind), [[value(v) for v in values(*row)] for row in rows]


def digits(column, table):
    """The type and the rows of a column of an ASCII table."""
    code, width, decimals = re.fullmatch(r"([AIFED])(\d+)\.?(\d*)", column.tform).groups()
    fields = [row.tobytes() for row in table[:, column.start - 1 : column.start - 1 + int(width)]]
    if code == "A":
        return pa.string(), [text(f) for f in fields]
    integer = code == "I" and (column.scale, column.zero) == (1, 0)

    def value(field):
        token = field.decode("latin1").strip(" ")
        if column.null is not None and token == column.null.strip():
            return None
        if integer:
            return int(token or 0)
        mantissa, exponent = (re.split("[DE]", token.upper()) + ["0"])[:2]
        if code != "I" and mantissa and "." not in mantissa:
            exponent = int(exponent) - int(decimals or 0)
        return column.zero + column.scale * float(f"{mantissa or 0}E{exponent}")

    return pa.int64() if integer else pa.float64(), [value(f) for f in fields]


def plain(kind):
    """A type without the names and nullability of its lists."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(plain(kind.value_type), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(plain(kind.value_type))
    return pa.list_(plain(kind.value_type)) if pa.types.is_list(kind) else kind


def same(a, b):
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if a is None or b is None or isinstance(a, str):
        return a == b
    return a == b or (a != a and b != b)


def compare(found, hdu, data, label):
    """What is wrong with a table, by column."""
    header, wrong = hdu.header, []
    rows, size, count = header["NAXIS2"], header["NAXIS1"], header["TFIELDS"]
    if (found.num_rows, found.num_columns) != (rows, count):
        return [f"{label}: {found.num_rows} rows, {found.num_columns} columns"]
    if (found.schema.metadata or {}).get(b"FITS:EXTNAME", b"").decode() != header.get("EXTNAME", "").rstrip():
        wrong.append(f"{label}: {found.schema.metadata}")
    start, offset = hdu.fileinfo()["datLoc"], 0
    table = np.frombuffer(data[start : start + rows * size], "u1").reshape(rows, size)
    heap = data[start + header.get("THEAP", rows * size) : start + rows * size + header["PCOUNT"]]
    for n, field in enumerate(found.schema, 1):
        column = Column(header, n)
        if isinstance(hdu, fits.TableHDU):
            kind, wanted = digits(column, table)
        else:
            kind, wanted, width = binary(column, table, heap, offset)
            offset += width
        name = f"{label} {n} {column.name} {column.tform}"
        metadata = field.metadata or {}
        if (field.name, metadata.get(b"FITS:TUNIT", b"").decode()) != (column.name, column.unit):
            wrong.append(f"{name}: {field.name} {metadata}")
        if plain(field.type) != plain(kind):
            wrong.append(f"{name}: {field.type} instead of {kind}")
            continue
        values = found.column(n - 1).to_pylist()
        bad = [row for row, (a, b) in enumerate(zip(values, wanted)) if not same(a, b)]
        if bad:
            wrong.append(f"{name}, row {bad[0]}: {values[bad[0]]!r:.80} instead of {wanted[bad[0]]!r:.80}")
    return wrong


def main():
    folder = pathlib.Path(sys.argv[1])
    tables = columns = compressed = 0
    wrong = []
    for line in pathlib.Path(sys.argv[2]).read_text().splitlines():
        number, index, path = line.split("\t")
        with pa.ipc.open_stream(folder / f"{number}.arrows") as reader:
            found = reader.read_all()
        found.validate(full=True)
        data = pathlib.Path(path).read_bytes()
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        with fits.open(path, memmap=False) as hdus:
            hdu = hdus[int(index)]
            if hdu.header.get("ZTABLE"):
                compressed += 1
                continue
            wrong += compare(found, hdu, data, f"{pathlib.Path(path).name}[{index}]")
        tables, columns = tables + 1, columns + found.num_columns
    for line in wrong:
        print("WRONG", line)
    print(f"pyarrow {pa.__version__}: {tables} tables, {columns} columns, {len(wrong)} wrong; {compressed} compressed")
    sys.exit(1 if wrong or not tables else 0)


main()
