"""Compares trees of miniature coadds with the pixels they were made of: coadds.py DIR...

Each DIR holds the tree and, for every file, {brick}-{product}.raw: the pixels in little-endian order, int32 for maskbits,
float32 for all others.
"""

import pathlib
import sys
import warnings

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

NOISE = {"g": 0.006, "r": 0.009, "z": 0.02}

warnings.simplefilter("error")
warnings.simplefilter("ignore", FITSFixedWarning)
trees = [pathlib.Path(name) for name in sys.argv[1:]]
count = 0
for root, path in [(root, path) for root in trees for path in sorted(root.rglob("*.fits.fz"))]:
    brick, product = path.name.removeprefix("legacysurvey-").removesuffix(".fits.fz").split("-", 1)
    kind, _, band = product.partition("-")
    raw = np.fromfile(root / f"{brick}-{product}.raw", "<i4" if kind == "maskbits" else "<f4")
    # With checksum=True a wrong sum is a warning, which is an error here.
    with fits.open(path, checksum=True, disable_image_compression=True) as plain:
        for hdu in plain:
            assert "CHECKSUM" in hdu.header and "DATASUM" in hdu.header, (path, hdu.name)
    with fits.open(path) as file:
        header, data = file[1].header, file[1].data
        side = data.shape[0]
        expected = raw.reshape(side, side)
        if kind in ("maskbits", "psfsize"):
            assert np.array_equal(data, expected), (path, np.argwhere(data != expected)[:5])
        else:
            step = NOISE[band] / 16 if kind == "image" else 1 / (NOISE[band] ** 2 * 4000)
            worst = np.abs(data.astype("f8") - expected).max()
            slack = 1e-6 * np.abs(expected).max()
            assert worst <= 0.5 * step + slack, (path, worst, step)
            assert np.array_equal(data == 0, np.abs(expected) <= 0.5 * step) or kind == "image", path
            assert (data[:, 2] == 0).all() and (data != 0).mean() > 0.9, path
            assert np.abs(data).max() > 10 * step and np.unique(data).size > 20, path
        if kind == "maskbits":
            assert [h.name for h in file[1:]] == ["MASKBITS", "WISEM1", "WISEM2"], path
            assert data.dtype == ">i4" or data.dtype == "int32", data.dtype
            assert np.array_equal(file[2].data, (expected >> 1) & 1), path
            assert (data & 2).any() and (data & 4).any() and (data & 1).any() and not data.all(), path
            # NPRIMARY against the edges in the header.
            y, x = np.mgrid[:side, :side]
            ra, dec = WCS(header).all_pix2world(x, y, 0)
            centre = header["CRVAL1"]
            away = (ra - centre + 180) % 360 - 180
            low, high = header["RAMIN"] - centre, header["RAMAX"] - centre
            inside = (away >= low) & (away < high) & (dec >= header["DECMIN"]) & (dec < header["DECMAX"])
            edge = np.minimum(np.abs(away - low), np.abs(away - high))
            edge = np.minimum(edge, np.minimum(np.abs(dec - header["DECMIN"]), np.abs(dec - header["DECMAX"])))
            clear = edge > 1e-9
            assert np.array_equal(inside[clear], (data & 1)[clear] == 0), path
        if band:
            assert header["FILTER"] == band and header["BRICKNAM"] == brick
    count += 1
print(count, "files")
