#!/bin/bash
# @TITLE@: submits the shards that are not finished, and the merge, which runs once all of them have ended well.
# If a shard fails, its log says why and the merge is taken out of the queue: run this again once the cause is mended.
# To merge without what failed: @MERGE@
set -euo pipefail
cd @FOLDER@
mkdir -p @LOGS@
left=$(@STATUS@ --shards @SHARDS@ --unfinished)
if [ -z "$left" ]; then
    merge=$(sbatch --parsable @SCRIPTS@/merge.sbatch)
    echo "all shards are finished; merge ${merge%%;*}"
    exit
fi
array=$(sbatch --parsable --array="$left@LIMIT@" @SCRIPTS@/array.sbatch)
array=${array%%;*}
merge=$(sbatch --parsable --dependency="afterok:$array" --kill-on-invalid-dep=yes @SCRIPTS@/merge.sbatch)
echo "shards $left as array $array, then merge ${merge%%;*}"
echo "how it stands: @STATUS@"
