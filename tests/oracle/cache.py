"""Looks with astropy, numpy and pyarrow at what coadd-cache and cutout make of a tree of coadds.

    cache.py --coadd-cache PROGRAM --cutout PROGRAM --tree DIR --work DIR [--real DIR]

The manifest in Parquet and in CSV, the statistics of every file, stamps in one brick and across edges as NPZ, FITS and
PNG. DIR of --real has the files of a real brick.
"""

import argparse
import csv
import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.visualization import make_lupton_rgb
from astropy.wcs import WCS, FITSFixedWarning

warnings.simplefilter("ignore", FITSFixedWarning)
BANDS = "grz"
checks = 0


def check(ok, *what):
    global checks
    checks += 1
    if not ok:
        sys.exit("cache.py: " + " ".join(str(part) for part in what))


def run(program, *args, code=0):
    done = subprocess.run([program, *map(str, args), "--json"], capture_output=True, text=True)
    check(done.returncode == code, args, "ended with", done.returncode, done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def pixels(path):
    with fits.open(path) as file:
        hdu = next(hdu for hdu in file if hdu.data is not None)
        # Our reader widens f32 exactly; astropy gives the same floats.
        return hdu.data.astype("f8"), hdu.header


def file_of(cache, brick, product):
    return cache / brick / f"legacysurvey-{brick}-{product}.fits.fz"


def manifest(report, expected):
    table = pq.read_table(report / "assets_manifest.parquet")
    types = dict(zip(table.schema.names, map(str, table.schema.types)))
    numbers = ["files_expected", "files_present", "files_absent"]
    check(all(types[name] == "int32" for name in ["ok", *numbers]) and types["bytes"] == "int64", types)
    rows = table.to_pylist()
    with open(report / "assets_manifest.csv", newline="") as file:
        text = list(csv.DictReader(file))
    check(list(text[0]) == table.schema.names, table.schema.names)
    check([row["brickname"] for row in rows] == expected, "bricks", expected)
    for row, line in zip(rows, text, strict=True):
        check({key: "" if value is None else str(value) for key, value in row.items()} == line, row, line)
        check(row["ok"] == (row["state"] == "complete"), row)
    return rows


def close(ours, theirs, relative=1e-12, absolute=0.0):
    if ours is None or theirs is None or np.isnan(theirs):
        return ours is None and (theirs is None or np.isnan(theirs))
    return abs(ours - theirs) <= absolute + relative * abs(theirs)


def statistics(found, cache, brick):
    for ours in found["files"]:
        product = ours["product"]
        data, header = pixels(file_of(cache, brick, product))
        good = data[~np.isnan(data)]
        where = (brick, product)
        check(tuple(ours["shape"]) == data.shape, *where, ours["shape"])
        bits = header["BITPIX"]
        check(ours["dtype"] == {-32: "f4", -64: "f8", 32: "i4", 16: "i2", 8: "u1"}[bits], *where, ours["dtype"])
        check(ours["min"] == good.min() and ours["max"] == good.max(), *where, ours["min"], ours["max"])
        scale = np.abs(good).max()
        check(close(ours["mean"], good.mean(), 1e-10, 1e-13 * scale), *where, "mean", ours["mean"], good.mean())
        check(close(ours["std"], good.std(), 1e-10, 1e-13 * scale), *where, "std", ours["std"], good.std())
        middle = np.median(good)
        check(close(ours["median"], middle), *where, "median", ours["median"], middle)
        noise = np.median(np.abs(good - middle)) * 1.482602218505602
        check(close(ours["mad_sigma"], noise, 1e-9, 1e-15), *where, "MAD", ours["mad_sigma"], noise)
        check((ours["nan"], ours["zero"]) == (np.isnan(data).sum(), (good == 0).sum()), *where, "NaN, zero")
        rows, columns = data.shape
        ra, dec = WCS(header).all_pix2world((columns - 1) / 2, (rows - 1) / 2, 0)
        away = (ours["ra_deg"] - float(ra) + 180) % 360 - 180
        check(abs(away) < 1e-9 and abs(ours["dec_deg"] - float(dec)) < 1e-9, *where, "centre")
        if product.startswith("invvar"):
            sizes = file_of(cache, brick, product.replace("invvar", "psfsize"))
            width = np.median(pixels(sizes)[0]) if sizes.exists() else 1.4
            width = width if width > 0 else 1.4
            sigma = 1 / np.sqrt(np.median(good[good > 0]))
            area = 4 * np.pi * (width / 0.262 / np.sqrt(8 * np.log(2))) ** 2
            depth = 22.5 - 2.5 * np.log10(5 * sigma * np.sqrt(area))
            check(close(ours["depth_5sigma"], depth, 1e-9), *where, "depth", ours["depth_5sigma"], depth)
        else:
            check(ours["depth_5sigma"] is None, *where)


class Bricks:
    """All images of a cache, and the stamps that come out of them."""

    def __init__(self, cache):
        self.cache, self.open = cache, {}
        self.boxes = {}
        for brick in sorted(path.name for path in cache.iterdir() if not path.name.startswith("_")):
            header = self.image(brick, "maskbits")[1]
            self.boxes[brick] = [header[key] for key in ("RAMIN", "RAMAX", "DECMIN", "DECMAX")]

    def image(self, brick, product):
        if (brick, product) not in self.open:
            path = file_of(self.cache, brick, product)
            data, header = pixels(path) if path.exists() else (None, None)
            self.open[brick, product] = (data, header, WCS(header) if header else None)
        return self.open[brick, product]

    def at(self, ra, dec):
        for brick, (west, east, south, north) in self.boxes.items():
            if (ra - west) % 360 < (east - west) % 360 and south <= dec < north:
                return brick
        return None

    def stamp(self, brick, ra, dec, size, products, across=True):
        """Pixels by product, whether all are there, and the first pixel."""
        planes, complete, origin = {}, True, None
        for product in products:
            data, header, wcs = self.image(brick, product)
            if origin is None:
                # The coordinates of the first product hold for all.
                first = wcs
                x, y = (float(v) for v in wcs.all_world2pix(ra, dec, 0))
                origin = [int(np.rint(v)) - size // 2 for v in (x, y)]
            out = np.zeros((size, size), "f4")
            here = np.zeros((size, size), bool)
            for row in range(size):
                for column in range(size):
                    i, j = origin[1] + row, origin[0] + column
                    if 0 <= i < data.shape[0] and 0 <= j < data.shape[1]:
                        out[row, column], here[row, column] = data[i, j], True
            if across:
                for row, column in np.argwhere(~here):
                    sky = [float(v) for v in first.all_pix2world(origin[0] + column, origin[1] + row, 0)]
                    other = self.at(*sky)
                    if other is None or self.image(other, product)[0] is None:
                        continue
                    data, _, wcs = self.image(other, product)
                    j, i = (int(np.rint(float(v))) for v in wcs.all_world2pix(*sky, 0))
                    if 0 <= i < data.shape[0] and 0 <= j < data.shape[1]:
                        out[row, column], here[row, column] = data[i, j], True
            complete &= bool(here.all())
            planes[product] = out
        return planes, complete, origin


def same(planes, path):
    with np.load(path) as stamps:
        check(sorted(stamps) == sorted(p.replace("-", "_") for p in planes), path, list(stamps))
        for product, expected in planes.items():
            ours = stamps[product.replace("-", "_")]
            check(ours.dtype == np.float32 and ours.shape == expected.shape, path, ours.dtype, ours.shape)
            differ = np.argwhere(ours != expected)
            check(len(differ) == 0, path, product, "differs at", differ[:5].tolist())


def same_fits(planes, path, ra, dec, size):
    with fits.open(path, checksum=True) as file:
        check([hdu.name for hdu in file[1:]] == list(planes), path, [hdu.name for hdu in file])
        for hdu, (product, expected) in zip(file[1:], planes.items(), strict=True):
            check(np.array_equal(hdu.data, expected) and hdu.header["BITPIX"] == -32, path, product)
            x, y = (float(v) for v in WCS(hdu.header).all_world2pix(ra, dec, 0))
            check(abs(x - size // 2) <= 0.5 + 1e-6 and abs(y - size // 2) <= 0.5 + 1e-6, path, product, x, y)
            check("ZCMPTYPE" not in hdu.header and hdu.header["BRICKNAM"] in path.name, path, repr(hdu.header))


def picture(path):
    """A PNG of eight bits and three colours, by hand."""
    data, at, stream = path.read_bytes(), 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        check(zlib.crc32(kind + body) == struct.unpack(">I", data[at + 8 + length:at + 12 + length])[0], path, kind)
        if kind == b"IHDR":
            width, height, depth, colours, *_ = struct.unpack(">IIBBBBB", body)
            check((depth, colours) == (8, 2), path, depth, colours)
        elif kind == b"IDAT":
            stream += body
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(stream), "u1").reshape(height, 1 + 3 * width).astype(int)
    out = np.zeros((height + 1, 3 * width + 3), int)
    for row, line in enumerate(lines):
        for column, value in enumerate(line[1:]):
            left, up, corner = out[row + 1, column], out[row, column + 3], out[row, column]
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda v: abs(guess - v))
            add = [0, left, up, (left + up) // 2, paeth][line[0]]
            out[row + 1, column + 3] = (value + add) % 256
    return out[1:, 3:].reshape(height, width, 3)


def same_picture(planes, path):
    blue, green, red = (planes[f"image-{band}"].astype("f8") for band in BANDS)
    expected = make_lupton_rgb(red, green, blue, stretch=0.05, Q=8)[::-1]
    ours = picture(path)
    check(ours.shape == expected.shape, path, ours.shape)
    worst = np.abs(ours - expected.astype(int)).max()
    check(worst <= 1 and (ours != expected).mean() < 1e-3, path, "differs by", worst, (ours != expected).mean())
    check(len(np.unique(ours)) > 20, path, "shows nothing")


def stamps(program, cache, work):
    bricks = Bricks(cache)
    images = [f"image-{band}" for band in BANDS]
    everything = [f"{kind}-{band}" for band in BANDS for kind in ("image", "invvar")] + ["maskbits"]
    # In the middle, at edges, at the corner where bricks meet at RA 0 and one of them has no r, at the edge of all.
    places = [
        ("3598p000", 359.89, 0.03, 15, 0),
        ("0001p000", 0.11, -0.02, 16, 0),
        ("3598p000", 359.9999, 0.06, 24, 0),
        ("0001p000", 0.0002, 0.1249, 33, 66),
        ("0001p000", 0.2499, -0.1249, 20, 0),
        ("0003m002", 0.49, -0.25, 31, 66),
        ("3596m002", 359.52, -0.37, 20, 66),
    ]
    for number, (brick, ra, dec, size, code) in enumerate(places):
        check(bricks.at(ra, dec) == brick, brick, ra, dec)
        base = work / f"{brick}_{number}"
        files = [f"--{kind}={base}.{kind}" for kind in ("npz", "fits", "png")]
        report = run(program, "--cache", cache, f"--ra={ra}", f"--dec={dec}", "--size", size, *files, code=code)
        planes, complete, _ = bricks.stamp(brick, ra, dec, size, images)
        check(complete == (code == 0), brick, "complete", complete)
        check(report["counts"].get("done", 0) == int(complete), report["counts"])
        same(planes, f"{base}.npz")
        same_fits(planes, pathlib.Path(f"{base}.fits"), ra, dec, size)
        same_picture(planes, pathlib.Path(f"{base}.png"))
        # All products, and the brick alone.
        args = ["--cache", cache, f"--ra={ra}", f"--dec={dec}", "--size", size, "--all-products", "--one-brick"]
        planes, complete, _ = bricks.stamp(brick, ra, dec, size, everything, across=False)
        run(program, *args, "--npz", f"{base}.all.npz", code=0 if complete else 66)
        same(planes, f"{base}.all.npz")

    # Many positions in any order, two of them in a brick that the catalogue names.
    rng = np.random.default_rng(5)
    rows = []
    while len(rows) < 60:
        ra, dec = rng.uniform(-0.45, 0.45) % 360, rng.uniform(-0.3, 0.3)
        brick = bricks.at(ra, dec)
        if brick and all(bricks.image(brick, product)[0] is not None for product in images):
            rows.append([f"s{len(rows)}", ra, dec, brick if len(rows) % 3 == 0 else ""])
    # Just beyond the edge of 3598p000, from whose overlap it is cut.
    rows.append(["overlap", 0.004, 0.0013, "3598p000"])
    with open(work / "list.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["name", "ra", "dec", "brickname"])
        out.writerows(rows)
    wanted = {name: bricks.stamp(brick or bricks.at(ra, dec), ra, dec, 12, images) for name, ra, dec, brick in rows}
    whole = all(complete for _, complete, _ in wanted.values())
    args = ["--cache", cache, "--list", work / "list.csv", "--size", 12, "--out", work / "stamps"]
    run(program, *args, code=0 if whole else 66)
    with open(work / "stamps" / "stamps.csv", newline="") as file:
        index = {row["name"]: row for row in csv.DictReader(file)}
    check(list(index) == [row[0] for row in rows], "the index has the rows of the list, in its order")
    for name, ra, dec, brick in rows:
        planes, complete, origin = wanted[name]
        same(planes, work / "stamps" / f"{name}.npz")
        row = index[name]
        check(row["brickname"] == (brick or bricks.at(ra, dec)), row)
        check([int(row["x0"]), int(row["y0"])] == origin and row["cutout_ok"] == str(int(complete)), row, origin)


def main():
    parser = argparse.ArgumentParser()
    for name in ("coadd-cache", "cutout", "tree", "work"):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=True)
    parser.add_argument("--real", type=pathlib.Path)
    args = parser.parse_args()
    work = args.work.resolve()
    cache, program = work / "cache", args.coadd_cache.resolve()
    asked = "3596m002 0001m002 0003m002 3598p000 0001p000 0003p000 3598p002 0001p002 0003p002 1498p022 1501p022 1503p022"
    asked = asked.split()
    fill = ["fill", "--bricks", ",".join(asked), "--source", args.tree, "--cache", cache, "--psfsize"]
    # A brick of the tree is damaged.
    run(program, *fill, "--report", work / "report", code=65)
    rows = {row["brickname"]: row for row in manifest(work / "report", asked)}
    for brick, row in rows.items():
        files = [path for path in (cache / brick).glob("*.fits.fz")]
        check(row["files_present"] == len(files), row, files)
        check(row["bytes"] == sum(path.stat().st_size for path in files), row)
        marker = cache / brick / "_SUCCESS"
        check(marker.exists() == (row["state"] == "complete"), row)
        if marker.exists():
            for file in json.loads(marker.read_text())["files"]:
                path = cache / brick / file["name"]
                check(hashlib.sha256(path.read_bytes()).hexdigest() == file["sha256"], file)
                # No sum that a file carries is wrong.
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    warnings.simplefilter("ignore", FITSFixedWarning)
                    fits.open(path, checksum=True, disable_image_compression=True).close()
    for brick in ("0001p000", "3598p002"):
        statistics(run(program, "stats", "--cache", cache, "--brick", brick), cache, brick)
    stamps(args.cutout.resolve(), cache, work)
    if args.real:
        brick, real = "0959p805", work / "real"
        (real / brick).mkdir(parents=True)
        for product in ("image-g", "invvar-g"):
            shutil.copy(args.real / f"legacysurvey-{brick}-{product}.fits.fz", real / brick)
        # It comes without a mask.
        found = run(program, "stats", "--cache", real, "--brick", brick, "--bands", "g", code=66)
        check([ours["product"] for ours in found["files"]] == ["image-g", "invvar-g"], found["files"])
        statistics(found, real, brick)
        data, header = pixels(file_of(real, brick, "image-g"))
        for ra, dec in ((95.95, 80.5), (95.3, 80.44)):
            path = work / f"real-{ra}.npz"
            run(args.cutout.resolve(), "--cache", real, f"--ra={ra}", f"--dec={dec}", "--size", 101, "--bands", "g",
                "--npz", path)
            x, y = (int(np.rint(float(v))) - 50 for v in WCS(header).all_world2pix(ra, dec, 0))
            same({"image-g": data[y:y + 101, x:x + 101].astype("f4")}, path)
    print(checks, "checks")


if __name__ == "__main__":
    main()
