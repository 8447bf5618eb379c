"""negative-sampling pool on Parsl: a task for each of 16 shards, then the merge.

    python negative-sampling-pool/parsl/run.py            on this machine
    python negative-sampling-pool/parsl/run.py --slurm    on nodes of a Slurm cluster, one block of them

1436 units in 16 shards, at most 90 in each; about 2.0 s a unit on its core.
A task that fails runs again up to twice, and goes on where it was.
"""

import os
import subprocess
import sys

import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider, SlurmProvider

PROGRAM = "./negative-sampling"
JOB = ["pool","--list","sweeps.txt","--positives","lenses.csv","--config","negative_sampling_v1.yaml","--out","negative-sampling-pool","--threads","1"]
MERGE = ["merge","negative-sampling-pool"]
SHARDS = 16
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


def provider():
    if "--slurm" in sys.argv:
        return SlurmProvider(
            nodes_per_block=1,
            max_blocks=8,
            walltime="00:20:00",
            cores_per_node=1,
            mem_per_node=1,
            scheduler_options="""""",
            worker_init="",
        )
    return LocalProvider(init_blocks=1, max_blocks=1)


if FOLDER:
    os.chdir(FOLDER)
config = Config(
    executors=[
        HighThroughputExecutor(
            label="shards",
            max_workers_per_node=1 if "--slurm" in sys.argv else 8,
            cores_per_worker=1,
            provider=provider(),
        )
    ],
    retries=2,
    run_dir="negative-sampling-pool/parsl/logs",
    strategy="simple",
)
with parsl.load(config):
    task = parsl.python_app(run_shard)
    rows = [future.result() for future in [task(PROGRAM, shard) for shard in range(SHARDS)]]
judge(rows)
subprocess.run([PROGRAM, *MERGE], check=True, cwd=FOLDER)
