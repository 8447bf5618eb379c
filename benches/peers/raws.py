"""Looks into one raw exposure, as a pipeline does that starts a Python for each file.

    raws.py astropy|fitsio LAST|all FILE       the data of the extensions 1 to LAST, or of all

Prints whole=1 if all of them could be read.
"""

import sys


def main():
    reader, last, path = sys.argv[1:]
    if reader == "astropy":
        from astropy.io import fits

        with fits.open(path) as file:
            count = len(file) if last == "all" else int(last) + 1
            for number in range(1, count):
                file[number].data  # noqa: B018 (it is read here)
    else:
        import fitsio

        with fitsio.FITS(path) as file:
            count = len(file) if last == "all" else int(last) + 1
            for number in range(1, count):
                file[number].read()
    print("whole=1")


main()
