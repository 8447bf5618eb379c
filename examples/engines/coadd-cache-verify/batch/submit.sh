#!/bin/bash
# coadd-cache verify on AWS Batch: an array of 64 children, a shard each, then the merge.
# Needs a queue, and a role for the containers that may read the inputs and write to s3://survey/coadd-cache-verify:
#     QUEUE=my-queue ROLE=arn:aws:iam::123456789012:role/my-role coadd-cache-verify/batch/submit.sh
# Submit it again after failures: shards that are finished have nothing to do.
set -euo pipefail
: "${QUEUE:?the name of a job queue}" "${ROLE:?the ARN of a role}"
cd "$(dirname "$0")"
definition=$(aws batch register-job-definition --cli-input-json "$(sed "s|@ROLE@|$ROLE|" definition.json)" \
    --query jobDefinitionArn --output text)
array=$(aws batch submit-job --job-name coadd-cache-verify --job-queue "$QUEUE" --job-definition "$definition" \
    --array-properties size=64 --query jobId --output text)
merge=$(aws batch submit-job --job-name coadd-cache-verify-merge --job-queue "$QUEUE" --job-definition "$definition" \
    --depends-on "jobId=$array" --container-overrides file://merge.json --query jobId --output text)
echo "array $array, then merge $merge"
