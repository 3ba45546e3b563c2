"""Scenarios of compaction."""
import base64
import os
import time

from measure.scenario import scenario
from measure.sides import restart
import batch

WEEK_MS = 7 * 24 * 3600 * 1000


@scenario("a segment of which one record in seventeen is still the latest", connections="2, 5 in flight",
          batching="120 × 100 B, 300,000 keys")
def compact(side, options, codec="uncompressed"):
    """One segment of 16 KiB batches. What seals it is a record of a week later; what cleans it then is all that runs."""
    if side.broker.config.get("log.cleaner.backoff.ms") is None:
        restart(side.broker, {"log.cleaner.backoff.ms": "100"})  # so that it is not the pause which is measured
    topic = side.topic(1, cleanup_policy="compact", message_timestamp_after_max_ms=str(2**63 - 1), compression_type=codec)
    side.load("produce", topic=topic, connections=2, in_flight=5, records=120, record_bytes=100, keys=300000,
              requests=int(options.gigabytes * 1e9 / 16384))
    segment = os.path.join(side.broker.data, topic + "-0", "0" * 20 + ".log")
    before = os.path.getsize(segment)
    os.sync()
    cpu, began = side.broker.cpu_seconds(), time.perf_counter()
    seal(side, topic)
    while not is_clean(side, topic):
        time.sleep(0.01)
    took, cpu = time.perf_counter() - began, side.broker.cpu_seconds() - cpu
    after = os.path.getsize(segment)
    side.drop(topic)
    return {"CPU per GB, s": cpu / (before / 1e9), "MB per CPU second": before / 1e6 / cpu, "MB per second": before / 1e6 / took,
            "left, %": 100 * after / before}


@scenario("the same, stored with zstd", connections="2, 5 in flight", batching="120 × 100 B, 300,000 keys")
def packed(side, options):
    return compact(side, options, "zstd")


def seal(side, topic):
    data = batch.build([(b"last", b"x")], timestamp=int(time.time() * 1000) + 2 * WEEK_MS)
    with side.broker.connect(30) as connection:
        answer = connection.call("Produce", 9, acks=1, timeoutMs=30000, topicData=[
            {"name": topic, "partitionData": [{"index": 0, "records": base64.b64encode(data).decode()}]}])
    assert answer["responses"][0]["partitionResponses"][0]["errorCode"] == 0, answer


def is_clean(side, topic):
    """Cleaned up to the segment that is written to."""
    try:
        with open(os.path.join(side.broker.data, "cleaner-offset-checkpoint"), encoding="ascii") as lines:
            return any(line.startswith(topic + " ") and not line.endswith(" 0\n") for line in lines)
    except FileNotFoundError:
        return False
