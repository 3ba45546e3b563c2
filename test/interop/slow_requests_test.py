#!/usr/bin/python3
"""A request that takes long leaves one line in the log that says where its time went; one that waits because it was told to
leaves none. The disk is made slow for it (bench/slow_flush.cc), so only what waits for the disk is."""
import base64
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import protocol  # noqa: E402

SLOW_FLUSH = os.path.join(os.environ.get("TOOLS", os.path.dirname(harness.BROKER)), "slow_flush.so")
if harness.ORACLE:
    harness.skip("Apache Kafka has no such line")
if harness.SANITIZED:
    harness.skip("the sanitizer's runtime wants to be the first that is loaded")
if not os.path.exists(SLOW_FLUSH):
    harness.skip("no %s (target slow_flush)" % SLOW_FLUSH)

FLUSH_MS = 400
SLOW_MS = 300
LINE = re.compile(r'slow request: (\w+) v(\d+) of client "([^"]*)" at 127\.0\.0\.1:(\d+) took ([0-9.]+) ms: '
                  r'((?:[a-z]+ [0-9.]+ ?)+); (\d+) bytes in, (\d+) out(?:, partitions: (\d+))?$')


class SlowRequests(harness.BrokerTest):
    CONFIG = {"request.slow.ms": str(SLOW_MS)}
    ARGUMENTS = ("--reactors=2",)

    @classmethod
    def new_broker(cls):
        env = os.environ | {"LD_PRELOAD": SLOW_FLUSH, "FLUSH_US": str(FLUSH_MS * 1000)}
        return harness.Broker(cls.CONFIG, arguments=cls.ARGUMENTS, env=env)

    def ask(self, client_id, name, version, **values):
        """On a connection of its own; the answer, and the port that it was asked from."""
        with self.broker.connect() as connection:
            port = connection.socket.getsockname()[1]
            connection.send(protocol.request(name, version, values, 1, client_id=client_id))
            return connection.finish(name, version)[1], port

    def produce(self, client_id, topic, acks):
        records = base64.b64encode(batch.build([(b"k", b"v")], timestamp=int(time.time() * 1000))).decode()
        answer, port = self.ask(client_id, "Produce", 9, acks=acks, timeoutMs=30000, topicData=[
            {"name": topic, "partitionData": [{"index": 0, "records": records}]}])
        self.assertEqual(0, answer["responses"][0]["partitionResponses"][0]["errorCode"])
        return port

    def lines(self, client_id):
        """What was said of that client's requests. Behind a later line, so nothing is on its way any more."""
        said = [LINE.search(line) for line in self.broker.process.output().splitlines() if "slow request: " in line]
        self.assertNotIn(None, said, "a line that cannot be read")
        return [match for match in said if match.group(3) == client_id]

    def test_one_line_with_the_stage_that_was_slow(self):
        topic = self.topic()
        port = self.produce("writer \n\"1\"", topic, -1)
        self.broker.process.wait_for_line("slow request: Produce")
        self.produce("witness", topic, -1)
        self.broker.process.wait_for_line('slow request: Produce .*"witness"')
        line, = self.lines(r"writer \x0a\x221\x22")
        self.assertEqual(("Produce", "9", str(port), "1"), line.group(1, 2, 4, 9))
        took = float(line.group(5))
        stages = {name: float(ms) for name, ms in re.findall(r"([a-z]+) ([0-9.]+)", line.group(6))}
        self.assertLessEqual({"decode", "append", "durable", "answer", "send"}, set(stages))
        self.assertNotIn("park", stages)
        self.assertGreaterEqual(stages["durable"], SLOW_MS / 2, "most of it is the disk's")
        self.assertGreaterEqual(took, SLOW_MS)
        self.assertAlmostEqual(took, sum(stages.values()), delta=0.02)
        self.assertGreater(int(line.group(7)), 100)
        self.assertGreater(int(line.group(8)), 20)

    def test_who_waits_because_he_was_told_to_is_not_slow(self):
        topic = self.topic()
        answer, _ = self.ask("patient", "Fetch", 12, replicaId=-1, maxWaitMs=3 * SLOW_MS, minBytes=1, maxBytes=1 << 20,
                             isolationLevel=0, sessionId=0, sessionEpoch=-1, forgottenTopicsData=[], rackId="",
                             topics=[{"topic": topic, "partitions": [
                                 {"partition": 0, "currentLeaderEpoch": -1, "fetchOffset": 0, "lastFetchedEpoch": -1,
                                  "logStartOffset": -1, "partitionMaxBytes": 1 << 20}]}])
        self.assertEqual(0, answer["errorCode"])
        self.produce("behind", topic, -1)
        self.broker.process.wait_for_line('slow request: Produce .*"behind"')
        self.assertEqual([], self.lines("patient"))


class Never(harness.WithLastWords):
    def test_no_lines_where_none_are_wanted(self):
        env = os.environ | {"LD_PRELOAD": SLOW_FLUSH, "FLUSH_US": "100000"}
        for value, lines in (("0", False), ("-1", False), ("50", True)):
            with harness.Broker({"request.slow.ms": value}, env=env) as self.broker:
                self.broker.create_topic("topic")
                self.broker.stop()
                self.assertEqual(lines, "slow request: CreateTopics" in self.broker.process.output(), value)


if __name__ == "__main__":
    harness.main()
