"""Coverage maps and HEALPix numbers of coaddkit-sky against mocpy (that is, the moc crate) and healpy.

    sky.py DIR [FILE...]

DIR holds maps `NAME.cells`, each as `NAME.nuniq.fits`, `NAME.range.fits` and `NAME.json` too, and `numbers.csv`. All of them
are read and compared. Then mocpy writes them, some of its own, and reads the FILEs; `theirs.csv` lists what must come
out: a file, and the cells that mocpy sees in it.

Cells are one line with the order, then a line `start end` for each range of order-29 numbers.
"""

import pathlib
import sys
import warnings

import healpy
import numpy as np
from astropy import units as u
from astropy.coordinates import Latitude, Longitude, SkyCoord
from mocpy import MOC

warnings.simplefilter("ignore")


def cells(moc):
    ranges = "".join(f"{start} {end}\n" for start, end in np.asarray(moc.to_depth29_ranges, dtype=np.uint64))
    return f"{moc.max_order}\n{ranges}"


def load(path):
    return MOC.load(str(path), format="json" if path.suffix == ".json" else "fits")


def check(path, expected):
    found = cells(load(path))
    if found != expected:
        sys.exit(f"{path}: mocpy reads {found[:200]!r}, expected {expected[:200]!r}")


def numbers(path):
    """Order, nested number, ring number, eight neighbours (-1: none), centre."""
    rows = 0
    for line in path.read_text().splitlines():
        order, nested, ring, *rest = line.split(",")
        order, nested, ring = int(order), int(nested), int(ring)
        nside = 1 << order
        if healpy.nest2ring(nside, nested) != ring or healpy.ring2nest(nside, ring) != nested:
            sys.exit(f"{line}: healpy's ring number is {healpy.nest2ring(nside, nested)}")
        neighbours = healpy.get_all_neighbours(nside, nested, nest=True).tolist()
        if [int(number) for number in rest[:8]] != neighbours:
            sys.exit(f"{line}: healpy's neighbours are {neighbours}")
        lon, lat = healpy.pix2ang(nside, nested, nest=True, lonlat=True)
        apart = healpy.rotator.angdist([float(rest[8]), float(rest[9])], [lon, lat], lonlat=True)
        if np.degrees(apart).item() > 2e-7 or abs(float(rest[9]) - lat) > 1e-11:
            sys.exit(f"{line}: healpy's centre is {lon} {lat}")
        rows += 1
    return rows


def main():
    work, files = pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]]
    theirs = []

    def write(name, moc, expected):
        (work / f"{name}.expected").write_text(expected)
        for suffix, options in [
            ("range.fits", {"format": "fits"}),
            ("nuniq.fits", {"format": "fits", "v1_compatible": True}),
            ("json", {"format": "json"}),
        ]:
            path = work / f"{name}.theirs.{suffix}"
            moc.save(str(path), overwrite=True, **options)
            theirs.append((path, work / f"{name}.expected"))

    maps = sorted(work.glob("*.cells"))
    for path in maps:
        expected = path.read_text()
        for suffix in [".nuniq.fits", ".range.fits", ".json"]:
            check(path.with_suffix(suffix), expected)
        write(path.stem, load(path.with_suffix(".range.fits")), expected)
    rng = np.random.default_rng(5)
    for i in range(40):
        order = int(rng.integers(0, 13))
        lon, lat = Longitude(rng.uniform(0, 360), u.deg), Latitude(np.arcsin(rng.uniform(-1, 1)), u.rad)
        moc = MOC.from_cone(lon=lon, lat=lat, radius=170 * rng.uniform() / 2**order * u.deg, max_depth=order)
        if i % 2:
            moc = moc.complement()
        if i % 3 == 0:
            corners = SkyCoord([lon.deg + x for x in (0, 9, 5)], np.clip(lat.deg + np.array([0, 1, 9]), -89, 89), unit="deg")
            moc = moc.union(MOC.from_polygon_skycoord(corners, max_depth=min(order, 9)))
        write(f"mocpy{i}", moc, cells(moc))
    for i, path in enumerate(files):
        expected = work / f"real{i}.expected"
        expected.write_text(cells(load(path)))
        theirs.append((path, expected))
    (work / "theirs.csv").write_text("".join(f"{path},{expected}\n" for path, expected in theirs))
    rows = numbers(work / "numbers.csv")
    print(f"mocpy reads {3 * len(maps)} files as they were written; healpy agrees on {rows} cells")


main()
