"""What the table of a pixel should hold, by astropy and numpy, compared with what pyarrow reads from it.

Arguments: coadd, redrock, parquet, SPECTYPE, lowest, highest wavelength, sorted (0 or 1), compatible (0 or 1).
"""
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits

coadd, redrock, parquet, kind, low, high, in_order, compatible = sys.argv[1:]
low, high, in_order, compatible = float(low), float(high), in_order == "1", compatible == "1"

with fits.open(redrock) as file:
    table = file["REDSHIFTS"].data
    kinds = np.char.strip(np.asarray(table["SPECTYPE"]).astype(str))
    keep = (kinds == kind) & (np.asarray(table["ZWARN"]) == 0)
    ids = np.asarray(table["TARGETID"])[keep].astype("i8")
    redshifts = np.asarray(table["Z"])[keep].astype("f8")

file = fits.open(coadd)
fibermap = file["FIBERMAP"].data
rows = {int(id): row for row, id in enumerate(fibermap["TARGETID"])}
wave = np.concatenate([file[f"{arm}_WAVELENGTH"].data for arm in "BRZ"]).astype("f8")
inside = np.flatnonzero((wave >= low) & (wave <= high))
if in_order:
    inside = inside[np.argsort(wave[inside], kind="stable")]


def spectrum(what, row):
    return np.concatenate([file[f"{arm}_{what}"].data[row] for arm in "BRZ"])[inside]


found = pq.read_table(parquet)
real = pa.float64() if compatible else pa.float32()
types = {
    "target_id": pa.int64(), "ra": pa.float64(), "dec": pa.float64(), "z": pa.float64(),
    "wavelength": pa.list_(pa.float64()), "flux": pa.list_(real), "ivar": pa.list_(real),
    "mask_array": pa.list_(pa.int64() if compatible else pa.uint32()),
}
assert found.column_names == list(types), found.column_names
for name, kind in types.items():
    assert found.schema.field(name).type == kind, (name, found.schema.field(name).type)

expected = [(id, z) for id, z in zip(ids, redshifts) if int(id) in rows]
assert found.num_rows == len(expected) > 0, (found.num_rows, len(expected))


def number(value):
    return round(float(value), 6) if compatible else float(value)


def same(name, i, right):
    left = found[name][i].values.to_numpy(zero_copy_only=False)
    assert left.dtype == right.dtype, (name, left.dtype, right.dtype)
    assert left.tobytes() == right.tobytes(), (name, i)


for i, (id, z) in enumerate(expected):
    row = rows[int(id)]
    assert found["target_id"][i].as_py() == int(id), i
    assert found["z"][i].as_py() == number(z), i
    assert found["ra"][i].as_py() == number(fibermap["TARGET_RA"][row]), i
    assert found["dec"][i].as_py() == number(fibermap["TARGET_DEC"][row]), i
    same("wavelength", i, wave[inside])
    for name, what in [("flux", "FLUX"), ("ivar", "IVAR")]:
        same(name, i, spectrum(what, row).astype("f8" if compatible else "f4"))
    mask = spectrum("MASK", row)
    same("mask_array", i, mask.astype("i8") if compatible else mask.astype("i4").view("u4"))
print(found.num_rows, len(inside))
