#!/bin/bash
# coadd-cache verify: submits the shards that are not finished, and the merge, which runs once all of them have ended well.
# If a shard fails, its log says why and the merge is taken out of the queue: run this again once the cause is mended.
# To merge without what failed: ./coadd-cache merge coadd-cache-verify --report coadd-cache-verify/report
set -euo pipefail
cd /pscratch/survey
mkdir -p coadd-cache-verify/slurm/logs
left=$(./coadd-cache status coadd-cache-verify --shards 64 --unfinished)
if [ -z "$left" ]; then
    merge=$(sbatch --parsable coadd-cache-verify/slurm/merge.sbatch)
    echo "all shards are finished; merge ${merge%%;*}"
    exit
fi
array=$(sbatch --parsable --array="$left%8" coadd-cache-verify/slurm/array.sbatch)
array=${array%%;*}
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes coadd-cache-verify/slurm/merge.sbatch)
echo "shards $left as array $array, then merge ${merge%%;*}"
echo "how it stands: ./coadd-cache status coadd-cache-verify"
