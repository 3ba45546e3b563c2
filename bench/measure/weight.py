"""Scenarios of what connections and partitions weigh when there are many."""
from measure.scenario import KAFKA, OURS, Ask, scenario
from measure.sides import restart

MIB = 1 << 20
FLAT = 1.25  # times what it costs with few


@scenario("10,000 connections opened one after another, each answered before the next", connections="10,000", durability="–",
          limit="pingpong", warm=False, asks=[Ask("until all are served, s", below=2)])
def storm(side, options):
    topic = side.topic(1)
    result = side.load("storm", connections=options.size(10000, 50))
    side.drop(topic)
    first = result["rounds"][0]
    return {"until all are served, s": result["one_by_one_s"], "CPU per connection, µs": first["cpu_us_per_connection"],
            "p99 of a connection, µs": first["p99_us"]}


@scenario("1,000 connections that were served once and are silent", connections="1,000", durability="–",
          warm=False)
def idle(side, options):
    restart(side.broker)  # so that it has no memory of earlier connections to use again
    result = side.load("idle", connections=options.size(1000, 50))
    return {"memory that they add, MiB": result["grown_bytes"] / MIB, "memory in all, MiB": result["resident_bytes"] / MIB}


@scenario("resident memory: nothing there, 10,000 connections that were served once, 10,000 partitions", connections="10,000",
          durability="–", warm=False,
          asks=[Ask("idle, MiB", below=12), Ask("with 10,000 connections, MiB", below=24),
                Ask("with 10,000 partitions, MiB", below=96)])
def memory(side, options):
    """Apache Kafka has four open files for a partition, which is more than a machine may allow for so many."""
    figures = {}
    with side.fresh() as broker:
        broker.start()
        figures["idle, MiB"] = broker.resident_bytes() / MIB
        result = side.load("idle", broker=broker, connections=options.size(10000, 50))
        figures["with 10,000 connections, MiB"] = result["resident_bytes"] / MIB
        broker.stop()
    if side.name == KAFKA:
        return figures
    with side.fresh() as broker:
        broker.start()
        create_many(broker, "many", options.size(10000, 20))
        figures["with 10,000 partitions, MiB"] = broker.resident_bytes() / MIB
        broker.kill()  # a clean stop flushes them all, and nobody wants them again
    return figures


def create_many(broker, topic, partitions):
    """A request may create only so many at once."""
    broker.create_topic(topic, partitions // 2)
    with broker.connect(120) as connection:
        answer = connection.call("CreatePartitions", 3, timeoutMs=60000, topics=[
            {"name": topic, "count": partitions, "assignments": None}])
        assert answer["results"][0]["errorCode"] == 0, answer
        broker.wait_until_topic_is_served(connection, topic, partitions)


@scenario("one record of 100 bytes per request, one in flight of each of 10, 1,000 and 10,000 connections, and of 10 "
          "beside 10,000 that are silent, acks=1", connections="10 … 10,000", batching="1 × 100 B", sides=(OURS,),
          limit="produce", warm=False,
          asks=[Ask("10,000 times 10", below=FLAT), Ask("10 beside 10,000 silent ones, times 10", below=FLAT)])
def connections(side, options):
    """Ten thousand that are busy leave the processor's caches behind whoever serves them: the limit shows by how much."""
    topic = side.topic(4)

    def cost(number):
        return side.load("produce", topic=topic, partitions=4, connections=number, record_bytes=100,
                         seconds=options.seconds)["cpu_us_per_request"]

    few, more, most = (cost(options.size(number, max(number // 100, 2))) for number in (10, 1000, 10000))
    with side.silent(options.size(10000, 50)):
        beside = cost(options.size(10, 2))
    side.drop(topic)
    return {"10: CPU per request, µs": few, "1,000: CPU per request, µs": more, "10,000: CPU per request, µs": most,
            "10 beside 10,000 silent ones: CPU per request, µs": beside, "10,000 times 10": most / few,
            "10 beside 10,000 silent ones, times 10": beside / few}


@scenario("one record of 100 bytes per request, to 10, 1,000 and 10,000 partitions by turns, acks=1", connections="10",
          batching="1 × 100 B", sides=(OURS,), warm=False, asks=[Ask("10,000 times 10", below=FLAT)])
def partitions(side, options):
    figures = {}
    for number in (10, 1000, 10000):
        with side.fresh() as broker:
            broker.start()
            partitions_now = options.size(number, max(number // 100, 2))
            create_many(broker, "many", partitions_now)
            result = side.load("partitions", topic="many", broker=broker, partitions=partitions_now, connections=10, records=1,
                               record_bytes=100, seconds=options.seconds)
            figures["{:,}: CPU per request, µs".format(number)] = result["cpu_us_per_request"]
            broker.kill()  # a clean stop flushes them all, and nobody wants them again
    figures["10,000 times 10"] = figures["10,000: CPU per request, µs"] / figures["10: CPU per request, µs"]
    return figures
