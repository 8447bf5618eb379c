"""@TITLE@ on Parsl: a task for each of @SHARDS@ shards, then the merge.

    python @SCRIPTS@/run.py            on this machine
    python @SCRIPTS@/run.py --slurm    on nodes of a Slurm cluster, one block of them

@ESTIMATE@
A task that fails runs again up to twice, and goes on where it was.
"""

import os
import subprocess
import sys

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider, SlurmProvider

@SHARD@

def provider():
    if "--slurm" in sys.argv:
        return SlurmProvider(
            nodes_per_block=1,
            max_blocks=@BLOCKS@,
            walltime="@WALLTIME@",
            cores_per_node=@CPUS@,
            mem_per_node=@MEMORYGIB@,
            scheduler_options="""@DIRECTIVES@""",
            worker_init="",
        )
    return LocalProvider(init_blocks=1, max_blocks=1)


if FOLDER:
    os.chdir(FOLDER)
config = Config(
    executors=[
        HighThroughputExecutor(
            label="shards",
            max_workers_per_node=1 if "--slurm" in sys.argv else @WORKERS@,
            cores_per_worker=@CPUS@,
            provider=provider(),
        )
    ],
    retries=2,
    run_dir=@LOGSTEXT@,
    strategy="simple",
)
with parsl.load(config):
    task = parsl.python_app(run_shard)
    rows = [future.result() for future in [task(PROGRAM, shard) for shard in range(SHARDS)]]
judge(rows)
subprocess.run([PROGRAM, *MERGE], check=True, cwd=FOLDER)
