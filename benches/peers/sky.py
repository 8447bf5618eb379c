"""The other tools for positions: cells, bricks, exclusion and pairs, over the columns that `peer-sky generate` writes.

    sky.py WORK TOOL DIR
    sky.py to-fits DIR
    sky.py versions

A run prints `answer=`, the size of the result followed by nine digits of its checksum, and `kernel_cpu=` and
`kernel_wall=`, the seconds of the work alone: medians of as many repetitions as fit into a second, after one that is not counted unless it takes a
second itself. STILTS is another process: its seconds are those of the whole process, from FITS to FITS.
"""

import importlib.metadata
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ORDER = 7
SECOND = 1.0
EXCLUSION_DEG = 11 / 3600
PAIR_DEG = 1 / 3600


def columns(folder, name):
    return [np.fromfile(folder / f"{name}.{coordinate}", "<f8") for coordinate in ("ra", "dec")]


def timed(work):
    """The result, and the medians of CPU and wall seconds."""
    cpu, wall = [], []

    def once():
        before, start = time.process_time(), time.perf_counter()
        result = work()
        cpu.append(time.process_time() - before)
        wall.append(time.perf_counter() - start)
        return result

    result = once()
    if wall[0] < SECOND:
        cpu.clear()
        wall.clear()
        start = time.perf_counter()
        while not cpu or time.perf_counter() - start < SECOND:
            result = once()
    return result, np.median(cpu), np.median(wall)


def show(count, checksum, cpu, wall):
    print(f"answer={count}{int(checksum) % 1_000_000_000:09} kernel_cpu={cpu} kernel_wall={wall}")


def of_list(numbers):
    """A checksum in which the place of a number counts."""
    numbers = numbers.astype("u8")
    return np.sum(np.arange(1, len(numbers) + 1, dtype="u8") * numbers)


def of_pairs(left, right):
    """The same for the same set of pairs in any order."""
    return np.sum((np.asarray(left).astype("u8") + np.uint64(1)) * (np.asarray(right).astype("u8") + np.uint64(1)))


def unit(ra, dec):
    ra, dec = np.radians(ra), np.radians(dec)
    cosine = np.cos(dec)
    return np.column_stack([cosine * np.cos(ra), cosine * np.sin(ra), np.sin(dec)])


def chord(radius_deg):
    return 2 * np.sin(np.radians(radius_deg) / 2)


def cells(tool, folder):
    ra, dec = columns(folder, "points")
    if tool == "healpy":
        import healpy

        def work():
            return healpy.ang2pix(1 << ORDER, ra, dec, lonlat=True, nest=True)
    elif tool == "astropy_healpix":
        import astropy.units as u
        from astropy_healpix import HEALPix

        grid = HEALPix(1 << ORDER, order="nested")

        def work():
            return grid.lonlat_to_healpix(ra * u.deg, dec * u.deg)
    elif tool == "cdshealpix":
        import astropy.units as u
        import cdshealpix
        from astropy.coordinates import Latitude, Longitude

        # The objects are made beforehand: the figure is the tool's own.
        lon, lat = Longitude(ra * u.deg), Latitude(dec * u.deg)

        def work():
            return cdshealpix.nested.lonlat_to_healpix(lon, lat, np.uint8(ORDER), num_threads=1)
    else:
        sys.exit(__doc__)
    found, cpu, wall = timed(work)
    show(len(found), of_list(found), cpu, wall)


def bricks(work, tool, folder):
    from desiutil.brick import Bricks

    if tool != "desiutil":
        sys.exit(__doc__)
    grid = Bricks()
    ra, dec = columns(folder, "points")
    if work == "brick-ids":
        found, cpu, wall = timed(lambda: grid.brickid(ra, dec))
    else:
        found, cpu, wall = timed(lambda: grid.brickname(ra, dec))
        found = found.astype("S8").view("<u8")
    show(len(found), of_list(found), cpu, wall)


def exclusion(tool, folder):
    ra, dec = columns(folder, "galaxies")
    lens_ra, lens_dec = columns(folder, "lenses")
    reach = chord(EXCLUSION_DEG)
    if tool == "scipy":
        from scipy.spatial import cKDTree

        def work():
            distance, _ = cKDTree(unit(lens_ra, lens_dec)).query(unit(ra, dec), distance_upper_bound=reach)
            return np.isfinite(distance)
    elif tool == "healpy+pandas":
        import healpy
        import pandas

        nside = 8192

        def work():
            lenses = unit(lens_ra, lens_dec)
            discs = [
                healpy.query_disc(nside, lens, np.radians(EXCLUSION_DEG), inclusive=True, nest=True)
                for lens in lenses
            ]
            lens = np.repeat(np.arange(len(lenses)), [len(disc) for disc in discs])
            near = pandas.DataFrame({"cell": np.concatenate(discs), "lens": lens})
            cell = healpy.ang2pix(nside, ra, dec, lonlat=True, nest=True)
            both = pandas.DataFrame({"cell": cell, "galaxy": np.arange(len(ra))}).merge(near, on="cell")
            galaxy, lens = both["galaxy"].to_numpy(), both["lens"].to_numpy()
            apart = ((unit(ra[galaxy], dec[galaxy]) - lenses[lens]) ** 2).sum(axis=1)
            excluded = np.zeros(len(ra), bool)
            excluded[galaxy[apart <= reach * reach]] = True
            return excluded
    elif tool == "astropy":
        import astropy.units as u
        from astropy.coordinates import SkyCoord, search_around_sky

        def work():
            lenses, galaxies = SkyCoord(lens_ra, lens_dec, unit="deg"), SkyCoord(ra, dec, unit="deg")
            _, galaxy, _, _ = search_around_sky(lenses, galaxies, EXCLUSION_DEG * u.deg, storekdtree=False)
            excluded = np.zeros(len(ra), bool)
            excluded[galaxy] = True
            return excluded
    elif tool == "STILTS":
        found, cpu, wall = stilts(folder, "galaxies", "lenses", EXCLUSION_DEG, "all")
        hits = np.unique(found[0])
        return show(len(hits), of_list(hits), cpu, wall)
    else:
        sys.exit(__doc__)
    excluded, cpu, wall = timed(work)
    hits = np.flatnonzero(excluded)
    show(len(hits), of_list(hits), cpu, wall)


def pairs(work, tool, folder):
    ra, dec = columns(folder, "left")
    right_ra, right_dec = columns(folder, "right")
    reach = chord(PAIR_DEG)
    if tool == "astropy":
        import astropy.units as u
        from astropy.coordinates import SkyCoord, search_around_sky

        def run():
            left, right = SkyCoord(ra, dec, unit="deg"), SkyCoord(right_ra, right_dec, unit="deg")
            if work == "pairs":
                return search_around_sky(left, right, PAIR_DEG * u.deg, storekdtree=False)[:2]
            index, apart, _ = left.match_to_catalog_sky(right)
            near = np.flatnonzero(apart <= PAIR_DEG * u.deg)
            return near, index[near]
    elif tool == "scipy":
        from scipy.spatial import cKDTree

        def run():
            left, right = unit(ra, dec), cKDTree(unit(right_ra, right_dec))
            if work == "pairs":
                found = cKDTree(left).query_ball_tree(right, reach)
                return np.repeat(np.arange(len(ra)), [len(near) for near in found]), np.concatenate(found)
            distance, index = right.query(left, distance_upper_bound=reach)
            near = np.flatnonzero(np.isfinite(distance))
            return near, index[near]
    elif tool == "STILTS":
        found, cpu, wall = stilts(folder, "left", "right", PAIR_DEG, "all" if work == "pairs" else "best1")
        return show(len(found[0]), of_pairs(*found), cpu, wall)
    elif tool == "STILTS-start":
        # Tables of one row: what the process takes beside the work. The pair of the two is the answer.
        found, cpu, wall = stilts(folder, "one", "one", PAIR_DEG, "all")
        return show(len(found[0]), of_pairs(*found), cpu, wall)
    else:
        sys.exit(__doc__)
    found, cpu, wall = timed(run)
    show(len(found[0]), of_pairs(*found), cpu, wall)


def stilts(folder, left, right, radius_deg, find):
    """Rows on the left and on the right, and the seconds of the process."""
    from astropy.io import fits

    out = folder / "stilts.fits"
    argv = ["stilts", "-Xmx4g", "tmatch2", f"in1={folder / left}.fits", f"in2={folder / right}.fits"]
    argv += ["matcher=sky", f"params={radius_deg * 3600}", "values1=ra dec", "values2=ra dec", f"find={find}"]
    argv += ["join=1and2", "progress=none", "runner=sequential", "ocmd=keepcols 'i_1 i_2'", f"out={out}", "ofmt=fits-basic"]
    start = time.perf_counter()
    child = subprocess.Popen(argv)
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"stilts: exit {child.returncode}")
    table = fits.getdata(out, 1)
    found = [np.array(table[name]) for name in ("i_1", "i_2")]
    return found, usage.ru_utime + usage.ru_stime, wall


def to_fits(folder):
    from astropy.io import fits

    def write(name, ra, dec):
        rows = np.arange(len(ra), dtype="i4")
        table = [fits.Column("i", "J", array=rows), fits.Column("ra", "D", array=ra), fits.Column("dec", "D", array=dec)]
        fits.BinTableHDU.from_columns(table).writeto(folder / f"{name}.fits", overwrite=True)

    for name in ("galaxies", "lenses", "left", "right"):
        write(name, *columns(folder, name))
    write("one", np.zeros(1), np.zeros(1))


def versions():
    print("python", sys.version.split()[0])
    for package in ("numpy", "scipy", "pandas", "healpy", "astropy", "astropy_healpix", "cdshealpix", "desiutil"):
        try:
            print(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            pass


def main():
    match sys.argv[1:]:
        case ["versions"]:
            versions()
        case ["to-fits", folder]:
            to_fits(Path(folder))
        case ["cells", tool, folder]:
            cells(tool, Path(folder))
        case ["brick-ids" | "brick-names" as work, tool, folder]:
            bricks(work, tool, Path(folder))
        case ["exclusion", tool, folder]:
            exclusion(tool, Path(folder))
        case ["pairs" | "nearest" as work, tool, folder]:
            pairs(work, tool, Path(folder))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
