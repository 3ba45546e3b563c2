"""Scenarios of fetching, and of records that are waited for."""
import json
import os

from measure.scenario import KAFKA, LIMIT, OURS, Ask, scenario
from measure.sides import restart
from measure.writing import fill

RATE = 1000  # messages a second


def filled(side, options):
    """A topic of 16 KiB batches in the page cache, made once for all scenarios that read it."""
    if "filled" not in side.kept and side.name == LIMIT:
        side.kept["filled"] = side.topic(4, fill_bytes=int(options.gigabytes * 1e9 / 4))
    elif "filled" not in side.kept:
        side.kept["filled"] = side.topic(4)
        fill(side, side.kept["filled"], options.gigabytes)
        os.sync()
    return side.kept["filled"]


@scenario("what was written is read again and again, 1 MiB per fetch", connections="4", batching="16 × 1 KiB", limit="fetch")
def fetch(side, options):
    result = side.load("fetch", topic=filled(side, options), partitions=4, connections=4, seconds=options.seconds)
    return {"CPU per GB, s": result["cpu_s_per_gb"], "MB per second": result["mb_per_s"]}


@scenario("a backlog in the page cache read in 1 MiB pieces, and read again; ours was restarted before and has verified nothing "
          "yet", connections="4", batching="16 × 1 KiB", limit="fetch",
          asks=[Ask("first read: CPU per GB, s", of_kafka=0.9, of_limit=1.5),
                Ask("read again: CPU per GB, s", of_kafka=0.75, of_limit=1.2)])
def backlog(side, options):
    """Apache Kafka verifies nothing when it reads, so a restart would only cost its JVM what it has learnt."""
    topic = filled(side, options)
    if side.name == OURS:
        restart(side.broker)
    result = side.load("fetch", topic=topic, partitions=4, connections=4, passes=2)
    first, again = result["passes"]
    return {"first read: CPU per GB, s": first["cpu_s_per_gb"], "read again: CPU per GB, s": again["cpu_s_per_gb"],
            "first read: MB per second": first["mb_per_s"], "read again: MB per second": again["mb_per_s"]}


def latency(side, topic, options, mode="latency", **flags):
    return side.load(mode, **{"topic": topic, "rate": RATE, "record_bytes": 1024, "seconds": options.seconds, **flags})


def per_message(result):
    return {"CPU per message, µs": result["cpu_us_per_message"], "p50, µs": result["p50_us"],
            "p99, µs": result["p99_us"], "p99.9, µs": result["p999_us"],
            "context switches per message": (result["voluntary_switches"] + result["involuntary_switches"]) / result["messages"],
            "the load's own delay, p99, µs": result["late_p99_us"]}


@scenario("1,000 messages a second end to end, from when a send was due; 1 partition, acks=1",
          connections="1 producer, 1 consumer", batching="1 × 1 KiB", limit="produce",
          asks=[Ask("CPU per message, µs", of_kafka=1 / 6, of_limit=2), Ask("p50, µs", of_kafka=0.6, of_limit=2),
                Ask("p99, µs", of_kafka=1 / 3)])
def steady(side, options):
    topic = side.topic(1)
    result = latency(side, topic, options, **picture(side, options))
    side.drop(topic)
    if side.name == KAFKA:
        with open(beside(options), "w", encoding="utf-8") as out:
            json.dump(result, out)
    return per_message(result)


def beside(options):
    return os.path.join(options.scratch, "latency-of-apache-kafka.json")


def picture(side, options):
    """Our latencies drawn into the file of the record, beside those that Apache Kafka had last."""
    flags = {"label": side.name}
    if side.name == OURS and options.picture:
        flags["svg"] = options.picture
        if os.path.exists(beside(options)):
            flags["svg_compare"] = beside(options)
    return flags


@scenario("100 consumers tail one partition at 1,000 messages a second, acks=1", connections="1 producer, 100 consumers",
          batching="1 × 1 KiB", limit="produce",
          asks=[Ask("CPU per message, µs", of_kafka=1 / 5)])
def tail(side, options):
    topic = side.topic(1)
    result = latency(side, topic, options, consumers=options.size(100, 5))
    side.drop(topic)
    return per_message(result)


@scenario("tail readers at 1,000 messages a second, without and with another consumer that reads a backlog of 10 GB "
          "(--backlog-gb) from the disk", connections="1 producer, 1 tail reader, 1 backlog reader", batching="1 × 1 KiB",
          by_name=True, asks=[Ask("p99 with, times without", below=2)])
def mixed(side, options):
    if "cold" not in side.kept:
        side.kept["cold"] = side.topic(1)
        write_cold(side, side.kept["cold"], options.size(options.backlog_gb, 0.01))
    topic = side.topic(1)
    drop_from_page_cache(side.broker, side.kept["cold"])
    result = latency(side, topic, options, "mixed", backlog_topic=side.kept["cold"], seconds=options.size(10, options.seconds))
    side.drop(topic)
    without, beside = result["without"], result["with"]
    return {"p50 without, µs": without["p50_us"], "p50 with, µs": beside["p50_us"],
            "p99 without, µs": without["p99_us"], "p99 with, µs": beside["p99_us"],
            "p99 with, times without": beside["p99_us"] / max(without["p99_us"], 1),
            "backlog read, GB": beside["backlog_bytes"] / 1e9, "backlog read, MB per second": beside["backlog_mb_per_s"]}


def write_cold(side, topic, gigabytes):
    side.load("produce", topic=topic, connections=4, in_flight=1, records=980, record_bytes=1010, acks=1,
              requests=max(8, int(gigabytes * 1e9 / 1e6)))


def drop_from_page_cache(broker, topic):
    """Only what is on the disk can be dropped."""
    folder = os.path.join(broker.data, topic + "-0")
    for name in os.listdir(folder):
        descriptor = os.open(os.path.join(folder, name), os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
