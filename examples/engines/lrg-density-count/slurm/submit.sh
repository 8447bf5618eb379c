#!/bin/bash
# lrg-density count: submits the shards that are not finished, and the merge, which runs once all of them have ended well.
# If a shard fails, its log says why and the merge is taken out of the queue: run this again once the cause is mended.
# To merge without what failed: ./lrg-density merge lrg-density-count --out lrg-density-count/counts.csv
set -euo pipefail
cd /pscratch/survey
mkdir -p lrg-density-count/slurm/logs
left=$(./lrg-density status lrg-density-count --shards 16 --unfinished)
if [ -z "$left" ]; then
    merge=$(sbatch --parsable lrg-density-count/slurm/merge.sbatch)
    echo "all shards are finished; merge ${merge%%;*}"
    exit
fi
array=$(sbatch --parsable --array="$left%8" lrg-density-count/slurm/array.sbatch)
array=${array%%;*}
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes lrg-density-count/slurm/merge.sbatch)
echo "shards $left as array $array, then merge ${merge%%;*}"
echo "how it stands: ./lrg-density status lrg-density-count"
