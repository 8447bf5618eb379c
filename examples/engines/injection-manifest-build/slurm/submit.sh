#!/bin/bash
# injection-manifest build: submits the shards that are not finished, and the merge, which runs once all of them have ended well.
# If a shard fails, its log says why and the merge is taken out of the queue: run this again once the cause is mended.
# To merge without what failed: ./injection-manifest merge injection-manifest-build
set -euo pipefail
cd /pscratch/survey
mkdir -p injection-manifest-build/slurm/logs
left=$(./injection-manifest status injection-manifest-build --shards 6 --unfinished)
if [ -z "$left" ]; then
    merge=$(sbatch --parsable injection-manifest-build/slurm/merge.sbatch)
    echo "all shards are finished; merge ${merge%%;*}"
    exit
fi
array=$(sbatch --parsable --array="$left%8" injection-manifest-build/slurm/array.sbatch)
array=${array%%;*}
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes injection-manifest-build/slurm/merge.sbatch)
echo "shards $left as array $array, then merge ${merge%%;*}"
echo "how it stands: ./injection-manifest status injection-manifest-build"
