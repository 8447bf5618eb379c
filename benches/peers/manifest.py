"""The other tools for a stratified sample of 250,000 of 10 M rows, over the strata that `peer-manifest strata` writes.

    manifest.py TOOL FILE
    manifest.py versions

Each takes exactly 15,625 of each of 16 strata, by a hash or a shuffle of its own. A run prints `answer=`, the size of the
sample, and `kernel_cpu=` and `kernel_wall=`, the seconds of the work alone: medians of as many repetitions as fit into a
second, after one that is not counted unless it takes a second itself. Spark has no `kernel_cpu=`, since it works in
another process: its CPU is that of both from start to end.
"""

import importlib.metadata
import sys
import time

import numpy as np

STRATA = 16
PER_STRATUM = 250_000 // STRATA
SECOND = 1.0


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


def numpy_hash(strata):
    ids = np.arange(len(strata), dtype="u8")

    def work():
        h = (ids + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
        h ^= h >> np.uint64(31)
        out = []
        for k in range(STRATA):
            rows = np.flatnonzero(strata == k)
            out.append(rows[np.argpartition(h[rows], PER_STRATUM)[:PER_STRATUM]])
        return len(np.concatenate(out))

    return work


def with_pandas(strata):
    import pandas

    frame = pandas.DataFrame({"id": np.arange(len(strata)), "nb": strata // 4, "ty": strata % 4})
    return lambda: len(frame.groupby(["nb", "ty"]).sample(n=PER_STRATUM, random_state=1))


def with_polars(strata):
    import polars

    frame = polars.DataFrame({"id": np.arange(len(strata)), "nb": strata // 4, "ty": strata % 4})
    within = polars.int_range(polars.len()).shuffle(seed=1).over("nb", "ty") < PER_STRATUM
    return lambda: len(frame.filter(within))


def with_duckdb(strata):
    import duckdb
    import pyarrow

    columns = pyarrow.table({"id": np.arange(len(strata)), "nb": strata // 4, "ty": strata % 4})
    connection = duckdb.connect()
    connection.execute("set threads = 1")
    connection.execute("create table t as select * from columns")
    query = f"select nb, ty, min_by(id, hash(id + 1), {PER_STRATUM}) ids from t group by nb, ty"
    return lambda: sum(len(row[2]) for row in connection.execute(query).fetchall())


def with_spark(strata):
    from pyspark.sql import SparkSession, Window
    from pyspark.sql import functions as F

    builder = SparkSession.builder.master("local[2]").config("spark.driver.memory", "6g")
    spark = builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "8").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.range(len(strata)).withColumn("nb", (F.col("id") * 7919 % 4).cast("byte"))
    frame = frame.withColumn("ty", (F.col("id") * 104729 % 13 % 4).cast("byte")).cache()
    frame.count()
    by_hash = Window.partitionBy("nb", "ty").orderBy(F.xxhash64("id"))
    ranked = frame.withColumn("r", F.row_number().over(by_hash)).filter(f"r <= {PER_STRATUM}")
    return ranked.count


TOOLS = {"numpy": numpy_hash, "pandas": with_pandas, "polars": with_polars, "duckdb": with_duckdb, "pyspark": with_spark}


def main():
    if sys.argv[1] == "versions":
        for name in ("numpy", "pandas", "polars", "duckdb", "pyspark"):
            try:
                print(name, importlib.metadata.version(name))
            except importlib.metadata.PackageNotFoundError:
                pass
        return
    tool, path = sys.argv[1:]
    if tool == "polars":
        import os

        os.environ["POLARS_MAX_THREADS"] = "1"
    strata = np.fromfile(path, "u1")
    count, cpu, wall = timed(TOOLS[tool](strata))
    if tool == "pyspark":
        print(f"answer={count} kernel_wall={wall}")
    else:
        print(f"answer={count} kernel_cpu={cpu} kernel_wall={wall}")


if __name__ == "__main__":
    main()
