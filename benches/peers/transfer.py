"""The Python peers of the transfer, and the clerk who looks at what each program has left.

    transfer.py obstore BASE MANIFEST DEST STREAMS
    transfer.py requests BASE MANIFEST DEST STREAMS
    transfer.py check LOG MANIFEST TREE PLACE [--empty]
    transfer.py versions

A line of MANIFEST is a path below BASE, a tab, and a size in bytes. DEST is a folder, or s3://BUCKET/PREFIX with the
server in $AWS_ENDPOINT_URL. `check` appends a JSON object to LOG for every folder of PLACE: its name, how many files
of the manifest it has by name, how many of them have other bytes than the ones in TREE, and how many other files are
there; with --empty the folders are removed then.
"""

import asyncio
import collections
import importlib.metadata
import json
import os
import pathlib
import random
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def manifest(path):
    with open(path) as file:
        return {name: int(size) for name, size in (line.rstrip("\n").split("\t") for line in file)}


def s3_parts(dest):
    bucket, _, prefix = dest.removeprefix("s3://").partition("/")
    return bucket, prefix


def over_obstore(base, wanted, dest, streams):
    """object_store through its Python binding: what is listed with the right size is not fetched again."""
    import obstore
    from obstore.store import HTTPStore, LocalStore, S3Store

    plain = {"allow_http": True, "timeout": "300s"}
    source = HTTPStore.from_url(base, client_options=plain)
    if dest.startswith("s3://"):
        bucket, prefix = s3_parts(dest)
        endpoint = os.environ["AWS_ENDPOINT_URL"]
        target = S3Store(
            bucket, prefix=prefix, endpoint=endpoint, virtual_hosted_style_request=False, client_options=plain
        )
    else:
        os.makedirs(dest, exist_ok=True)
        target = LocalStore(dest)
    present = {entry["path"]: entry["size"] for page in obstore.list(target, chunk_size=1000) for entry in page}

    async def move():
        slots = asyncio.Semaphore(streams)

        async def one(name):
            async with slots:
                answer = await obstore.get_async(source, name)
                await obstore.put_async(target, name, await answer.bytes_async())

        await asyncio.gather(*(one(name) for name, size in wanted.items() if present.get(name) != size))

    asyncio.run(move())


def over_requests(base, wanted, dest, streams):
    """The usual script: requests for the whole body, boto3 to put it, an empty marker for each brick."""
    import requests

    local = threading.local()
    client = bucket = prefix = None
    if dest.startswith("s3://"):
        import boto3
        from botocore.config import Config

        bucket, prefix = s3_parts(dest)
        config = Config(s3={"addressing_style": "path"}, max_pool_connections=streams)
        client = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"], config=config)

    def exists(name):
        if client is None:
            return os.path.exists(os.path.join(dest, name))
        try:
            client.head_object(Bucket=bucket, Key=f"{prefix}/{name}")
            return True
        except client.exceptions.ClientError:
            return False

    def put(name, body):
        if client is not None:
            client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=body)
            return
        path = os.path.join(dest, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)

    def get(name):
        if not hasattr(local, "session"):
            local.session = requests.Session()
        for attempt in range(5):
            try:
                answer = local.session.get(base + name, timeout=300)
                if answer.status_code == 200:
                    return answer.content
            except requests.RequestException:
                pass
            time.sleep(2**attempt + random.random())
        raise RuntimeError(f"no {name}")

    bricks = collections.defaultdict(list)
    for name in wanted:
        bricks[os.path.dirname(name)].append(name)

    def brick(folder):
        for name in bricks[folder]:
            if not exists(name):
                put(name, get(name))
        if not exists(f"{folder}/_SUCCESS"):
            put(f"{folder}/_SUCCESS", b"")

    with ThreadPoolExecutor(streams) as pool:
        list(pool.map(brick, bricks))


def same(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        while True:
            x, y = a.read(1 << 20), b.read(1 << 20)
            if x != y:
                return False
            if not x:
                return True


def check(log, names, tree, place, empty):
    # Programs lay folders out in their own ways; the names of the files are unique.
    expected = {os.path.basename(name): os.path.join(tree, name) for name in names}
    lines = []
    for folder in sorted(pathlib.Path(place).iterdir()):
        if folder.name.startswith(".") or not folder.is_dir():
            continue
        found, wrong, others = set(), 0, 0
        for path in folder.rglob("*"):
            if not path.is_file():
                continue
            origin = expected.get(path.name)
            if origin is None:
                others += 1
                continue
            found.add(path.name)
            wrong += not same(path, origin)
        line = {"name": folder.name, "found": len(found), "wrong": wrong, "others": others}
        lines.append(json.dumps(line))
    with open(log, "a") as file:
        file.writelines(line + "\n" for line in lines)
    if empty:
        for entry in os.scandir(place):
            shutil.rmtree(entry.path) if entry.is_dir() else os.remove(entry.path)


def versions():
    for package in ("obstore", "requests", "urllib3", "boto3"):
        try:
            print(package, importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            pass


def main():
    match sys.argv[1:]:
        case ["obstore" | "requests" as peer, base, names, dest, streams]:
            move = {"obstore": over_obstore, "requests": over_requests}[peer]
            move(base, manifest(names), dest, int(streams))
            # All is in place; the threads of obstore abort the process now and then when the interpreter takes itself down.
            os._exit(0)
        case ["check", log, names, tree, place, *rest] if rest in ([], ["--empty"]):
            check(log, manifest(names), tree, place, bool(rest))
        case ["versions"]:
            versions()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
