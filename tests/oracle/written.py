"""Reads the files of the example `write_samples` with astropy and python-fitsio (CFITSIO) and compares every value.

    written.py DIR [--funpack funpack]

Lossless samples must give what was written. Lossy ones must give what coaddkit-fits reads, bit for bit, and lie within
the promised step. Where python-fitsio can make the same image, the compressed streams must be the same bytes.
"""

import argparse
import pathlib
import subprocess
import sys
import warnings

import fitsio
import numpy as np
from astropy.io import fits

warnings.simplefilter("error", fits.verify.VerifyWarning)
checks = 0
wrong = []


def check(ok, what):
    global checks
    checks += 1
    if not ok:
        wrong.append(what)
        print("WRONG", what)


def same(a, b):
    """Equal values, NaN equal to NaN; kinds of numbers may differ where a reader widens them."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "fc" or b.dtype.kind in "fc":
        return np.array_equal(a, b, equal_nan=True)
    return np.array_equal(a, b)


def image(folder, name, code, own_code, shape, rule, like, funpack):
    path = folder / f"{name}.fits"
    shape = tuple(int(n) for n in shape.split(","))
    raw = np.fromfile(folder / f"{name}.raw", code).reshape(shape)
    own = np.fromfile(folder / f"{name}.own", own_code).reshape(shape)
    readers = {}
    try:
        with fits.open(path, checksum=True) as hdus:
            readers["astropy"] = hdus[1].data
    except Exception as error:
        check(False, f"{name}: astropy: {error!r}")
    # CFITSIO has NOCOMPRESS of three types only and no 64-bit integers in tiles; python-fitsio no unsigned ones at all.
    native = raw.dtype.newbyteorder("=")
    limited = (
        native == np.uint64
        or name.startswith("gzip") and native == np.int64
        or name.startswith("nothing") and native not in (np.int16, np.int32, np.float32)
    )
    if not limited:
        try:
            readers["fitsio"] = fitsio.read(str(path), ext=1)
        except Exception as error:
            check(False, f"{name}: fitsio: {error!r}")
    # The funpack of CFITSIO 4.2 loses nulls, and tiles that hold an infinite pixel; its library does not.
    plain = ("plain", "cube_plain", "null_plain", "scaled", "nothing")
    if funpack and not name.startswith(plain) and not limited and "nan" not in name and "odd" not in name and "nulls" not in name:
        unpacked = folder / f"{name}.unpacked"
        unpacked.unlink(missing_ok=True)
        done = subprocess.run([funpack, "-O", unpacked, path], capture_output=True, text=True)
        if done.returncode:
            check(False, f"{name}: funpack: {done.stderr or done.stdout}")
        else:
            with fits.open(unpacked) as hdus:
                readers["funpack"] = hdus[1].data
    for reader, found in readers.items():
        if found is None:
            check(False, f"{name}: {reader} finds no data")
            continue
        if rule.startswith("blank="):
            # python-fitsio does not apply BLANK to plain images.
            found = np.where(found == float(rule[6:]), np.nan, found)
        elif rule == "exact":
            check(same(found, raw), f"{name}: {reader} does not find what was written")
        elif rule.startswith("step="):
            step = float(rule[5:])
            finite = np.isfinite(raw)
            room = 0.5 * step * (1 + 1e-6) + np.abs(raw[finite]) * np.finfo(raw.dtype).eps
            check((np.abs(found[finite] - raw[finite]) <= room).all(), f"{name}: {reader} is off by more than half a step")
        if name == "scaled":
            # Scaling is computed in single precision by astropy.
            check(np.allclose(found, own, rtol=1e-6, atol=1e-6), f"{name}: {reader} differs from coaddkit-fits")
        else:
            check(same(found, own), f"{name}: {reader} differs from coaddkit-fits")
    if like:
        stream(folder, name, raw, dict(word.split("=", 1) for word in like.split()))


def rows(path):
    """The table around the tiles."""
    with fits.open(path, disable_image_compression=True) as hdus:
        table = next(hdu for hdu in hdus if hdu.header.get("ZIMAGE"))
        names = table.columns.names
        tiles = [bytes(np.asarray(tile).astype(np.asarray(tile).dtype.newbyteorder(">"))) for tile in table.data["COMPRESSED_DATA"]]
        scales = [table.data[name].tolist() if name in names else None for name in ("ZSCALE", "ZZERO")]
        return tiles, scales, table.header.get("ZDITHER0")


def stream(folder, name, raw, like):
    """The same image by CFITSIO has the same tiles."""
    options = {"compress": like["compress"], "tile_dims": [int(n) for n in like["tile"].split(",")]}
    if "qlevel" in like:
        options["qlevel"] = float(like["qlevel"])
        options["qmethod"] = ["NO_DITHER", "SUBTRACTIVE_DITHER_1", "SUBTRACTIVE_DITHER_2"][int(like["dither"])]
        if like["dither"] != "0":
            options["dither_seed"] = like["seed"] if like["seed"] == "checksum" else int(like["seed"])
    if "hcomp_scale" in like:
        options["hcomp_scale"] = float(like["hcomp_scale"])
        options["hcomp_smooth"] = bool(int(like["smooth"]))
    theirs = folder / f"{name}.cfitsio"
    theirs.unlink(missing_ok=True)
    with fitsio.FITS(str(theirs), "rw", clobber=True) as file:
        file.write(raw, **options)
    (tiles, scales, seed), (own_tiles, own_scales, own_seed) = rows(theirs), rows(folder / f"{name}.fits")
    if options.get("qmethod", "NO_DITHER") != "NO_DITHER":
        check(seed == own_seed, f"{name}: the seed is {own_seed}, CFITSIO has {seed}")
    check(scales == own_scales, f"{name}: ZSCALE or ZZERO differ from CFITSIO's")
    differ = sum(a != b for a, b in zip(tiles, own_tiles, strict=True))
    check(differ == 0, f"{name}: {differ} of {len(tiles)} streams differ from CFITSIO's")


def column(name, column, tform, values, tables):
    want = [row.split(" ") if row else [] for row in values.split(";")]
    text = tform.endswith("A")
    if text:
        want = [[row] for row in values.split(";")]
    table, path = tables[name]
    readers = {"astropy": table[column]}
    # python-fitsio gets scaled columns wrong; CFITSIO itself does not.
    if column != "SCALED":
        with fitsio.FITS(str(path), vstorage="object") as file:
            readers["fitsio"] = file[1].read_column(column)
    for reader, found in readers.items():
        for row, (cell, wanted) in enumerate(zip(found, want, strict=True)):
            where = f"{name}: {reader} column {column} row {row}: {cell!r}, not {wanted}"
            if text:
                cell = cell.decode() if isinstance(cell, bytes) else cell
                check(cell.rstrip() == wanted[0], where)
                continue
            cell = np.asarray(cell).ravel()
            if cell.dtype.kind == "c":
                wanted = [complex(float(wanted[0]), float(wanted[1]))]
            else:
                convert = float if cell.dtype.kind == "f" else int
                wanted = [convert(float(v)) if "." in v or "e" in v else convert(int(v)) for v in wanted]
            if cell.dtype.kind == "f" and cell.dtype.itemsize == 4:
                wanted = np.float32(wanted)
            check(cell.tolist() == np.asarray(wanted).tolist(), where)


def card(folder, key, value, headers):
    for reader, header in headers.items():
        lookup = f"HIERARCH {key}" if reader == "astropy" and " " in key else key
        found = header[lookup]
        found = found.rstrip() if isinstance(found, str) else found
        wanted = {"T": True, "F": False}.get(value, value)
        if isinstance(found, (int, float)) and not isinstance(found, bool):
            wanted = type(found)(value)
        check(found == wanted, f"header: {reader} reads {key} as {found!r}, not {wanted!r}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir", type=pathlib.Path)
    parser.add_argument("--funpack")
    args = parser.parse_args()
    folder = args.dir
    tables, headers = {}, {}
    for line in (folder / "samples.txt").read_text().splitlines():
        kind, name, *rest = line.split("\t")
        if kind == "image":
            image(folder, name, *rest, args.funpack)
        elif kind == "column":
            if name not in tables:
                path = folder / f"{name}.fits"
                with fits.open(path, checksum=True) as hdus:
                    data = hdus[1].data
                    tables[name] = {c: data[c] for c in hdus[1].columns.names}, path
            column(name, *rest, tables)
        else:
            if not headers:
                path = folder / "header.fits"
                headers = {"astropy": fits.getheader(path), "fitsio": fitsio.read_header(str(path))}
            card(folder, *rest, headers)
    check(fits.getheader(folder / "complex.fits")["CPLX"] == 1.5 - 2j, "header: the complex number")
    path = folder / "pieces.fits"
    with fits.open(path, checksum=True) as hdus:
        check((hdus[0].data == np.arange(50)[:, None]).all(), "pieces: the image")
        check(hdus[1].data["ID"].tolist() == [v for n in range(20) for v in (n, -n)], "pieces: the column ID")
        check([len(v) for v in hdus[1].data["LIST"]] == [v for n in range(20) for v in (n, 0)], "pieces: LIST")
    print(f"{checks} checks, {len(wrong)} wrong")
    sys.exit(bool(wrong))


main()
