"""All that a broker serves, read as a consumer reads it."""
import base64
import time

import batch


def eventually(look):
    """What it gives, once it does not complain any more: coordinators take a moment."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return look()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Served:
    """Reads through self.connection, which is for whoever derives from this to open; failures are those of `test`."""

    def __init__(self, test):
        self.test = test
        self.connection = None

    def partitions(self):
        topics = self.connection.call("Metadata", 12, topics=None)["topics"]
        return sorted((t["name"], p["partitionIndex"]) for t in topics for p in t["partitions"])

    def everything(self):
        """{partition: ([batch], [aborted transaction])}"""
        return {place: self.read(*place) for place in self.partitions()}

    def read(self, topic, partition):
        batches, aborted, position = [], set(), self.offset(topic, partition, -2)
        end = self.offset(topic, partition, -1)
        while position < end:
            answer = self.connection.call("Fetch", 12, maxWaitMs=1000, minBytes=1, maxBytes=1 << 26, isolationLevel=1,
                                          sessionEpoch=-1, topics=[{"topic": topic, "partitions": [
                                              {"partition": partition, "fetchOffset": position,
                                               "partitionMaxBytes": 1 << 20}]}])
            part = answer["responses"][0]["partitions"][0]
            self.test.assertEqual(0, part["errorCode"], (topic, partition, position))
            found = batch.read(base64.b64decode(part["records"] or ""))
            if not found:
                break
            batches += [head["bytes"] for head, _ in found]
            aborted |= {(a["producerId"], a["firstOffset"]) for a in part["abortedTransactions"] or []}
            position = found[-1][0]["last_offset"] + 1
        return batches, sorted(aborted)

    def offset(self, topic, partition, timestamp):
        answer = self.connection.call("ListOffsets", 7, replicaId=-1, topics=[{"name": topic, "partitions": [
            {"partitionIndex": partition, "timestamp": timestamp}]}])["topics"][0]["partitions"][0]
        self.test.assertEqual(0, answer["errorCode"], (topic, partition))
        return answer["offset"]
