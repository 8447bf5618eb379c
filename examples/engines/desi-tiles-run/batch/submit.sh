#!/bin/bash
# desi-tiles run on AWS Batch: an array of 32 children, a shard each, then the merge.
# Needs a queue, and a role for the containers that may read the inputs and write to s3://survey/desi-tiles-run:
#     QUEUE=my-queue ROLE=arn:aws:iam::123456789012:role/my-role desi-tiles-run/batch/submit.sh
# Submit it again after failures: shards that are finished have nothing to do.
set -euo pipefail
: "${QUEUE:?the name of a job queue}" "${ROLE:?the ARN of a role}"
cd "$(dirname "$0")"
definition=$(aws batch register-job-definition --cli-input-json "$(sed "s|@ROLE@|$ROLE|" definition.json)" \
    --query jobDefinitionArn --output text)
array=$(aws batch submit-job --job-name desi-tiles-run --job-queue "$QUEUE" --job-definition "$definition" \
    --array-properties size=32 --query jobId --output text)
merge=$(aws batch submit-job --job-name desi-tiles-run-merge --job-queue "$QUEUE" --job-definition "$definition" \
    --depends-on "jobId=$array" --container-overrides file://merge.json --query jobId --output text)
echo "array $array, then merge $merge"
