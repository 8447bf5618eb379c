"""The Python readers: digests of compressed images, and sums of small files.

    image_readers.py astropy|fitsio decode STEP FILE           every STEP-th pixel of the image in the second HDU
    image_readers.py astropy|fitsio cutouts STEP FILE SIZE N   every STEP-th pixel of N squares at random places
    image_readers.py astropy|fitsio sums FILE...               HDUs whose DATASUM and CHECKSUM are right

A digest is the sum of the pixels, each times its place.
"""

import sys
import warnings


class Digest:
    def __init__(self, step):
        self.step, self.sum, self.place = step, 0, 0

    def add(self, pixels):
        import numpy as np

        flat = np.ascontiguousarray(pixels, dtype="f4" if pixels.dtype.kind == "f" else "i4").ravel()
        first = -self.place % self.step
        some = flat[first :: self.step].copy()
        if some.dtype.kind == "f":
            some[np.isnan(some)] = np.nan  # all NaNs are one
        places = np.arange(self.place + first, self.place + len(flat), self.step, dtype="u8")
        self.sum += int((some.view("u4").astype("u8") * (2 * places + np.uint64(1))).sum())
        self.place += len(flat)


def places(seed=12345):
    """A generator that is the same in every language."""
    while True:
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        yield seed >> 33


def decode(reader, path, digest):
    if reader == "astropy":
        from astropy.io import fits

        with fits.open(path) as file:
            digest.add(file[1].data)
    else:
        import fitsio

        digest.add(fitsio.read(path, ext=1))


def cutouts(reader, path, size, count, digest):
    if reader == "astropy":
        from astropy.io import fits

        hdu = fits.open(path)[1]
        rows, columns = hdu.shape
        hdu = hdu.section
    else:
        import fitsio

        hdu = fitsio.FITS(path)[1]
        rows, columns = hdu.get_dims()
    place = places()
    for _ in range(count):
        x, y = next(place) % (columns - size), next(place) % (rows - size)
        digest.add(hdu[y : y + size, x : x + size])


def sums(reader, paths):
    right = 0
    if reader == "astropy":
        from astropy.io import fits

        for path in paths:
            with warnings.catch_warnings(record=True) as complaints:
                warnings.simplefilter("always")
                with fits.open(path, checksum=True, disable_image_compression=True) as file:
                    right += len([hdu.header for hdu in file])
                right -= len(complaints)
    else:
        import fitsio

        for path in paths:
            with fitsio.FITS(path) as file:
                for hdu in file:
                    hdu.read_header()
                    found = hdu.verify_checksum()
                    right += found is None or (found.get("datastatus"), found.get("hdustatus")) == (1, 1)
    return right


def main():
    match sys.argv[1:]:
        case ["astropy" | "fitsio" as reader, "decode", step, path]:
            digest = Digest(int(step))
            decode(reader, path, digest)
            answer = digest.sum % 2**64
        case ["astropy" | "fitsio" as reader, "cutouts", step, path, size, count]:
            digest = Digest(int(step))
            cutouts(reader, path, int(size), int(count), digest)
            answer = digest.sum % 2**64
        case ["astropy" | "fitsio" as reader, "sums", *paths] if paths:
            answer = sums(reader, paths)
        case _:
            sys.exit(__doc__)
    print(f"digest={answer}")


if __name__ == "__main__":
    main()
