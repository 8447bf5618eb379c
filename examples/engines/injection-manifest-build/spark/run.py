"""injection-manifest build on Spark: a task for each of 6 shards, then the merge.

    spark-submit injection-manifest-build/spark/run.py

6 units in 6 shards, at most 1 in each; about 30 s a unit on its core.
The program is sent to the executors by the driver. Where executors share no disk with the driver, inputs and --out are
addresses of an object store. A task that is lost runs again, and goes on where it was.
"""

import os
import subprocess

from pyspark import SparkFiles
from pyspark.sql import SparkSession

PROGRAM = "./injection-manifest"
JOB = ["build","--config","injection.toml","--out","injection-manifest-build","--threads","1"]
MERGE = ["merge","injection-manifest-build"]
SHARDS = 6
FOLDER = "/pscratch/survey"  # where relative paths count from, on machines that have it


def run_shard(program, shard, shards=SHARDS, job=JOB, folder=FOLDER):
    """Runs one shard; what became of it is a row, so that a file that is bad ends nothing else."""
    import json, os, subprocess, time

    command = [program, *job, "--shards", str(shards), "--shard", str(shard), "--json", "--quiet"]
    # 75: something failed that may work when run again. The process of a worker that was lost may also still be at the
    # shard, and is let finish.
    for wait in [5, 15, 45, 90, 180, None]:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            cwd=folder if folder and os.path.isdir(folder) else None,
        )
        if ended.returncode != 75 or wait is None:
            break
        time.sleep(wait)
    said = ended.stderr[-4000:]
    if ended.returncode not in (0, 2, 65, 66):
        # Killed, out of memory, a machine that is not well: the engine tries it again elsewhere.
        raise RuntimeError("shard %d of %d ended with %d\n%s" % (shard, shards, ended.returncode, said))
    lines = ended.stdout.strip().splitlines()
    report = json.loads(lines[-1]) if lines else {"failures": []}
    return {"shard": shard, "exit_code": ended.returncode, "failures": report["failures"], "stderr": said}


def judge(rows):
    """Names everything that failed, and ends the job if anything did."""
    failed = sorted((row for row in rows if row["exit_code"] != 0), key=lambda row: row["shard"])
    if not failed:
        return
    lines = []
    for row in failed:
        lines.append("shard %d of %d ended with %d" % (row["shard"], SHARDS, row["exit_code"]))
        for failure in row["failures"]:
            lines.append("  %s: %s" % (failure["path"] or failure["item"], failure["reason"]))
        if not row["failures"]:
            lines.append(row["stderr"])
    raise RuntimeError("%d of %d shards failed\n%s" % (len(failed), SHARDS, "\n".join(lines)))


def task(shard):
    program = SparkFiles.get(os.path.basename(PROGRAM))
    if not os.access(program, os.X_OK):
        os.chmod(program, 0o755)
    return run_shard(program, shard)


spark = (
    SparkSession.builder.appName("injection-manifest-build")
    .config("spark.task.cpus", 1)
    # The program is no part of the heap of the executor.
    .config("spark.executor.memoryOverhead", "2048m")
    .getOrCreate()
)
spark.sparkContext.addFile(PROGRAM)
# As many shards at once as there are partitions, and executors for them.
rows = spark.sparkContext.parallelize(range(SHARDS), 6).map(task).collect()
judge(rows)
program = SparkFiles.get(os.path.basename(PROGRAM))
os.chmod(program, 0o755)
subprocess.run([program, *MERGE], check=True, cwd=FOLDER if FOLDER and os.path.isdir(FOLDER) else None)
spark.stop()
