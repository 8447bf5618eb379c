"""Spark's own hash and order of 100,000 galaxy ids, and its types of our files.

    spark.py --ranks BINARY --negatives BINARY --config YAML --schemas DIR --work DIR SWEEP
"""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

SPARK = {"text": "string", "bool": "boolean", "int32": "int", "int64": "bigint", "float32": "float", "float64": "double"}


def main():
    parser = argparse.ArgumentParser()
    for name in ("ranks", "negatives", "config", "schemas", "work"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("sweep", type=Path)
    args = parser.parse_args()
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.shuffle.partitions", "4").config("spark.driver.memory", "2g").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")

    rng = np.random.default_rng(3)
    # Identities of all lengths modulo 4, with negative bytes in some.
    ids = sorted({f"{a:04}{'pm'[s]}{d:03}_{o}" for a, s, d, o in zip(rng.integers(0, 3600, 99_990), rng.integers(0, 2, 99_990), rng.integers(0, 900, 99_990), rng.integers(0, 40_000, 99_990))})
    ids += [f"é{k}ß" for k in range(100_000 - len(ids))]
    assert len(ids) == 100_000
    (args.work / "ids.txt").write_text("\n".join(ids) + "\n")
    frame = spark.read.text(str(args.work / "ids.txt")).withColumnRenamed("value", "galaxy_id")
    for seed in (42, 0, -5):
        ranked = frame.withColumn("rank", F.abs(F.hash(F.col("galaxy_id"), F.lit(seed))))
        theirs = {row.galaxy_id: row.rank for row in ranked.collect()}
        with open(args.work / "ids.txt") as file:
            said = subprocess.run([args.ranks, str(seed)], stdin=file, check=True, capture_output=True, text=True).stdout
        ours = dict(zip(ids, map(int, said.split()), strict=True))
        assert ours == theirs, seed
        order = [r.galaxy_id for r in ranked.withColumn("n", F.row_number().over(Window.orderBy("rank", "galaxy_id"))).orderBy("n").collect()]
        assert order == sorted(ids, key=lambda i: (ours[i], i)), seed
        print(f"seed {seed}: ranks and order of 100,000 ids equal Spark {spark.version}")

    # The types of a pool, and the sample of the published job from it.
    config = args.work / "spark.yaml"
    text = args.config.read_text()
    for old, new in (("z_mag_limit: 20.0", "z_mag_limit: 22.0"), ("neg_pos_ratio: 100", "neg_pos_ratio: 4"), ("train: 0.70", "train: 1.0"), ("val: 0.15", "val: 0.0"), ("test: 0.15", "test: 0.0")):
        text = text.replace(old, new)
    config.write_text(text)
    (args.work / "far.csv").write_text("ra,dec\n10,-80\n")
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run([args.negatives, "pool", "--sweeps", args.sweep, "--positives", args.work / "far.csv", "--config", config, "--out", args.work / "pool"], **quiet)
    pool = spark.read.parquet(str(args.work / "pool"))
    schema = json.loads((args.schemas / "negative_pool.json").read_text())
    assert dict(pool.dtypes) == {n: SPARK[schema["properties"][n]["storage"]] for n in schema["columns"]}
    (args.work / "positives.csv").write_text("type_bin,nobs_z_bin\n" + "REX,3-5\n" * 8)
    out = args.work / "spark.parquet"
    subprocess.run([args.negatives, "sample", "--pool", args.work / "pool", "--positives", args.work / "positives.csv", "--config", config, "--out", out, "--ranking", "spark-murmur3"], **quiet)
    stratum = pool.filter("nobs_z_bin = '3-5' and type_bin = 'REX'").withColumn("h", F.abs(F.hash(F.col("galaxy_id"), F.lit(42))))
    by_rank = Window.orderBy("h", "galaxy_id")
    first = lambda which, n: {r.galaxy_id for r in stratum.filter(f"pool = '{which}'").withColumn("n", F.row_number().over(by_rank)).filter(f"n <= {n}").collect()}
    hard = first("N2", 32 - 27)
    wanted = hard | first("N1", 27 + 5 - len(hard))
    ours = {r.galaxy_id for r in spark.read.parquet(str(out)).select("galaxy_id").collect()}
    assert ours == wanted and len(ours) == 32
    print(f"types of the pool and the sample of {len(ours)} galaxies equal Spark")


if __name__ == "__main__":
    main()
