#!/usr/bin/python3
"""The stages of the "build your own Kafka" courses, from "send a correlation id" to "fetch from disk" and "produce to disk".

Started as those harnesses do it: your_program.sh with a server.properties in a temporary place, 6 GiB of address space, on
the sparse data directory of lib/sparse.py. Each answer is read with one recv.
"""
import base64
import os
import select
import shutil
import socket
import struct
import sys
import tempfile
import threading
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import protocol  # noqa: E402
import sparse  # noqa: E402

# The harnesses wait 100 ms. A machine that does other things besides may take longer now and then, and that is no fault of
# the broker's: what counts here is that the answer comes, and in one piece.
ANSWER_SECONDS = 5
RELEASE = os.path.join(harness.ROOT, "build", "release", "kafka-broker")
ADDRESS_SPACE_KIB = 6 * 1024 * 1024


def topic_id(number):
    return uuid.UUID("00000000-0000-4000-8000-%012d" % number)


TOPICS = {
    "bar": (topic_id(1), [b"", b""]),
    "baz": (topic_id(2), [sparse.batches_of(b"Hello World!")]),
    "foo": (topic_id(3), [sparse.batches_of(b"Hello Universe!", b"Hello Kafka!", b"Hello Earth!"), b"", b""]),
    "paz": (topic_id(4), [b""]),
}


class CourseBroker(harness.Broker):
    """As the harness of a course starts it."""

    def __init__(self, topics, **variation):
        folder = tempfile.mkdtemp(prefix="kafka-broker-course-")
        if harness.ORACLE:  # it takes a partition without this file for a stray one
            variation["partition_metadata"] = True
        self.sparse = sparse.DataDirectory(os.path.join(folder, "data"), topics, **variation)
        limit = [] if harness.ORACLE else ["sh", "-c", 'ulimit -v %d; exec "$@"' % ADDRESS_SPACE_KIB, "sh"]
        super().__init__(folder=folder, wrapper=limit)
        self.config = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": "1@localhost:%d" % self.controller_port,
            "listeners": "PLAINTEXT://:%d,CONTROLLER://:%d" % (self.port, self.controller_port),
            "inter.broker.listener.name": "PLAINTEXT",
            "advertised.listeners": "PLAINTEXT://localhost:%d" % self.port,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,"
                                              "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
            "num.network.threads": "3", "num.io.threads": "8",
            "socket.send.buffer.bytes": "102400", "socket.receive.buffer.bytes": "102400",
            "socket.request.max.bytes": "104857600",
            "log.dirs": self.data,
            "num.partitions": "1", "num.recovery.threads.per.data.dir": "1",
            "offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "log.retention.hours": "168", "log.segment.bytes": "1073741824", "log.retention.check.interval.ms": "300000",
        }

    def command(self):
        if harness.ORACLE:
            return super().command()
        # The script starts the release build; another build is started as the script would.
        program = os.path.join(harness.ROOT, "your_program.sh") if harness.BROKER == RELEASE else harness.BROKER
        return self.wrapper + [program, self.properties]

    def close(self):
        super().close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Stages(harness.WithLastWords):

    @classmethod
    def setUpClass(cls):
        cls.broker = CourseBroker(TOPICS)
        cls.addClassCleanup(cls.broker.close)
        cls.broker.start()
        if harness.ORACLE:
            cls.broker.create_topic("warm-up")

    # ---- one exchange, as the harnesses do it

    def dial(self, host="127.0.0.1"):
        connection = socket.create_connection((host, self.broker.port), 5)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, name, version, correlation_id=7, seconds=ANSWER_SECONDS, **values):
        connection.sendall(protocol.request(name, version, values, correlation_id, "kafka-tester"))
        readable, _, _ = select.select([connection], [], [], seconds)
        self.assertTrue(readable, "no answer to %s within %.1f s" % (name, seconds))
        data = connection.recv(1 << 20)
        while harness.ORACLE and len(data) - 4 < struct.unpack(">i", data[:4])[0]:
            data += connection.recv(1 << 20)  # it sends a Fetch's records on their own
        self.assertEqual(len(data) - 4, struct.unpack(">i", data[:4])[0], "the answer comes in one piece")
        got, body = protocol.response(name, version, data)
        self.assertEqual(correlation_id, got)
        return body

    # ---- ApiVersions

    def test_a_correlation_id_comes_back(self):
        for correlation_id in (0, 7, 2147483647):
            self.ask(self.dial(), "ApiVersions", 4, correlation_id, clientSoftwareName="kafka-cli",
                     clientSoftwareVersion="0.1")

    def test_api_versions_lists_what_the_stages_need(self):
        body = self.ask(self.dial(), "ApiVersions", 4, clientSoftwareName="kafka-cli", clientSoftwareVersion="0.1")
        self.assertEqual(0, body["errorCode"])
        versions = {row["apiKey"]: (row["minVersion"], row["maxVersion"]) for row in body["apiKeys"]}
        self.assertGreaterEqual(versions[18][1], 4)
        self.assertGreaterEqual(versions[75][1], 0)
        self.assertGreaterEqual(versions[1][1], 16)
        self.assertGreaterEqual(versions[0][1], 11)

    def test_an_unsupported_version_is_answered_with_35(self):
        connection = self.dial()
        connection.sendall(bytes.fromhex("00000023001267af4f74d28b00096b61666b612d636c69000a6b61666b612d636c6904302e3100"))
        data = connection.recv(4096)
        self.assertEqual(bytes.fromhex("4f74d28b0023"), data[4:10])

    def test_requests_one_after_the_other_and_all_at_once(self):
        connection = self.dial()
        for i in range(5):
            self.ask(connection, "ApiVersions", 4, i, clientSoftwareName="a", clientSoftwareVersion="1")
        with self.broker.connect() as pipelined:
            sent = [pipelined.start("ApiVersions", 4, clientSoftwareName="a", clientSoftwareVersion="1") for _ in range(5)]
            self.assertEqual(sent, [pipelined.finish("ApiVersions", 4)[0] for _ in range(5)])

    def test_clients_at_the_same_time(self):
        clients = [self.dial() for _ in range(10)]
        for connection in reversed(clients):
            self.ask(connection, "ApiVersions", 4, clientSoftwareName="a", clientSoftwareVersion="1")
        errors = []

        def client():
            try:
                connection = self.dial()
                for i in range(50):
                    self.ask(connection, "ApiVersions", 4, i, seconds=5, clientSoftwareName="a", clientSoftwareVersion="1")
            except BaseException as error:  # pylint: disable=broad-except  # to be raised in the test's own thread
                errors.append(error)

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([], errors)

    def test_localhost_by_either_family(self):
        for host in ("127.0.0.1", "::1"):
            with self.subTest(host):
                try:
                    connection = self.dial(host)
                except OSError as error:
                    if host == "::1" and not os.path.exists("/proc/net/if_inet6"):
                        self.skipTest("this machine has no IPv6: %s" % error)
                    raise
                self.ask(connection, "ApiVersions", 4, clientSoftwareName="a", clientSoftwareVersion="1")

    # ---- DescribeTopicPartitions

    def describe(self, *names):
        return self.ask(self.dial(), "DescribeTopicPartitions", 0, topics=[{"name": n} for n in names],
                        responsePartitionLimit=100, cursor=None)

    def test_an_unknown_topic(self):
        body = self.describe("unknown-topic")
        self.assertEqual([(3, "unknown-topic", protocol.NO_ID, [])], [
            (t["errorCode"], t["name"], t["topicId"], t["partitions"]) for t in body["topics"]])
        self.assertIsNone(body["nextCursor"])

    def test_one_topic_with_one_partition_and_with_several(self):
        for name in ("paz", "bar", "foo"):
            with self.subTest(name):
                self.check_description(self.describe(name), name)

    def test_several_topics_are_answered_in_the_order_of_their_names(self):
        self.check_description(self.describe("paz", "bar", "foo"), "bar", "foo", "paz")

    def check_description(self, body, *names):
        self.assertEqual(0, body["throttleTimeMs"])
        self.assertEqual(list(names), [t["name"] for t in body["topics"]])
        for described in body["topics"]:
            id_, logs = TOPICS[described["name"]]
            self.assertEqual((0, sparse.text_of(id_), False),
                             (described["errorCode"], described["topicId"], described["isInternal"]))
            self.assertEqual(list(range(len(logs))), [p["partitionIndex"] for p in described["partitions"]])
            for partition in described["partitions"]:
                self.assertEqual((0, 1, [1], [1], []), (
                    partition["errorCode"], partition["leaderId"], partition["replicaNodes"], partition["isrNodes"],
                    partition["offlineReplicas"]))

    # ---- Fetch

    def fetch(self, *topics, seconds=ANSWER_SECONDS, max_wait_ms=0):
        return self.ask(self.dial(), "Fetch", 16, seconds=seconds, maxWaitMs=max_wait_ms, minBytes=1, maxBytes=52428800,
                        sessionId=0, sessionEpoch=0, rackId="", topics=[
                            {"topicId": sparse.text_of(id_), "partitions": [
                                {"partition": index, "currentLeaderEpoch": -1, "fetchOffset": offset,
                                 "lastFetchedEpoch": -1, "logStartOffset": -1, "partitionMaxBytes": 1048576}]}
                            for id_, index, offset in topics])

    def fetched(self, body):
        self.assertEqual((0, 0), (body["errorCode"], body["throttleTimeMs"]))
        self.assertEqual(1, len(body["responses"]))
        partition, = body["responses"][0]["partitions"]
        return partition["errorCode"], base64.b64decode(partition["records"] or "")

    def test_fetch_of_no_topics(self):
        body = self.fetch()
        self.assertEqual((0, []), (body["errorCode"], body["responses"]))

    def test_fetch_of_a_topic_id_that_nobody_has(self):
        body = self.fetch((topic_id(99), 0, 0))
        self.assertEqual((100, b""), self.fetched(body))
        self.assertEqual(sparse.text_of(topic_id(99)), body["responses"][0]["topicId"])

    def test_fetch_of_an_empty_topic(self):
        body = self.fetch((TOPICS["paz"][0], 0, 0), seconds=ANSWER_SECONDS + 0.5, max_wait_ms=500)
        self.assertEqual((0, b""), self.fetched(body))
        self.assertEqual(sparse.text_of(TOPICS["paz"][0]), body["responses"][0]["topicId"])

    def test_fetch_of_one_record_and_of_several_from_disk(self):
        for name in ("baz", "foo"):
            with self.subTest(name):
                error, records = self.fetched(self.fetch((TOPICS[name][0], 0, 0), max_wait_ms=500))
                self.assertEqual(0, error)
                self.assertEqual(TOPICS[name][1][0], records, "byte for byte what the file holds")
        self.assertEqual([b"Hello Universe!", b"Hello Kafka!", b"Hello Earth!"], batch.values(records))

    def test_fetch_from_the_middle(self):
        _, records = self.fetched(self.fetch((TOPICS["foo"][0], 0, 1)))
        self.assertEqual([b"Hello Kafka!", b"Hello Earth!"], batch.values(records))

    # ---- Produce

    def produce(self, *topics):
        return self.ask(self.dial(), "Produce", 11, acks=-1, timeoutMs=1000, topicData=[
            {"name": name, "partitionData": [{"index": index, "records": base64.b64encode(records).decode()}
                                             for index, records in partitions]} for name, partitions in topics])

    @staticmethod
    def answers(body):
        return [(t["name"], p["index"], p["errorCode"], p["baseOffset"], p["logAppendTimeMs"], p["logStartOffset"])
                for t in body["responses"] for p in t["partitionResponses"]]

    def test_produce_to_a_topic_or_a_partition_that_is_not_there(self):
        records = sparse.batches_of(b"lost")
        self.assertEqual([("nowhere", 0, 3, -1, -1, -1)], self.answers(self.produce(("nowhere", [(0, records)]))))
        self.assertEqual([("bar", 9, 3, -1, -1, -1)], self.answers(self.produce(("bar", [(9, records)]))))

    def test_produce_of_one_record_is_in_the_file_when_it_is_answered(self):
        records = sparse.batches_of(b"Hello Reader!")
        self.assertEqual([("paz", 0, 0, 0, -1, 0)], self.answers(self.produce(("paz", [(0, records)]))))
        with open(self.broker.sparse.log("paz"), "rb") as log:
            self.assertEqual(records[17:], log.read()[17:], "byte for byte but for the leader epoch")

    def test_produce_of_several_records_to_several_partitions_and_topics(self):
        records = batch.build([(None, b"one"), (None, b"two")], timestamp=sparse.TIMESTAMP, leader_epoch=0)
        body = self.produce(("bar", [(0, records), (1, records)]), ("foo", [(1, records)]))
        answers = self.answers(body)
        if harness.ORACLE:
            answers.sort()  # it answers in the order of a hash table; we in that of the request
        self.assertEqual([("bar", 0, 0, 0, -1, 0), ("bar", 1, 0, 0, -1, 0), ("foo", 1, 0, 0, -1, 0)], answers)
        for name, index in (("bar", 0), ("bar", 1), ("foo", 1)):
            with open(self.broker.sparse.log(name, index), "rb") as log:
                self.assertEqual([b"one", b"two"], batch.values(log.read()))
        _, read = self.fetched(self.fetch((TOPICS["foo"][0], 1, 0)))
        self.assertEqual([b"one", b"two"], batch.values(read))


@harness.ours_only
class OtherDirectories(unittest.TestCase):
    """Variations in what harnesses write."""

    def check_served(self, broker, name, log):
        with broker.connect() as connection:
            body = connection.call("DescribeTopicPartitions", 0, topics=[{"name": name}], responsePartitionLimit=10,
                                   cursor=None)
            self.assertEqual(0, body["topics"][0]["errorCode"])
            answer = connection.call("Fetch", 16, maxWaitMs=0, minBytes=1, sessionEpoch=-1, topics=[
                {"topicId": body["topics"][0]["topicId"], "partitions": [
                    {"partition": 0, "fetchOffset": 0, "partitionMaxBytes": 1 << 20}]}])
            self.assertEqual(log, base64.b64decode(answer["responses"][0]["partitions"][0]["records"] or ""))

    def test_a_directory_id_without_padding(self):
        broker = CourseBroker(TOPICS, padded_directory_id=False)
        self.addCleanup(broker.close)
        with broker:
            self.check_served(broker, "baz", TOPICS["baz"][1][0])

    def test_partitions_that_have_their_metadata_file(self):
        broker = CourseBroker(TOPICS, partition_metadata=True)
        self.addCleanup(broker.close)
        with broker:
            self.check_served(broker, "baz", TOPICS["baz"][1][0])

    def test_no_topics_at_all(self):
        broker = CourseBroker({})
        self.addCleanup(broker.close)
        with broker:
            with broker.connect() as connection:
                self.assertEqual([], connection.call("Metadata", 12, topics=None)["topics"])

    def test_such_a_directory_is_opened_again_and_again(self):
        broker = CourseBroker(TOPICS)
        self.addCleanup(broker.close)
        for end in (broker.stop, broker.kill, broker.stop):
            broker.start()
            self.check_served(broker, "foo", TOPICS["foo"][1][0])
            end()


if __name__ == "__main__":
    harness.main()
