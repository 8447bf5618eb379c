#!/bin/bash
# negative-sampling sample: submits the shards that are not finished, and the merge, which runs once all of them have ended well.
# If a shard fails, its log says why and the merge is taken out of the queue: run this again once the cause is mended.
# To merge without what failed: ./negative-sampling merge negative-sampling-sample --out negative-sampling-sample/sample.parquet
set -euo pipefail
cd /pscratch/survey
mkdir -p negative-sampling-sample/slurm/logs
left=$(./negative-sampling status negative-sampling-sample --shards 8 --unfinished)
if [ -z "$left" ]; then
    merge=$(sbatch --parsable negative-sampling-sample/slurm/merge.sbatch)
    echo "all shards are finished; merge ${merge%%;*}"
    exit
fi
array=$(sbatch --parsable --array="$left%8" negative-sampling-sample/slurm/array.sbatch)
array=${array%%;*}
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes negative-sampling-sample/slurm/merge.sbatch)
echo "shards $left as array $array, then merge ${merge%%;*}"
echo "how it stands: ./negative-sampling status negative-sampling-sample"
