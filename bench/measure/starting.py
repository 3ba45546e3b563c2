"""Scenarios of starting: from exec until somebody is answered."""
import base64
import os
import time

from measure.scenario import Ask, scenario
from measure.sides import first_answer, until_served, until_started
import batch


@scenario("exec to the first answered ApiVersions, empty directory", durability="–", warm=False,
          asks=[Ask("exec to the first answer, ms", below=20)])
def empty(side, options):
    with side.fresh() as broker:
        took = first_answer(broker)
        until_started(broker)
        broker.stop()
    return {"exec to the first answer, ms": took * 1000}


@scenario("the same with 100 topics, of a broker that ended cleanly", durability="–", warm=False)
def start(side, options):
    broker = side.broker
    if "at start" not in side.kept:
        side.kept["at start"] = [side.topic(1) for _ in range(options.size(100, 10))]
    broker.stop()
    took = first_answer(broker)
    memory = broker.resident_bytes()
    until_started(broker)
    return {"exec to the first answer, ms": took * 1000, "memory then, MiB": memory / (1 << 20)}


@scenario("the same with 1,000 partitions that have a record each", durability="–", warm=False,
          asks=[Ask("exec to the first answer, ms", below=150)])
def thousand(side, options):
    """Of a broker of its own, so that what else was stored before does not matter."""
    partitions = options.size(1000, 10)
    with side.fresh() as broker:
        broker.start()
        broker.create_topic("thousand", partitions)
        side.load("partitions", topic="thousand", broker=broker, partitions=partitions, record_bytes=100,
                  requests=partitions)
        broker.stop()
        at = time.perf_counter()
        took = first_answer(broker)
        with broker.connect(120) as connection:
            until_all_are_served(connection, "thousand", partitions)
        every = time.perf_counter() - at
        until_started(broker)
        broker.stop()
    return {"exec to the first answer, ms": took * 1000, "until all partitions are served, ms": every * 1000}


def until_all_are_served(connection, topic, partitions):
    for partition in range(partitions):
        until_served(lambda at=partition: connection.call("ListOffsets", 7, replicaId=-1, topics=[
            {"name": topic, "partitions": [{"partitionIndex": at, "timestamp": -1}]}])["topics"][0]["partitions"][0])


@scenario("kill -9 with 23 MB in 1,000 partitions, and a start", connections="1", batching="22 × 1,000 B", warm=False,
          by_name=True)
def many(side, options):
    partitions = options.size(1000, 10)
    topic = side.topic(partitions)
    side.load("partitions", topic=topic, partitions=partitions, records=22, record_bytes=1000, requests=partitions)
    return killed_and_started(side, topic, partitions)


@scenario("kill -9 with --stored GiB in records of 1 KiB, and a start", connections="4, 5 in flight", batching="16 × 1,000 B",
          warm=False, by_name=True)
def large(side, options):
    topic = side.topic(4)
    side.load("produce", topic=topic, partitions=4, connections=4, in_flight=5, records=16, record_bytes=1000,
              requests=int(options.size(options.stored, 0.01) * (1 << 30) / 16384))
    return killed_and_started(side, topic, 4)


def killed_and_started(side, topic, partitions):
    """Until a record is taken by and read from the last partition, and until all partitions answer."""
    broker = side.broker
    broker.kill()
    at = time.perf_counter()
    first_answer(broker)
    with broker.connect(120) as connection:
        data = base64.b64encode(batch.build([(None, b"x")])).decode()
        offset = until_served(lambda: connection.call("Produce", 9, acks=-1, timeoutMs=60000, topicData=[
            {"name": topic, "partitionData": [{"index": partitions - 1, "records": data}]}
        ])["responses"][0]["partitionResponses"][0])
        until_served(lambda: connection.call("Fetch", 12, maxWaitMs=1000, minBytes=1, maxBytes=1 << 20, sessionEpoch=-1, topics=[
            {"topic": topic, "partitions": [{"partition": partitions - 1, "fetchOffset": offset["baseOffset"],
                                             "partitionMaxBytes": 1 << 20}]}])["responses"][0]["partitions"][0])
        first = time.perf_counter() - at
        until_all_are_served(connection, topic, partitions)
        every = time.perf_counter() - at
    until_started(broker)
    descriptors = len(os.listdir("/proc/%d/fd" % broker.process.pid))
    memory = broker.resident_bytes()
    side.drop(topic)
    return {"to the first answers, s": first, "until all are served, s": every, "memory then, MiB": memory / (1 << 20),
            "descriptors then": descriptors}
