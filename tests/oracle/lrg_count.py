"""Recounts the luminous red galaxies of sweep files with astropy and numpy, and compares with lrg-density.

    lrg_count.py --binary lrg-density --work DIR SWEEP...

Every preset, as stored and dereddened, over the whole files and in boxes on the sky: the count of each brick, the
rows and the selection of each file, and what each clause of the cut leaves.
"""

import argparse
import collections
import csv
import json
import pathlib
import subprocess
import sys

import numpy as np
from astropy.io import fits

# Faintest z magnitude, bluest r - z, bluest z - W1: all strict.
PRESETS = {
    "v1": (20.0, 0.5, 1.6),
    "v2": (20.4, 0.4, 1.6),
    "v3": (20.4, 0.4, 0.8),
    "v4": (21.0, 0.4, 0.8),
    "v5": (21.5, 0.3, 0.8),
}

# Edges belong to the box. One lies across Dec 0, one across RA 0, and the last holds nothing.
BOXES = [
    {},
    {"ra-min": 0.0, "ra-max": 1.3, "dec-min": -1.1, "dec-max": 0.9},
    {"ra-min": 359.1, "ra-max": 0.6, "dec-min": -0.7},
    {"ra-min": 358.25},
    {"dec-max": -0.5},
    {"ra-min": 100.0, "ra-max": 110.0},
]


def magnitude(table, band, deredden):
    flux = table[f"FLUX_{band}"].astype("f8")
    if deredden:
        flux = flux / table[f"MW_TRANSMISSION_{band}"].astype("f8")
    with np.errstate(all="ignore"):
        # No magnitude without a positive flux, and no comparison holds for NaN.
        return np.where(flux > 0, 22.5 - 2.5 * np.log10(flux), np.nan)


def recount(tables, preset, deredden, box):
    """Counts per brick, selected per file, and what each clause keeps of the rows in the box."""
    faintest, r_z, z_w1 = PRESETS[preset]
    bricks, per_file, kept = collections.Counter(), [], np.zeros(4, int)
    for table in tables:
        ra, dec = table["RA"], table["DEC"]
        west, east = box.get("ra-min", -np.inf), box.get("ra-max", np.inf)
        ok = (ra >= west) & (ra <= east) if west <= east else (ra >= west) | (ra <= east)
        ok &= (dec >= box.get("dec-min", -np.inf)) & (dec <= box.get("dec-max", np.inf))
        r, z, w1 = (magnitude(table, band, deredden) for band in ("R", "Z", "W1"))
        steps = [ok.sum()]
        for clause in (z < faintest, r - z > r_z, z - w1 > z_w1):
            ok = ok & clause
            steps.append(ok.sum())
        kept += steps
        bricks.update(np.char.strip(table["BRICKNAME"][ok].astype(str)).tolist())
        per_file.append(int(ok.sum()))
    return bricks, per_file, kept.tolist()


def run(binary, work, sweeps, preset, deredden, box):
    out = work / "python.csv"
    report = work / "python.report.json"
    for path in (out, report):
        path.unlink(missing_ok=True)
    options = [f"--{name}={value}" for name, value in box.items()] + ["--deredden"] * deredden
    command = [binary, "count", *sweeps, "--variant", preset, *options, "--out", out]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    with open(out, newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows, json.loads(report.read_text())


def differences(ours, expected, tables):
    header, rows, report = ours
    bricks, per_file, kept = expected
    if header != ["brickname", "lrg_count"]:
        yield f"header {header}"
    if rows != sorted([name, str(count)] for name, count in bricks.items()):
        ours = {name: int(count) for name, count in rows}
        names = sorted(n for n in bricks.keys() | ours.keys() if bricks.get(n, 0) != ours.get(n, 0))
        yield f"{len(names)} bricks differ (or their order): {[(n, ours.get(n), bricks.get(n)) for n in names[:5]]}"
    if [f["rows"] for f in report["files"]] != [len(t) for t in tables]:
        yield f"rows of the files {[f['rows'] for f in report['files']]}"
    if [f["selected"] for f in report["files"]] != per_file:
        yield f"selected of the files {[f['selected'] for f in report['files']]}, not {per_file}"
    if (report["rows"], report["selected"]) != (sum(len(t) for t in tables), sum(per_file)):
        yield f"totals {report['rows']} {report['selected']}"
    if any(f["error"] is not None for f in report["files"]) or report["exit_code"] != 0:
        yield "errors in the report"
    flow = report["cutflow"]
    if [step["kept"] for step in flow][-3:] != kept[1:]:
        yield f"the clauses keep {[(s['clause'], s['kept']) for s in flow]}, not {kept[1:]} of {kept[0]}"
    if flow and flow[-3]["in"] != kept[0]:
        yield f"{flow[-3]['in']} rows reach the cut, not {kept[0]}"
    for before, after in zip(flow, flow[1:]):
        if before["kept"] != after["in"]:
            yield f"rows are lost between {before['clause']} and {after['clause']}"
    if any(step["in"] - step["kept"] != step["lost"] for step in flow):
        yield "in, kept and lost do not add up"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("sweeps", nargs="+")
    args = parser.parse_args()
    tables = [fits.getdata(path, 1) for path in args.sweeps]
    compared = failed = selected = 0
    for preset in PRESETS:
        for deredden in (False, True):
            for box in BOXES:
                expected = recount(tables, preset, deredden, box)
                ours = run(args.binary, args.work, args.sweeps, preset, deredden, box)
                wrong = list(differences(ours, expected, tables))
                compared += 1
                failed += bool(wrong)
                selected += sum(expected[1])
                for what in wrong:
                    print(f"{preset} {'dereddened' if deredden else 'as stored'} {box}: {what}", file=sys.stderr)
    print(f"{compared} runs compared, {selected} galaxies recounted, {failed} runs differ")
    return 1 if failed or not selected else 0


if __name__ == "__main__":
    sys.exit(main())
