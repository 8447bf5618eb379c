#!/bin/bash
# desi-tiles run: submits the shards that are not finished, and the merge, which runs once all of them have ended well.
# If a shard fails, its log says why and the merge is taken out of the queue: run this again once the cause is mended.
# To merge without what failed: ./desi-tiles merge desi-tiles-run --out desi-tiles-run/pixels.csv
set -euo pipefail
cd /pscratch/survey
mkdir -p desi-tiles-run/slurm/logs
left=$(./desi-tiles status desi-tiles-run --shards 32 --unfinished)
if [ -z "$left" ]; then
    merge=$(sbatch --parsable desi-tiles-run/slurm/merge.sbatch)
    echo "all shards are finished; merge ${merge%%;*}"
    exit
fi
array=$(sbatch --parsable --array="$left%8" desi-tiles-run/slurm/array.sbatch)
array=${array%%;*}
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes desi-tiles-run/slurm/merge.sbatch)
echo "shards $left as array $array, then merge ${merge%%;*}"
echo "how it stands: ./desi-tiles status desi-tiles-run"
