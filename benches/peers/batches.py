"""The Python peers of the conversion of DESI pixels, and the comparison of what each has written.

    batches.py astropy|fitsio [--compat] OUT INVENTORY BASE
    batches.py compare DIR OTHER
    batches.py versions

The inventory names the files below BASE: columns survey, program, pixel, file_type, filename, s3_key. Every pair gives
OUT/{pixel}.parquet with its quasars without a warning: three arms joined, 3600 to 9800 Å inclusive; in the types of the
files with zstd, or with --compat as the earlier converter wrote them: lists of f64 and i64, snappy. Prints `rows=N`.
`compare` reads the tables of two folders, by pixel, and fails at the first value that differs.
"""

import csv
import importlib.metadata
import os
import pathlib
import re
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ARMS = "BRZ"


def pairs(inventory, base):
    files = {}
    with open(inventory, newline="") as file:
        for row in csv.DictReader(file):
            key = (row["survey"], row["program"], int(row["pixel"]))
            files.setdefault(key, {})[row["file_type"]] = os.path.join(base, row["s3_key"])
    return [(key, names["coadd"], names["redrock"]) for key, names in sorted(files.items())]


class Astropy:
    """Maps the file, so that only the rows that are selected are read."""

    def __init__(self, path):
        from astropy.io import fits

        self.file = fits.open(path, memmap=True)

    def table(self, name):
        return self.file[name].data

    def image(self, name):
        return self.file[name].data


class Fitsio:
    """CFITSIO; rows of an image are sections of it."""

    def __init__(self, path):
        import fitsio

        self.file = fitsio.FITS(path)

    def table(self, name):
        return self.file[name].read()

    def image(self, name):
        hdu = self.file[name]
        return hdu.read() if len(hdu.get_dims()) == 1 else Rows(hdu)


class Rows:
    def __init__(self, hdu):
        self.hdu = hdu

    def __getitem__(self, row):
        return self.hdu[row : row + 1, :][0]


def native(values):
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def convert(reader, coadd, redrock, out, compat):
    spectra, redshifts = reader(coadd), reader(redrock).table("REDSHIFTS")
    kind = np.char.strip(redshifts["SPECTYPE"].astype("U"))
    selected = redshifts[(kind == "QSO") & (redshifts["ZWARN"] == 0)]
    if len(selected) == 0:
        return 0
    fibermap = spectra.table("FIBERMAP")
    at = {int(target): row for row, target in enumerate(fibermap["TARGETID"])}
    wavelength = np.concatenate([native(spectra.image(f"{arm}_WAVELENGTH")) for arm in ARMS])
    keep = (wavelength >= 3600) & (wavelength <= 9800)
    images = {
        name: [spectra.image(f"{arm}_{what}") for arm in ARMS]
        for name, what in (("flux", "FLUX"), ("ivar", "IVAR"), ("mask_array", "MASK"))
    }
    rows = [(record, at[int(record["TARGETID"])]) for record in selected if int(record["TARGETID"]) in at]
    real, bits = (pa.float64(), pa.int64()) if compat else (pa.float32(), pa.uint32())
    round_ = (lambda value: round(float(value), 6)) if compat else float

    def joined(name, kind):
        values = [native(np.concatenate([arm[row] for arm in images[name]])[keep]) for _, row in rows]
        if name == "mask_array" and not compat:
            values = [value.view(np.uint32) if value.dtype == np.int32 else value for value in values]
        flat = pa.array(np.concatenate(values)).cast(kind)
        return pa.ListArray.from_arrays(np.arange(len(rows) + 1, dtype=np.int32) * int(keep.sum()), flat)

    grid = pa.array(np.tile(wavelength[keep], len(rows)))
    table = pa.table(
        {
            "target_id": pa.array([int(record["TARGETID"]) for record, _ in rows], pa.int64()),
            "ra": pa.array([round_(fibermap["TARGET_RA"][row]) for _, row in rows], pa.float64()),
            "dec": pa.array([round_(fibermap["TARGET_DEC"][row]) for _, row in rows], pa.float64()),
            "z": pa.array([round_(record["Z"]) for record, _ in rows], pa.float64()),
            "wavelength": pa.ListArray.from_arrays(
                np.arange(len(rows) + 1, dtype=np.int32) * int(keep.sum()), grid
            ),
            "flux": joined("flux", real),
            "ivar": joined("ivar", real),
            "mask_array": joined("mask_array", bits),
        }
    )
    pq.write_table(table, out, compression="snappy" if compat else "zstd")
    return len(rows)


def tables(folder):
    """By pixel, whoever has written them."""
    found = {}
    for path in pathlib.Path(folder).rglob("*.parquet"):
        name = re.search(r"(dark|bright)/tile_(\d+)/", path.as_posix())
        key = (name[1], int(name[2])) if name else tuple(path.stem.split("-"))
        found[str(key[0]), int(key[1])] = path
    return found


def compare(one, other):
    one, other = tables(one), tables(other)
    if one.keys() != other.keys():
        sys.exit(f"other pixels: {sorted(one.keys() ^ other.keys())}")
    values = 0
    for key in one:
        a, b = pq.read_table(one[key]), pq.read_table(other[key])
        for name in a.column_names:
            left, right = a[name].combine_chunks(), b[name].combine_chunks()
            if pa.types.is_list(left.type):
                if left.offsets.to_pylist() != right.offsets.to_pylist():
                    sys.exit(f"{key}: {name}: other lengths")
                left, right = left.flatten(), right.flatten()
            left, right = left.to_numpy(zero_copy_only=False), right.to_numpy(zero_copy_only=False)
            if left.dtype != right.dtype or not np.array_equal(left, right, equal_nan=left.dtype.kind == "f"):
                sys.exit(f"{key}: {name} differs")
            values += left.size
    print(f"{len(one)} tables, {values} values")


def main():
    args = sys.argv[1:]
    if args[0] == "versions":
        for name in ("astropy", "fitsio", "pyarrow", "numpy"):
            print(name, importlib.metadata.version(name))
        return
    if args[0] == "compare":
        compare(*args[1:])
        return
    compat = "--compat" in args
    reader, out, inventory, base = [arg for arg in args if arg != "--compat"]
    os.makedirs(out, exist_ok=True)
    for (_, program, pixel), coadd, redrock in pairs(inventory, base):
        path = os.path.join(out, f"{program}-{pixel}.parquet")
        print(f"rows={convert({'astropy': Astropy, 'fitsio': Fitsio}[reader], coadd, redrock, path, compat)}")


main()
