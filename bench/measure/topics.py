"""A scenario of many topics."""
import os
import statistics
import time

import protocol
from measure.scenario import scenario


@scenario("10,000 topics, 1,000 per request, and what they cost then", connections="1", warm=False, by_name=True)
def topics(side, options):
    requests, each, changes = options.size(10, 2), options.size(1000, 10), options.size(100, 5)
    broker = side.broker
    side.topics += 1
    names = [["topics-%d-%d-%d" % (side.topics, i, j) for j in range(each)] for i in range(requests)]
    with broker.connect(300) as connection:
        answered, served = zip(*[create(connection, of_a_request) for of_a_request in names])
        before = broker.cpu_seconds()
        for _ in range(20):
            listed = connection.call("Metadata", 12, topics=None)["topics"]
        metadata = (broker.cpu_seconds() - before) / 20
        assert len(listed) >= requests * each
        before, of_each = broker.cpu_seconds(), reactor_cpu(broker)
        for i in range(changes):
            answer = connection.call("CreatePartitions", 3, timeoutMs=60000, topics=[
                {"name": names[0][i], "count": 2, "assignments": None}])
            assert answer["results"][0]["errorCode"] == 0, answer
        change = (broker.cpu_seconds() - before) / changes
        busiest = max((after - of_each[name] for name, after in reactor_cpu(broker).items()), default=None)
        for of_a_request in names:
            connection.call("DeleteTopics", 6, timeoutMs=300000, topics=[{"name": name} for name in of_a_request])
    return {"one request answered, s": statistics.median(answered), "its topics served, s": statistics.median(served),
            "CPU per Metadata of all, ms": 1000 * metadata, "CPU per change, ms": 1000 * change,
            **({} if busiest is None else {"of it on the busiest reactor, ms": 1000 * busiest / changes})}


def reactor_cpu(broker):
    """Seconds of CPU by reactor; none where the broker has none."""
    seconds = {}
    for thread in os.listdir("/proc/%d/task" % broker.process.pid):
        folder = "/proc/%d/task/%s" % (broker.process.pid, thread)
        with open(folder + "/comm", encoding="utf-8") as comm, open(folder + "/schedstat", encoding="ascii") as stat:
            name = comm.read().strip()
            if name.startswith("reactor-"):
                seconds[name] = int(stat.read().split()[0]) / 1e9
    return seconds


def create(connection, names):
    """Seconds until the request is answered, without what our own writing and reading takes; and until all of its topics
    are served."""
    connection.start("CreateTopics", 7, timeoutMs=300000, topics=[
        {"name": name, "numPartitions": 1, "replicationFactor": 1} for name in names])
    at = time.perf_counter()
    _, received = connection.receive()
    answered = time.perf_counter() - at
    _, answer = protocol.response("CreateTopics", 7, received)
    assert not any(topic["errorCode"] for topic in answer["topics"])
    asked = [{"name": name, "partitions": [{"partitionIndex": 0, "timestamp": -1}]} for name in names]
    while any(p["errorCode"] for t in connection.call("ListOffsets", 7, replicaId=-1, topics=asked)["topics"]
              for p in t["partitions"]):
        pass
    return answered, time.perf_counter() - at
