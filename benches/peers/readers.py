"""The Python readers: counts of the dereddened cut v3 over sweep files.

    readers.py astropy|fitsio|polars FILE...
    readers.py to-parquet IN.fits OUT.parquet
    readers.py versions

polars reads Parquet, which `to-parquet` makes.
"""

import collections
import importlib.metadata
import sys

BANDS = ("R", "Z", "W1")
COLUMNS = ["BRICKNAME", "TYPE", *(f"{root}_{b}" for root in ("FLUX", "MW_TRANSMISSION") for b in BANDS)]
COLUMNS += ["RA", "DEC", "MASKBITS"]


class Totals:
    def __init__(self):
        self.rows = self.selected = 0
        self.bricks = collections.Counter()

    def add(self, columns):
        """One file; `columns` gives an array by name."""
        import numpy as np

        table = {name: columns(name) for name in COLUMNS}
        mags = []
        ok = True
        for band in BANDS:
            flux = table[f"FLUX_{band}"].astype("f8") / table[f"MW_TRANSMISSION_{band}"].astype("f8")
            with np.errstate(all="ignore"):
                mags.append(22.5 - 2.5 * np.log10(flux))
            ok &= flux > 0
        r, z, w1 = mags
        with np.errstate(invalid="ignore"):
            ok &= (z < 20.4) & (r - z > 0.4) & (z - w1 > 0.8)
        self.rows += len(ok)
        self.selected += int(ok.sum())
        names, counts = np.unique(table["BRICKNAME"][ok], return_counts=True)
        for name, count in zip(names.tolist(), counts.tolist()):
            self.bricks[name] += count

    def show(self):
        print(f"rows={self.rows} lrg={self.selected} bricks={len(self.bricks)}")


def astropy(paths):
    from astropy.io import fits

    totals = Totals()
    for path in paths:
        with fits.open(path, memmap=True) as file:
            totals.add(file[1].data.__getitem__)
    totals.show()


def fitsio(paths):
    import fitsio

    totals = Totals()
    for path in paths:
        totals.add(fitsio.read(path, ext=1, columns=COLUMNS).__getitem__)
    totals.show()


def polars(paths):
    import polars as pl

    def flux(band):
        return pl.col(f"FLUX_{band}").cast(pl.Float64) / pl.col(f"MW_TRANSMISSION_{band}").cast(pl.Float64)

    def mag(band):
        return 22.5 - 2.5 * flux(band).log10()

    positive = (flux("R") > 0) & (flux("Z") > 0) & (flux("W1") > 0)
    cut = (mag("Z") < 20.4) & (mag("R") - mag("Z") > 0.4) & (mag("Z") - mag("W1") > 0.8)
    columns = [pl.col("RA").sum(), pl.col("DEC").sum(), pl.col("MASKBITS").sum(), pl.col("TYPE").first()]
    table = pl.scan_parquet(paths)
    counts = table.filter(positive & cut).group_by("BRICKNAME").agg(pl.len().alias("n"), *columns).collect()
    rows = table.select(pl.len()).collect().item()
    print(f"rows={rows} lrg={counts['n'].sum()} bricks={len(counts)}")


def to_parquet(source, target):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from astropy.io import fits

    columns = {}
    for name, values in ((n, fits.getdata(source, 1)[n]) for n in fits.getdata(source, 1).names):
        if values.dtype.kind in "SU":
            columns[name] = pa.array(values.astype("U"))
        elif values.ndim == 2:
            flat = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="))).ravel()
            columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(flat), values.shape[1])
        else:
            columns[name] = pa.array(np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="))))
    pq.write_table(pa.table(columns), target, compression="zstd")


def versions():
    print("python", sys.version.split()[0])
    for package in ("numpy", "astropy", "fitsio", "polars", "pyarrow"):
        try:
            print(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            pass


def main():
    match sys.argv[1:]:
        case ["versions"]:
            versions()
        case ["to-parquet", source, target]:
            to_parquet(source, target)
        case ["astropy" | "fitsio" | "polars" as reader, *paths] if paths:
            {"astropy": astropy, "fitsio": fitsio, "polars": polars}[reader](paths)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
