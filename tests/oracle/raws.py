"""Compares what raw-archive says of raw exposures with what astropy and fitsverify say.

    raws.py --raw-archive PROGRAM --work DIR [--fitsverify PROGRAM]

Simulated exposures as the project's own writer makes them, whole, cut, and with single bytes changed. astropy opens
each HDU with its checksums and reads its data.
"""

import argparse
import hashlib
import json
import pathlib
import random
import shutil
import subprocess
import sys
import warnings

import numpy as np
from astropy.io import fits

checks = 0


def check(ok, *what):
    global checks
    checks += 1
    if not ok:
        sys.exit("raws.py: " + " ".join(str(part) for part in what))


def run(program, *args):
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    if done.returncode not in (0, 65):
        sys.exit(f"raws.py: {args}: exit code {done.returncode}: {done.stderr}")
    return done


def whole_by_astropy(path):
    """Whether every HDU opens with the sums that it says and gives its pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Files that astropy gives up on are closed with the process.
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            with fits.open(path, checksum=True, memmap=False) as file:
                count = 0
                for hdu in file:
                    # The sums of a compressed image are those of its table.
                    if hdu.data is not None:
                        hdu.data.sum()
                    count += 1
            return count == 71
        except Exception:
            return False


def whole_by_fitsverify(program, path):
    said = subprocess.run([program, "-q", str(path)], capture_output=True, text=True).stdout
    return "verification OK" in said


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--raw-archive", required=True)
    parser.add_argument("--fitsverify")
    parser.add_argument("--work", required=True, type=pathlib.Path)
    args = parser.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    run(args.raw_archive, "miniature", args.work, "--exposures", 3, "--size", "64,48", "--quiet")
    raws = args.work / "archive"
    whole = sorted(raws.glob("*.fits.fz"))
    check(len(whole) == 3, "exposures", whole)

    # The list is right, and the camera is DECam as its users know it.
    listed = (args.work / "raws.csv").read_text().splitlines()[1:]
    for line, path in zip(listed, whole):
        name, _, md5, size = line.split(",")
        body = path.read_bytes()
        check((name, md5, int(size)) == (path.name, hashlib.md5(body).hexdigest(), len(body)), line)
    with fits.open(whole[0]) as file:
        names = {hdu.name for hdu in file[1:]}
        ccds = {f"{side}{n}" for side in "NS" for n in range(1, 32)}
        focus = {f"F{side}{n}" for side in "NS" for n in range(1, 5)}
        check(names == ccds | focus and len(file) == 71, "extensions", sorted(names))
        check(all(hdu.data.dtype == np.uint16 for hdu in file[1:]), "types of pixels")
        check(file["N4"].data.shape == (48, 64) and file["FN4"].data.shape == (24, 64), "shapes")
        check(all(hdu.compression_type == "RICE_1" for hdu in file[1:]), "codec")

    # Single bytes changed, and cuts.
    choose = random.Random(20261126)
    body = whole[0].read_bytes()
    for k in range(60):
        at = choose.randrange(len(body))
        changed = bytearray(body)
        changed[at] ^= 1 << choose.randrange(8)
        (raws / f"flip-{k:02}-{at}.fits.fz").write_bytes(changed)
    for k in range(20):
        at = choose.randrange(1, len(body))
        (raws / f"cut-{k:02}-{at}.fits.fz").write_bytes(body[:at])

    said = run(args.raw_archive, "check", raws, "--json")
    report = json.loads(said.stdout.splitlines()[-1])
    corrupt = {failure["item"] for failure in report["failures"]}
    paths = sorted(raws.glob("*.fits.fz"))
    check(report["counts"]["done"] + report["counts"]["corrupt"] == len(paths), report["counts"])
    agreed = {"astropy": 0, "fitsverify": 0}
    for path in paths:
        ours = path.name not in corrupt
        check(ours == (path in whole), path.name, "whole by us:", ours)
        theirs = {"astropy": whole_by_astropy(path)}
        if args.fitsverify:
            theirs["fitsverify"] = whole_by_fitsverify(args.fitsverify, path)
        for name, verdict in theirs.items():
            agreed[name] += verdict == ours
            # What another finds damaged, we do; and what we call whole, all do.
            check(verdict or not ours, path.name, "is damaged by", name, "and whole by us")
    print(f"{checks} checks; of {len(paths)} verdicts agree: {agreed}")


main()
