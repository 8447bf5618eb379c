"""Compares images that CFITSIO dithers with each of the 10,000 seeds, bit for bit, by both methods.

    dither.py --binary FITS_INFO --work DIR

python-fitsio (CFITSIO) writes and reads them; `fits-info --json --digest` reads them with coaddkit-fits.
"""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys

import fitsio
import numpy as np

SEEDS, PARTS = 10_000, 4


def write(path, method, seeds, rng):
    """One small image a seed; CFITSIO's digests of what it reads back, by HDU."""
    path.unlink(missing_ok=True)
    with fitsio.FITS(str(path), "rw") as out:
        for seed in seeds:
            pixels = rng.normal(size=(3, 40)).astype("f4")
            pixels[1, 5] = 0  # kept by the second method
            options = {"compress": "RICE", "tile_dims": (1, 40), "qlevel": -0.01}
            out.write(pixels, **options, qmethod=method, dither_seed=seed)
    with fitsio.FITS(str(path)) as images:
        wanted = {}
        for hdu in images[1:]:
            header, pixels = hdu.read_header(), hdu.read()
            assert (header["ZQUANTIZ"], header["ZDITHER0"]) == (method, seeds[len(wanted)])
            wanted[hdu.get_extnum()] = hashlib.sha256(pixels.astype(">f4").tobytes()).hexdigest()
    assert len(wanted) == len(seeds)
    return wanted


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binary", type=pathlib.Path, required=True)
    arguments.add_argument("--work", type=pathlib.Path, required=True)
    arguments = arguments.parse_args()
    rng = np.random.default_rng(3)
    images, wrong = 0, []
    for method in ("SUBTRACTIVE_DITHER_1", "SUBTRACTIVE_DITHER_2"):
        for part in range(PARTS):
            path = arguments.work / f"dither_{part}.fits"
            seeds = range(1 + part * SEEDS // PARTS, 1 + (part + 1) * SEEDS // PARTS)
            wanted = write(path, method, seeds, rng)
            command = [arguments.binary, "--json", "--digest", path]
            found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["hdus"]
            images += len(wanted)
            for (index, digest), seed in zip(wanted.items(), seeds):
                if found[index].get("sha256") != digest:
                    wrong.append(f"{method} {seed}")
            path.unlink()
    print(f"{images} dithered images, {len(wrong)} with other bits than CFITSIO's {' '.join(wrong[:9])}")
    return 1 if wrong else 0


sys.exit(main())
