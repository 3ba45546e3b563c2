"""Scenarios of producing."""
import json
import os

from measure import BUILD
from measure.scenario import OURS, Ask, scenario
import harness


def produce(side, topic, options, **flags):
    """For the time of a round."""
    return side.load("produce", **{"topic": topic, "seconds": options.seconds, **flags})


def in_batches(side, topic, gigabytes, records, record_bytes, in_flight):
    batch_bytes = 61 + records * (record_bytes + 9)  # what a batch and a record add
    return side.load("produce", topic=topic, partitions=4, connections=4, in_flight=in_flight, records=records,
                     record_bytes=record_bytes, requests=max(8, int(gigabytes * 1e9 / batch_bytes)))


def fill(side, topic, gigabytes):
    """Batches of 16 KiB, as those of `batches`."""
    return in_batches(side, topic, gigabytes, 16, 1010, 5)


def per_gigabyte(result):
    return {"CPU per GB, s": result["cpu_s_per_gb"], "MB per second": result["mb_per_s"], "p99, µs": result["p99_us"]}


@scenario("a request with one record of 100 bytes, acks=1", connections="32", batching="1 × 100 B", limit="produce",
          asks=[Ask("CPU per request, µs", of_kafka=1 / 4, of_limit=1.5)])
def small(side, options):
    topic = side.topic(4)
    result = produce(side, topic, options, partitions=4, connections=32, records=1, record_bytes=100)
    side.drop(topic)
    return {"CPU per request, µs": result["cpu_us_per_request"], "requests per second": result["requests_per_s"],
            "p99, µs": result["p99_us"], "context switches per request": switches(result)}


def switches(result):
    return result["voluntary_switches_per_request"] + result["involuntary_switches_per_request"]


def one_round(side, options, *shape):
    topic = side.topic(4)
    result = in_batches(side, topic, options.gigabytes, *shape)
    side.drop(topic)
    return per_gigabyte(result)


@scenario("batches of 16 KiB, of 16 records of 1 KiB, acks=1", connections="4, 5 in flight", batching="16 × 1 KiB",
          limit="produce", asks=[Ask("CPU per GB, s", of_kafka=0.4, of_limit=1.3)])
def batches(side, options):
    return one_round(side, options, 16, 1010, 5)


@scenario("batches of 16 KiB, of 160 records of 94 bytes, acks=1", connections="4, 5 in flight", batching="160 × 94 B",
          limit="produce")
def short(side, options):
    return one_round(side, options, 160, 94, 5)


@scenario("batches of 1 MB, of 980 records of 1 KiB, acks=1", connections="4, 1 in flight", batching="980 × 1 KiB",
          limit="produce", asks=[Ask("CPU per GB, s", of_kafka=0.6, of_limit=1.2)])
def big(side, options):
    return one_round(side, options, 980, 1010, 1)


@scenario("acks=all and on the disk before the answer, one partition, next to flushes that one thread makes",
          connections="1 and 64, 1 and 5 in flight", batching="1 × 100 B", durability="disk")
def durable(side, options):
    return flushed(side, options, 0)


@scenario("the same on a disk whose flush takes 2 ms (--flush-ms)", connections="1 and 64, 1 and 5 in flight",
          batching="1 × 100 B", durability="disk", warm=False)
def slow(side, options):
    """The delay is added to the processes: the disk under them stays as it is."""
    if harness.SANITIZED:  # whose library must be the first
        return flushed(side, options, 0)
    side.broker.stop()
    side.broker.env = slow_flushes(options.flush_ms)
    side.broker.start()
    figures = flushed(side, options, options.flush_ms)
    side.broker.stop()
    side.broker.env = None
    side.broker.start()
    return figures


def flushed(side, options, flush_ms):
    """Next to two ways of flushing once per request: a thread that does nothing else, and one connection that waits."""
    topic = side.topic(1, flush_messages="1")

    def load(connections, in_flight=1):
        return produce(side, topic, options, connections=connections, in_flight=in_flight, records=1, record_bytes=100, acks=-1)

    one = load(1)
    limit = flush_limit(side.broker.folder, one["bytes"] // one["requests"], flush_ms, options)
    many_of_them, with_more = load(64), load(64, 5)
    side.drop(topic)
    figures = {"64 connections, requests per s": many_of_them["requests_per_s"],
               "  p99, µs": many_of_them["p99_us"],
               "  CPU per request, broker, µs": many_of_them["cpu_us_per_request"],
               "  CPU per request, load, µs": many_of_them["load_cpu_us_per_request"],
               "  processors that these two keep busy":
                   (many_of_them["cpu_us"] + many_of_them["load_cpu_us"]) / many_of_them["took_us"],
               "64 with 5 in flight, requests per s": with_more["requests_per_s"],
               "1 connection, requests per s": one["requests_per_s"],
               "limit of a flush per request, per s": limit}
    for name, result in (("64", many_of_them), ("64 with 5 in flight", with_more)):
        figures[name + ", times 1 connection"] = result["requests_per_s"] / one["requests_per_s"]
        figures[name + ", times the limit"] = result["requests_per_s"] / limit
    return figures


def flush_limit(folder, size, flush_ms, options):
    """How often a second one thread can append so many bytes and flush them."""
    done = harness.run([os.path.join(BUILD, "flush_limit"), "--file=" + os.path.join(folder, "flush-limit"), "--bytes=%d" % size,
                        "--seconds=%s" % options.seconds], env=slow_flushes(flush_ms))
    return json.loads(done.stdout)["flushes_per_s"]


def slow_flushes(flush_ms):
    """The environment of a process whose flushes take so long at least."""
    if flush_ms == 0:
        return None
    return os.environ | {"LD_PRELOAD": os.path.join(BUILD, "slow_flush.so"), "FLUSH_US": "%d" % (flush_ms * 1000)}


@scenario("`small` and `batches` with 1, 2 and 4 event loops", connections="32; 4, 5 in flight",
          batching="1 × 100 B; 16 × 1 KiB", sides=(OURS,), warm=False)
def reactors(side, options):
    figures = {}
    for number in (1, 2, 4):
        with side.fresh(arguments=["--reactors=%d" % number]) as broker:
            broker.start()
            broker.create_topic("small", 4)
            result = side.load("produce", topic="small", broker=broker, partitions=4, connections=32, records=1, record_bytes=100,
                               seconds=options.seconds)
            figures["%d: CPU per request, µs" % number] = result["cpu_us_per_request"]
            figures["%d: requests per second" % number] = result["requests_per_s"]
            figures["%d: p99 of them, µs" % number] = result["p99_us"]
            broker.create_topic("batches", 4)
            result = side.load("produce", topic="batches", broker=broker, partitions=4, connections=4, in_flight=5, records=16,
                               record_bytes=1010, requests=max(8, int(options.gigabytes * 1e9 / 16384)))
            figures["%d: CPU per GB, s" % number] = result["cpu_s_per_gb"]
            figures["%d: MB per second" % number] = result["mb_per_s"]
            broker.stop()
    return figures
