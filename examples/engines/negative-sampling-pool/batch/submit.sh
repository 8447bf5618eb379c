#!/bin/bash
# negative-sampling pool on AWS Batch: an array of 16 children, a shard each, then the merge.
# Needs a queue, and a role for the containers that may read the inputs and write to s3://survey/negative-sampling-pool:
#     QUEUE=my-queue ROLE=arn:aws:iam::123456789012:role/my-role negative-sampling-pool/batch/submit.sh
# Submit it again after failures: shards that are finished have nothing to do.
set -euo pipefail
: "${QUEUE:?the name of a job queue}" "${ROLE:?the ARN of a role}"
cd "$(dirname "$0")"
definition=$(aws batch register-job-definition --cli-input-json "$(sed "s|@ROLE@|$ROLE|" definition.json)" \
    --query jobDefinitionArn --output text)
array=$(aws batch submit-job --job-name negative-sampling-pool --job-queue "$QUEUE" --job-definition "$definition" \
    --array-properties size=16 --query jobId --output text)
merge=$(aws batch submit-job --job-name negative-sampling-pool-merge --job-queue "$QUEUE" --job-definition "$definition" \
    --depends-on "jobId=$array" --container-overrides file://merge.json --query jobId --output text)
echo "array $array, then merge $merge"
