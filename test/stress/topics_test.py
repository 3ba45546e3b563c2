#!/usr/bin/python3
"""10,000 topics from creation to deletion, and topics that are deleted while producers and consumers use them: every answer
says what it should, and neither a directory nor a descriptor stays."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import base64  # noqa: E402

import batch  # noqa: E402
import harness  # noqa: E402

TOPICS, PER_REQUEST, PER_PAGE = 10000, 1000, 2000
UNKNOWN = (3, 100)  # UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID


class Topics(harness.BrokerTest):
    CONFIG = {"log.segment.delete.delay.ms": "200"}

    def directories(self, prefix):
        return [name for name in os.listdir(self.broker.data) if name.startswith(prefix)]

    def descriptors(self):
        folder = "/proc/%d/fd" % self.broker.process.pid
        names = []
        for number in os.listdir(folder):
            try:
                names.append(os.readlink(os.path.join(folder, number)))
            except FileNotFoundError:
                pass  # closed meanwhile
        return names

    def until(self, look):
        deadline = time.monotonic() + 120
        while not look():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_ten_thousand_topics(self):
        names = ["many-%05d" % i for i in range(TOPICS)]
        with self.broker.connect(timeout=300) as connection:
            for first in range(0, TOPICS, PER_REQUEST):
                answer = connection.call("CreateTopics", 7, timeoutMs=300000, topics=[
                    {"name": name, "numPartitions": 1, "replicationFactor": 1} for name in names[first:first + PER_REQUEST]])
                self.assertEqual({0}, {topic["errorCode"] for topic in answer["topics"]})
            found, cursor, pages = [], None, 0
            while True:
                page = connection.call("DescribeTopicPartitions", 0, topics=[], responsePartitionLimit=PER_PAGE, cursor=cursor)
                self.assertLessEqual(sum(len(topic["partitions"]) for topic in page["topics"]), PER_PAGE)
                found += [topic["name"] for topic in page["topics"] if topic["name"].startswith("many-")]
                pages, cursor = pages + 1, page["nextCursor"]
                if cursor is None:
                    break
                cursor = {"topicName": cursor["topicName"], "partitionIndex": cursor["partitionIndex"]}
            self.assertEqual(names, found, "each once, in order")
            self.assertGreaterEqual(pages, TOPICS // PER_PAGE)
            self.assertEqual(TOPICS, len(self.directories("many-")))
            for first in range(0, TOPICS, PER_REQUEST):
                answer = connection.call("DeleteTopics", 6, timeoutMs=300000, topics=[
                    {"name": name} for name in names[first:first + PER_REQUEST]])
                self.assertEqual({0}, {topic["errorCode"] for topic in answer["responses"]})
            listed = connection.call("Metadata", 12, topics=None)["topics"]
            self.assertEqual([], [topic["name"] for topic in listed if topic["name"].startswith("many-")])
        self.until(lambda: not self.directories("many-"))
        self.assertEqual([], [name for name in self.descriptors() if "/many-" in name])

    def test_a_topic_is_deleted_while_it_is_used(self):
        for round_number in range(3):
            name = "used-%d" % round_number
            topic_id = self.broker.create_topic(name, 8)
            records = batch.build([(b"k", b"v" * 1000)] * 10)
            seen, wrong, gone = {"Produce": 0, "Fetch": 0}, [], threading.Event()

            def work(api, version, request, code_of):
                with self.broker.connect(timeout=60) as connection:
                    while True:
                        was_gone = gone.is_set()
                        code = code_of(connection.call(api, version, **request))
                        if code == 0:
                            seen[api] += 1
                            if was_gone:
                                wrong.append("%s succeeded after the deletion" % api)
                                return
                            continue
                        if code not in UNKNOWN:
                            wrong.append("%s: %d" % (api, code))
                        return

            def produce(partition):
                work("Produce", 9, {"transactionalId": None, "acks": -1, "timeoutMs": 30000, "topicData": [
                    {"name": name, "partitionData": [
                        {"index": partition, "records": base64.b64encode(records).decode()}]}]},
                     lambda answer: answer["responses"][0]["partitionResponses"][0]["errorCode"])

            def fetch(partition):
                work("Fetch", 13, {"maxWaitMs": 100, "minBytes": 1, "maxBytes": 1 << 20, "isolationLevel": 0, "sessionEpoch": -1,
                                   "topics": [{"topicId": topic_id, "partitions": [
                                       {"partition": partition, "fetchOffset": 0, "partitionMaxBytes": 1 << 16,
                                        "currentLeaderEpoch": -1}]}]},
                     lambda answer: answer["errorCode"] or answer["responses"][0]["partitions"][0]["errorCode"])

            threads = [threading.Thread(target=job, args=(partition,)) for partition in range(8) for job in (produce, fetch)]
            for thread in threads:
                thread.start()
            self.until(lambda: seen["Produce"] > 50 and seen["Fetch"] > 50)
            with self.broker.connect(timeout=60) as connection:
                answer = connection.call("DeleteTopics", 6, timeoutMs=60000, topics=[{"name": name}])
            gone.set()
            self.assertEqual(0, answer["responses"][0]["errorCode"])
            for thread in threads:
                thread.join(60)
            self.assertEqual([], wrong)
            self.until(lambda n=name: not self.directories(n + "-"))
            self.until(lambda n=name: not [path for path in self.descriptors() if "/" + n + "-" in path])


if __name__ == "__main__":
    harness.main()
