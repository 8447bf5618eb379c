"""@TITLE@ on Spark: a task for each of @SHARDS@ shards, then the merge.

    spark-submit @SCRIPTS@/run.py

@ESTIMATE@
The program is sent to the executors by the driver. Where executors share no disk with the driver, inputs and --out are
addresses of an object store. A task that is lost runs again, and goes on where it was.
"""

import os
import subprocess

from pyspark import SparkFiles
from pyspark.sql import SparkSession

@SHARD@

def task(shard):
    program = SparkFiles.get(os.path.basename(PROGRAM))
    if not os.access(program, os.X_OK):
        os.chmod(program, 0o755)
    return run_shard(program, shard)


spark = (
    SparkSession.builder.appName(@NAMETEXT@)
    .config("spark.task.cpus", @CPUS@)
    # The program is no part of the heap of the executor.
    .config("spark.executor.memoryOverhead", "@MEMORY@m")
    .getOrCreate()
)
spark.sparkContext.addFile(PROGRAM)
# As many shards at once as there are partitions, and executors for them.
rows = spark.sparkContext.parallelize(range(SHARDS), @PARTITIONS@).map(task).collect()
judge(rows)
program = SparkFiles.get(os.path.basename(PROGRAM))
os.chmod(program, 0o755)
subprocess.run([program, *MERGE], check=True, cwd=FOLDER if FOLDER and os.path.isdir(FOLDER) else None)
spark.stop()
