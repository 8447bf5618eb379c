"""Recomputes manifests with astropy, healpy, hashlib and xxhash, and reads them with pyarrow, polars and DuckDB.

    manifests.py --injection BINARY --negatives BINARY --schemas DIR --config YAML --work DIR SWEEP...
"""

import argparse
import hashlib
import json
import math
import struct
import subprocess
from pathlib import Path

import duckdb
import healpy
import numpy as np
import polars
import pyarrow.parquet as pq
import xxhash
from astropy.io import fits

ARROW = {"text": "string", "bool": "bool", "int32": "int32", "int64": "int64", "float32": "float", "float64": "double"}
POLARS = {"text": "String", "bool": "Boolean", "int32": "Int32", "int64": "Int64", "float32": "Float32", "float64": "Float64"}
DUCKDB = {"text": "VARCHAR", "bool": "BOOLEAN", "int32": "INTEGER", "int64": "BIGINT", "float32": "FLOAT", "float64": "DOUBLE"}


def run(*argv):
    subprocess.run([str(word) for word in argv], check=True, stdout=subprocess.DEVNULL)


# The hash: docs/manifest-hash.md.
def text(value):
    value = value.encode()
    return struct.pack("<I", len(value)) + value


def integer(value):
    return struct.pack("<q", value)


def double(value):
    return struct.pack("<d", value + 0.0)


def single(value):
    return b"\0\0\xc0\x7f" if value is None or math.isnan(value) else struct.pack("<f", value + 0.0)


def H(seed, *parts):
    return xxhash.xxh3_64_intdigest(b"".join(parts), seed & (1 << 64) - 1)


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def u(value):
    return value % 1_000_000 / 1e6


def readers(path, schema):
    """All readers see the types of the schema, and the same values."""
    columns = json.loads((schema).read_text())
    kinds = {name: columns["properties"][name]["storage"] for name in columns["columns"]}
    table = pq.read_table(path)
    assert {f.name: str(f.type) for f in table.schema} == {n: ARROW[k] for n, k in kinds.items()}, path
    nullable = {name: "null" in columns["properties"][name] for name in kinds}
    assert {f.name: f.nullable for f in table.schema} == nullable, path
    frame = polars.read_parquet(path)
    assert {n: str(t) for n, t in frame.schema.items()} == {n: POLARS[k] for n, k in kinds.items()}, path
    rows = duckdb.sql(f"describe select * from '{path}'").fetchall()
    assert {r[0]: r[1] for r in rows} == {n: DUCKDB[k] for n, k in kinds.items()}, path
    other = duckdb.sql(f"select * from '{path}'").to_arrow_table()
    for name in kinds:
        a, b, c = table[name].to_pylist(), frame[name].to_list(), other[name].to_pylist()
        same = all(x == y == z or (x != x and y != y and z != z) for x, y, z in zip(a, b, c, strict=True))
        assert same, (path, name)
    metadata = {k.decode(): v.decode() for k, v in pq.read_metadata(path).metadata.items()}
    assert json.loads(metadata["coaddkit.schema"]) == columns, path
    assert metadata["coaddkit.hash"] == "xxh3-64/1"
    print(f"{path.name}: {table.num_rows} rows, {len(kinds)} columns, the same types and values in pyarrow, polars, DuckDB")
    return table


def sweep_rows(path):
    """A sweep as native columns with lower-case names."""
    data = fits.getdata(path, 1)
    out = {}
    for name in data.names:
        column = np.asarray(data[name])
        out[name.lower()] = np.char.strip(column) if column.dtype.kind in "US" else column.astype(column.dtype.newbyteorder("="))
    return out


def near(ra, dec, lenses, radius):
    """Within the radius of any lens, all pairs, by the haversine."""
    ra, dec = np.radians(ra)[:, None], np.radians(dec)[:, None]
    lens_ra, lens_dec = np.radians(lenses[:, 0])[None], np.radians(lenses[:, 1])[None]
    h = np.sin((dec - lens_dec) / 2) ** 2 + np.cos(dec) * np.cos(lens_dec) * np.sin((ra - lens_ra) / 2) ** 2
    return (2 * np.arcsin(np.sqrt(h)) <= math.radians(radius / 3600)).any(axis=1)


def split_of(cell):
    fraction = int.from_bytes(hashlib.sha256(f"{cell}_42".encode()).digest()[:4], "big") / 2**32
    return "train" if fraction < 0.70 else "val" if fraction < 0.70 + 0.15 else "test"


def category(kind, m, t):
    """The classes of 9 February 2026, in the precision of the columns; what is not known fails."""
    f = np.float32
    if kind == "DEV" or (kind == "SER" and t["sersic"] >= f(4.0)):
        if t["flux_r"] >= f(5.0):
            return "ring_proxy"
    if kind in ("SER", "DEV"):
        e = math.hypot(float(t["shape_e1"]), float(t["shape_e2"]))
        if e >= 0.5 and t["shape_r"] >= f(0.6):
            return "edge_on_proxy"
    if m["g_minus_r"] <= f(0.4) and m["mag_r"] <= f(20.5):
        return "blue_clumpy"
    if t["shape_r"] >= f(2.0) and t["flux_r"] >= f(3.0):
        return "large_galaxy"
    return None


def pool(path, table, limit, lenses):
    """Every column of the pool of one sweep, from the sweep."""
    s = sweep_rows(path)
    with np.errstate(divide="ignore", invalid="ignore"):
        mag = {b: np.where(s[f"flux_{b}"] > 0, 22.5 - 2.5 * np.log10(s[f"flux_{b}"].astype("f8")), np.nan) for b in ("g", "r", "z", "w1")}
    mask = sum(1 << bit for bit in (1, 5, 6, 7, 11, 12, 13))
    good = np.isfinite(s["ra"]) & np.isfinite(s["dec"]) & (s["dec"] > -18) & (s["dec"] < 32)
    good &= np.isin(s["type"], ["SER", "DEV", "REX"]) & (s["maskbits"] & mask == 0)
    good &= (s["nobs_g"] >= 3) & (s["nobs_r"] >= 3) & (s["nobs_z"] >= 3)
    good &= mag["z"].astype("f4") < np.float32(limit)
    good &= ~near(s["ra"], s["dec"], lenses, 11.0)
    rows = np.flatnonzero(good)
    expected = {name: s[name][rows].tolist() for name in ("brickname", "objid", "ra", "dec", "type", "nobs_z", "maskbits", "fitbits")}
    for name in table.column_names:
        if name.startswith(("flux_", "psfsize_", "psfdepth_", "galdepth_", "mw_", "shape_")) or name in ("ebv", "sersic"):
            expected[name] = s[name][rows]
    colours = {"mag_g": mag["g"], "mag_r": mag["r"], "mag_z": mag["z"], "g_minus_r": mag["g"] - mag["r"],
               "r_minus_z": mag["r"] - mag["z"], "z_minus_w1": mag["z"] - mag["w1"]}
    for name, values in colours.items():
        expected[name] = values[rows].astype("f4")
    expected["galaxy_id"] = [f"{b}_{o}" for b, o in zip(expected["brickname"], expected["objid"])]
    expected["row_index"] = rows.tolist()
    expected["sweep_file"] = [path.name] * len(rows)
    for nside in (64, 128):
        expected[f"healpix_{nside}"] = healpy.ang2pix(nside, s["ra"][rows], s["dec"][rows], nest=True, lonlat=True).tolist()
    expected["split"] = [split_of(cell) for cell in expected["healpix_128"]]
    expected["type_bin"] = expected["type"]
    expected["nobs_z_bin"] = ["1-2" if n <= 2 else "3-5" if n <= 5 else "6-10" if n <= 10 else "11+" for n in expected["nobs_z"]]
    expected["confuser_category"] = [
        category(s["type"][row], {n: expected[n][k] for n in ("g_minus_r", "mag_r")}, {n: s[n][row] for n in ("flux_r", "shape_r", "shape_e1", "shape_e2", "sersic")})
        for k, row in enumerate(rows)
    ]
    expected["pool"] = ["N2" if c else "N1" for c in expected["confuser_category"]]
    expected["pipeline_version"], expected["git_commit"] = ["1.0.0"] * len(rows), ["abc"] * len(rows)
    expected["extraction_timestamp"] = ["2026-02-07"] * len(rows)
    assert set(expected) == set(table.column_names), set(expected) ^ set(table.column_names)
    for name, values in expected.items():
        ours = table[name].to_pylist()
        if isinstance(values, np.ndarray):
            values = [None if math.isnan(v) else float(v) for v in values]
            # A magnitude may round to the neighbouring single.
            close = all(a is b is None or abs(a - b) <= 2e-7 * max(1, abs(a)) for a, b in zip(ours, values, strict=True))
            assert close, (path.name, name)
        else:
            assert ours == values, (path.name, name)
    return len(rows)


def sample(pool_table, strata, ratio, seed):
    """The first of each stratum, by sorting all of it."""
    chosen = set()
    ids, bins, kinds, pools = (pool_table[n].to_pylist() for n in ("galaxy_id", "nobs_z_bin", "type_bin", "pool"))
    ranked = {}
    for row in zip(ids, bins, kinds, pools):
        ranked.setdefault(row[1:], []).append((xxhash.xxh3_64_intdigest(row[0].encode(), seed), row[0]))
    for (bin_, kind), positives in strata.items():
        target = positives * ratio
        n1 = target * 85 // 100
        hard = sorted(ranked.get((bin_, kind, "N2"), []))[: target - n1]
        easy = sorted(ranked.get((bin_, kind, "N1"), []))[: n1 + (target - n1 - len(hard))]
        chosen.update(id_ for _, id_ in hard + easy)
    return chosen


def negatives(args):
    import pyarrow as pa

    work, config = args.work, args.work / "c.yaml"
    shipped = Path(args.config).read_text()
    config.write_text(shipped.replace("z_mag_limit: 20.0", "z_mag_limit: 22.0").replace("neg_pos_ratio: 100", "neg_pos_ratio: 4"))
    first = sweep_rows(args.sweeps[0])
    # Real rows as lenses, some moved to just inside and just outside of the radius.
    lenses = np.column_stack([first["ra"][::50], first["dec"][::50] + np.resize([0.0, 10.99, 11.01, 30.0], len(first["ra"][::50])) / 3600])
    half = len(lenses) // 2
    (work / "a.csv").write_text("name,RA,DEC\n" + "".join(f"x,{a!r},{b!r}\n" for a, b in lenses[:half].tolist()))
    columns = [fits.Column("ra_deg", "D", array=lenses[half:, 0]), fits.Column("dec_deg", "D", array=lenses[half:, 1])]
    fits.BinTableHDU.from_columns(columns).writeto(work / "b.fits", overwrite=True)
    run(args.negatives, "pool", "--sweeps", *args.sweeps, "--positives", work / "a.csv", "--positives", work / "b.fits",
        "--config", config, "--out", work / "pool", "--git-commit", "abc", "--quiet")
    tables, rows = [], 0
    for sweep in args.sweeps:
        name = sweep.name.removesuffix(".gz").removesuffix(".fits")
        table = readers(work / "pool" / f"{name}.parquet", args.schemas / "negative_pool.json")
        rows += pool(sweep, table, 22.0, lenses)
        tables.append(table)
    whole = pa.concat_tables(tables)
    print(f"pool: {rows} rows of {len(args.sweeps)} sweeps equal astropy, healpy and hashlib in all 48 columns")
    strata = {("3-5", "REX"): 9, ("3-5", "DEV"): 4, ("6-10", "REX"): 5, ("3-5", "SER"): 3}
    lines = [f"{kind},{bin_}\n" * n for (bin_, kind), n in strata.items()]
    (work / "positives.csv").write_text("type_bin,nobs_z_bin\n" + "".join(lines))
    # Shares of so few galaxies are off by chance, which is a critical gate; so they are given as one set.
    alone = work / "one.yaml"
    alone.write_text(config.read_text().replace("train: 0.70", "train: 1.0").replace("val: 0.15", "val: 0.0").replace("test: 0.15", "test: 0.0"))
    run(args.negatives, "pool", "--sweeps", *args.sweeps, "--positives", work / "a.csv", "--positives", work / "b.fits",
        "--config", alone, "--out", work / "one", "--git-commit", "abc", "--quiet")
    for seed in (42, -7):
        out = work / f"sample{seed}.parquet"
        run(args.negatives, "sample", "--pool", work / "one", "--positives", work / "positives.csv", "--config", alone,
            "--out", out, f"--seed={seed}", "--quiet")
        ours = readers(out, args.schemas / "negative_sample.json")["galaxy_id"].to_pylist()
        assert ours == sorted(ours) and set(ours) == sample(whole, strata, 4, seed & (1 << 64) - 1), seed
        print(f"sample: {len(ours)} galaxies of seed {seed} equal a sort of all by xxhash")


def injection(args):
    """A small survey, every sample and every column of which is recomputed."""
    work, rng = args.work / "injection", np.random.default_rng(1)
    work.mkdir(exist_ok=True)
    regions, sets, seed = range(9), ["set_a", "set_b"], 21
    split = {r: ("train", "val", "test")[r % 3] for r in regions}
    bricks, galaxies = {}, []
    for region in regions:
        for k in range(8):
            name = f"{region * 100:04}p{k:03}"
            bricks[name] = (float(rng.uniform(1, 1.6)), float(rng.uniform(23.6, 25.5)), 0.05)
            for _ in range(6):
                ra, dec = region * 10 + float(rng.uniform(0, 0.25)), k * 0.25 + float(rng.uniform(0, 0.25))
                mag = np.float32(rng.uniform(18, 20)) if rng.uniform() < 0.9 else None
                galaxies.append((name, ra, dec, region, mag))
    shown = lambda v: "" if v is None else repr(float(v))
    (work / "bricks.csv").write_text("brickname,psfsize_r,psfdepth_r,ebv\n" + "".join(f"{n},{a!r},{b!r},{c}\n" for n, (a, b, c) in bricks.items()))
    (work / "selections.csv").write_text("selection_set_id,selection_strategy,ranking_mode,region_id,region_split\n" + "".join(f"{s},topk,density,{r},{split[r]}\n" for s in sets for r in regions if s == "set_a" or r % 2))
    (work / "parent.csv").write_text("brickname,ra,dec,region_id,region_split,zmag,rmag,w1mag,rz,zw1,is_v3_color_relaxed\n" + "".join(
        f"{n},{ra!r},{dec!r},{r},{split[r]},{shown(m)},{shown(m)},18,0.5,1.0,1\n" for n, ra, dec, r, m in galaxies))
    (work / "stage.toml").write_text(f"""
[inputs]
parent = "{work}/parent.csv"
bricks_with_region = "{work}/bricks.csv"
region_selections = "{work}/selections.csv"
[seeds]
split_seed = {seed}
[tiers.debug]
control_frac = 0.3
[tiers.train]
n_total_per_split = 40
control_frac = 0.5
""")
    run(args.injection, "build", "--config", work / "stage.toml", "--out", work / "out", "--force", "--quiet")

    edges = [np.quantile([b[i] for b in bricks.values()], [0, 0.25, 0.5, 0.75, 1]) for i in (0, 1)]
    bin_of = lambda e, v: next((i for i in range(3) if e[i] <= v < e[i + 1]), 3)
    row_id = {g[:3]: H(0, text(g[0]), double(g[1]), double(g[2]), single(g[4]), single(g[4])) for g in galaxies}
    grid = [(te, dm, rf, e, sh) for te in (0.3, 0.6, 1.0) for dm in (1.0, 2.0) for rf in (0.08, 0.15) for e in (0.0, 0.3) for sh in (0.0, 0.03)]
    name_of = lambda k: "grid_small_{:04d}_te{:g}_dm{:g}_rf{:g}_e{:g}_sh{:g}".format(k + 1, *grid[k])
    expected = {"debug": {}, "train": {}}
    for tier, target in (("debug", 5), ("train", 40)):
        experiment = f"{tier}_stamp64_bandsgrz_gridgrid_small"
        for set_ in sets:
            for part in ("train", "val", "test"):
                strata = {}
                for g in galaxies:
                    if split[g[3]] == part and (set_ == "set_a" or g[3] % 2):
                        psf, depth, _ = bricks[g[0]]
                        strata.setdefault((bin_of(edges[0], psf), bin_of(edges[1], depth)), []).append((H(seed, integer(signed(row_id[g[:3]]))), row_id[g[:3]], g))
                taken = [(H(seed + 1, integer(signed(c[1]))), c[1], c[2]) for s in strata.values() for c in sorted(s)[: -(-target // 16)]]
                for _, identity, g in sorted(taken)[:target]:
                    name, ra, dec, region, mag = g
                    if tier == "train":
                        control = u(H(seed + 7003, integer(signed(identity)), text(name), text(part), text("train"))) < 0.5
                        configs = [identity % len(grid)]
                    else:
                        control = u(H(seed + 7001, text(name), integer(round(ra * 1e6)), integer(round(dec * 1e6)), text(set_), text(part), text(tier))) < 0.3
                        configs = range(len(grid))
                    for k in configs:
                        for replicate in (0, 1):
                            key = "|".join([experiment, set_, part, name, f"{ra:.6f}", f"{dec:.6f}", name_of(k), str(replicate)])
                            task_seed = signed(H(seed, text(name), double(ra), double(dec), text(name_of(k)), integer(replicate)))
                            expected[tier][hashlib.sha256(key.encode()).hexdigest()] = (set_, part, region, name, control, (0.0,) * 5 if control else grid[k], task_seed)
    for tier, tasks in expected.items():
        path = work / f"out/manifests/{tier}_stamp64_bandsgrz_gridgrid_small/part-00000.parquet"
        rows = readers(path, args.schemas / "injection_tasks.json").to_pylist()
        assert {r["task_id"] for r in rows} == set(tasks) and len(rows) == len(tasks), tier
        for r in rows:
            set_, part, region, name, control, values, task_seed = tasks[r["task_id"]]
            assert (r["selection_set_id"], r["region_split"], r["region_id"], r["brickname"], r["is_control"], r["task_seed64"]) == (set_, part, region, name, control, task_seed)
            assert (r["theta_e_arcsec"], r["src_dmag"], r["src_reff_arcsec"], r["src_e"], r["shear"]) == values
            U = lambda k: u(H(k, integer(task_seed)))
            N = lambda a, b: math.sqrt(-2 * math.log(max(U(a), 1e-12))) * math.cos(2 * math.pi * U(b))
            radius, turn, there = 0.8 * values[0] * math.sqrt(U(101)), 2 * math.pi * U(102), values[0] != 0
            frozen = {"src_x_arcsec": radius * math.cos(turn), "src_y_arcsec": radius * math.sin(turn), "src_phi_rad": there * 2 * math.pi * U(103),
                      "shear_phi_rad": there * math.pi * U(104), "src_gr": min(max(0.2 + 0.2 * N(105, 106), -0.5), 1.5), "src_rz": min(max(0.1 + 0.2 * N(107, 108), -0.5), 1.5),
                      "lens_e": there * (0.05 + 0.45 * U(109)), "lens_phi_rad": there * math.pi * U(110)}
            assert all(abs(r[n] - v) < 1e-12 for n, v in frozen.items()), r
            assert r["lens_model"] == ("SIE" if there else "CONTROL")
        print(f"{tier}: {len(rows)} tasks equal hashlib, xxhash and math")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--injection", required=True)
    parser.add_argument("--negatives", required=True)
    parser.add_argument("--schemas", type=Path, required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("sweeps", nargs="+", type=Path)
    args = parser.parse_args()
    negatives(args)
    injection(args)


if __name__ == "__main__":
    main()
