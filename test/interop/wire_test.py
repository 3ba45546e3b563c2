#!/usr/bin/python3
"""Odd and malformed requests get the bytes that Apache Kafka 4.3.1 answered them with: test/golden/vectors/wire, recorded
from it.

Where the broker differs on purpose the case says so: see OURS. The folder of the recordings comes from GOLDEN_DIR where
that is set.
"""
import base64
import gzip
import json
import os
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import protocol  # noqa: E402

GOLDEN = os.environ.get("GOLDEN_DIR", harness.GOLDEN)
SILENCE_SECONDS = 0.3  # how long a broker that must not answer is listened to

# The header is whole, and the body only names the client: we answer before we close, Apache Kafka closes without a word.
CUT_BODY = "ApiVersions v3, no body"

# The APIs that must be advertised with exactly Apache Kafka's versions.
SERVED = {0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38,
          39, 40, 41, 43, 44, 45, 46, 48, 49, 50, 51, 55, 57, 60, 61, 64, 74, 75}


def lines(name):
    with open(os.path.join(GOLDEN, "wire", name), encoding="utf-8") as text:
        return [json.loads(line) for line in text]


def sent_bytes(probe):
    """The recording shortens the one request that has a client id of 32,767 times the letter x."""
    text = probe["sent"]
    if "..." in text:
        return bytes.fromhex(text[:text.index("78787878")]) + b"x" * 32767
    return bytes.fromhex(text)


class Probes(harness.BrokerTest):
    """One recorded request each: probes.jsonl."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.broker.create_topic("probe")
        cls.probes = lines("probes.jsonl")

    def connection(self, probe, timeout=30):
        port = self.broker.controller_port if probe["listener"] == "controller" else self.broker.port
        return self.broker.connect(timeout, port)

    def answer(self, probe):
        """(outcome, bytes), and whether the connection then still serves a request."""
        with self.connection(probe) as connection:
            if probe["name"] == "one byte at a time":
                for byte in sent_bytes(probe):
                    connection.send(bytes([byte]))
            else:
                connection.send(sent_bytes(probe))
            if probe["outcome"] == "timeout" and not self.null_records(probe):
                connection.socket.settimeout(SILENCE_SECONDS)
                return *connection.receive(), True
            outcome, data = connection.receive()
            return outcome, data, outcome == "response" and self.still_open(connection)

    @staticmethod
    def still_open(connection):
        try:
            return connection.call("ApiVersions", 0)["errorCode"] == 0
        except (protocol.NoAnswer, OSError):
            return False

    @staticmethod
    def null_records(probe):
        return probe["name"] == "Produce v9, records null"

    def test_every_recorded_request_gets_the_recorded_answer(self):
        checked = 0
        for probe in self.probes:
            if "sent" not in probe:
                continue  # the two about order: tests of their own below
            with self.subTest(probe["name"], listener=probe["listener"]):
                self.check(probe)
            checked += 1
        self.assertEqual(129, checked)
        print("%d recorded requests" % checked)

    def check(self, probe):
        if self.null_records(probe):
            return self.check_null_records(probe)
        if probe["name"] == "HTTP GET" and not harness.ORACLE and probe["listener"] == "broker":
            return self.check_http(probe)
        outcome, data, still_open = self.answer(probe)
        if probe["name"] == CUT_BODY and not harness.ORACLE:
            self.assertEqual(("response", False), (outcome, still_open))
            self.assertEqual(0, protocol.response("ApiVersions", 3, data)[1]["errorCode"])
            return None
        self.assertEqual(probe["outcome"], outcome)
        if outcome != "response":
            self.assertEqual(b"", data)
            return None
        self.assertEqual(probe.get("connection_after", "open") == "open", still_open)
        key, version = struct.unpack(">hh", sent_bytes(probe)[4:8])
        decoded = probe.get("decoded")
        if key == 18 and (decoded or {"errorCode": 0})["errorCode"] == 0:
            self.check_api_versions(probe, version, data)
        elif key == 3:
            self.check_metadata(version, bytes.fromhex(probe["received"]), data)
        elif probe["name"].startswith("SaslAuthenticate"):
            body = protocol.response("SaslAuthenticate", version, data)[1]
            self.assertTrue(body.pop("errorMessage"))
            expected = dict(decoded)
            del expected["errorMessage"]
            self.assertEqual(expected, body)
        elif probe["name"].startswith("GetTelemetry"):
            self.assertEqual(0, protocol.response("GetTelemetrySubscriptions", version, data)[1]["errorCode"])
        else:
            self.assertEqual(probe["received"], data.hex())
        return None

    def check_http(self, probe):
        """Apache Kafka closes; here the port speaks HTTP, too (observe_test.py)."""
        with self.connection(probe) as connection:
            connection.send(sent_bytes(probe))
            self.assertEqual(b"HTTP/1.1 ", connection.socket.recv(9, socket.MSG_WAITALL))

    def check_null_records(self, probe):
        """Apache Kafka never answers this one, nor anything else on that connection. We refuse the records."""
        if harness.ORACLE:
            return
        outcome, data, still_open = self.answer(probe)
        self.assertEqual(("response", True), (outcome, still_open))
        partition = protocol.response("Produce", 9, data)[1]["responses"][0]["partitionResponses"][0]
        self.assertEqual(87, partition["errorCode"])

    def check_api_versions(self, probe, version, data):
        version = min(max(version, 0), 4)
        recorded = probe.get("decoded")
        if recorded is None:  # "client id length -2", recorded without its meaning
            recorded = protocol.response("ApiVersions", version, bytes.fromhex(probe["received"]))[1]
        correlation_id, body = protocol.response("ApiVersions", version, data)
        self.assertEqual(struct.unpack(">i", bytes.fromhex(probe["received"])[4:8])[0], correlation_id)
        ours = {row["apiKey"]: (row["minVersion"], row["maxVersion"]) for row in body["apiKeys"]}
        theirs = {row["apiKey"]: (row["minVersion"], row["maxVersion"]) for row in recorded["apiKeys"]}
        self.assertEqual(sorted(ours), [row["apiKey"] for row in body["apiKeys"]], "ascending, each once")
        if harness.ORACLE:
            self.assertEqual(theirs, ours)
            return
        for key, versions in ours.items():
            self.assertIn(key, theirs)
            self.assertEqual(theirs[key], versions, "key %d" % key)
        if probe["listener"] == "broker":
            self.assertEqual(set(), SERVED - set(ours))
        self.assertIn(18, ours)
        if version >= 3:
            self.check_features(version, recorded, body)

    def check_features(self, version, recorded, body):
        theirs = {f["name"]: f for f in recorded.get("supportedFeatures", [])}
        supported = {f["name"]: f for f in body.get("supportedFeatures", [])}
        self.assertIn("metadata.version", supported)
        for name, feature in supported.items():
            self.assertIn(name, theirs, "v3 has no room for a feature whose minimum is 0" if version == 3 else name)
            self.assertGreaterEqual(feature["minVersion"], theirs[name]["minVersion"])
            self.assertLessEqual(feature["maxVersion"], theirs[name]["maxVersion"])
        for feature in body.get("finalizedFeatures", []):
            self.assertEqual(feature["minVersionLevel"], feature["maxVersionLevel"])
            self.assertLessEqual(feature["maxVersionLevel"], supported.get(
                feature["name"], {"maxVersion": 1000 if version == 3 else 0})["maxVersion"])

    def check_metadata(self, version, recorded, data):
        """Host, port, cluster id and the recorder's other topics differ between two brokers; all else must not."""
        expected, body = (protocol.response("Metadata", version, d)[1] for d in (recorded, data))
        self.assertEqual(recorded[4:8], data[4:8])
        for answer in (expected, body):
            self.assertEqual(1, len(answer["brokers"]))
            for broker in answer["brokers"]:
                broker["port"] = broker["host"] = None
            if answer.get("clusterId") is not None:
                answer["clusterId"] = len(answer["clusterId"])
            if any(topic["errorCode"] == 0 for topic in answer["topics"]):
                answer["topics"] = ["probe"] if "probe" in [t["name"] for t in answer["topics"]] else []
        self.assertEqual(expected, body)

    def test_twenty_pipelined_requests_are_answered_in_order(self):
        with self.broker.connect() as connection:
            sent = [connection.start("ApiVersions", 3, clientSoftwareName="a", clientSoftwareVersion="1")
                    for _ in range(20)]
            self.assertEqual(sent, [connection.finish("ApiVersions", 3)[0] for _ in range(20)])

    def test_a_request_behind_a_waiting_fetch_is_answered_after_it(self):
        with self.broker.connect() as connection:
            at = time.monotonic()
            first = connection.start("Fetch", 12, maxWaitMs=400, minBytes=1, topics=[
                {"topic": "probe", "partitions": [{"partition": 0, "fetchOffset": self.end_of("probe"),
                                                   "currentLeaderEpoch": -1, "partitionMaxBytes": 1000}]}])
            second = connection.start("ApiVersions", 0)
            self.assertEqual(first, connection.finish("Fetch", 12)[0])
            self.assertGreater(time.monotonic() - at, 0.39)
            self.assertEqual(second, connection.finish("ApiVersions", 0)[0])

    def test_a_waiting_fetch_is_woken_by_what_it_waits_for(self):
        """min.bytes counts over all partitions of the fetch: one small batch is not enough, a second one is."""
        topic = self.topic(partitions=2)
        small = batch.build([(b"k", b"v")])
        with self.broker.connect(40) as reader, self.broker.connect() as writer:
            reader.start("Fetch", 12, maxWaitMs=30000, minBytes=2 * len(small), sessionEpoch=-1, topics=[
                {"topic": topic, "partitions": [{"partition": i, "fetchOffset": 0, "currentLeaderEpoch": -1,
                                                 "partitionMaxBytes": 1000} for i in (0, 1)]}])
            ProduceVectors.produce(writer, topic, small, partition=0)
            self.assertEqual(0, ProduceVectors.result(writer)["errorCode"])
            reader.socket.settimeout(0.2)
            self.assertEqual(("timeout", b""), reader.receive())
            ProduceVectors.produce(writer, topic, small, partition=1)
            self.assertEqual(0, ProduceVectors.result(writer)["errorCode"])
            at = time.monotonic()
            reader.socket.settimeout(20)
            _, answer = reader.finish("Fetch", 12)
            self.assertLess(time.monotonic() - at, 15)
            self.assertEqual(2 * len(small), sum(len(base64.b64decode(p["records"] or ""))
                                                 for p in answer["responses"][0]["partitions"]))

    def end_of(self, topic):
        with self.broker.connect() as connection:
            return connection.call("ListOffsets", 7, replicaId=-1, topics=[
                {"name": topic, "partitions": [{"partitionIndex": 0, "timestamp": -1}]}
            ])["topics"][0]["partitions"][0]["offset"]


class ProduceVectors(harness.BrokerTest):
    """Valid, corrupt, control and legacy batches, each in a Produce of its own: produce.jsonl, produce_cases.jsonl."""

    # Apache Kafka walks only some fields of a record inside a compressed batch, and stores one whose length is wrong, at
    # which its own consumer then fails. We walk them all.
    OURS = {name + codec: 87 for codec in ("-gzip", "-zstd") for name in
            ("record-length-too-small", "record-length-too-big-past-end", "record-length-huge")}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ids = {"probe": cls.broker.create_topic("probe"),
                   "probe-compact": cls.broker.create_topic("probe-compact", cleanup_policy="compact"),
                   "probe-append-time": cls.broker.create_topic("probe-append-time",
                                                                message_timestamp_type="LogAppendTime")}
        cls.batches = {}
        for name in ("valid", "corrupt", "control", "legacy"):
            with gzip.open(os.path.join(GOLDEN, "batches", name + ".jsonl.gz"), "rt", encoding="utf-8") as text:
                for line in text:
                    row = json.loads(line)
                    cls.batches[name, row["name"]] = bytes.fromhex(row["hex"])

    @staticmethod
    def produce(connection, topic, records, version=9, acks=1, partition=0, topic_id=None):
        where = {"topicId": topic_id} if version >= 13 else {"name": topic}
        return connection.start("Produce", version, acks=acks, timeoutMs=5000, topicData=[
            {**where, "partitionData": [{"index": partition, "records": None if records is None else as_base64(records)}]}])

    @staticmethod
    def result(connection, version=9):
        return connection.finish("Produce", version)[1]["responses"][0]["partitionResponses"][0]

    def replay(self, version, check):
        count = 0
        with self.broker.connect() as connection:
            for row in lines("produce.jsonl"):
                with self.subTest(row["name"], topic=row["topic"], version=version):
                    self.produce(connection, row["topic"], self.batches[row["file"], row["name"]], version,
                                 topic_id=self.ids[row["topic"]])
                    check(row, self.result(connection, version))
                count += 1
        return count

    def test_every_recorded_batch_gets_the_recorded_answer(self):
        # Twice, as it was recorded: what an idempotent producer sent in the first round is a duplicate in the second.
        first = self.replay(13, self.check_error)
        second = self.replay(9, self.check_answer)
        self.assertEqual((467, 467), (first, second))
        print("%d recorded batches, at two versions" % first)

    def expected_error(self, row):
        return row["errorCode"] if harness.ORACLE else self.OURS.get(row["name"], row["errorCode"])

    def check_error(self, row, answer):
        self.assertEqual(self.expected_error(row), answer["errorCode"])

    def check_answer(self, row, answer):
        self.check_error(row, answer)
        if answer["errorCode"] != 0:
            self.assertEqual((-1, -1), (answer["baseOffset"], answer["logAppendTimeMs"]))
        else:
            self.assertGreaterEqual(answer["baseOffset"], 0)
            if row["logAppendTimeMs"] == "now":  # the time of the append, or for a duplicate that of its records
                self.assertGreaterEqual(answer["logAppendTimeMs"], 0)
            else:
                self.assertEqual(row["logAppendTimeMs"], answer["logAppendTimeMs"])
        self.assertEqual(row.get("recordErrorIndexes", []), [e["batchIndex"] for e in answer["recordErrors"]])
        if row.get("hasErrorMessage") and row.get("recordErrorIndexes"):
            self.assertTrue(answer["errorMessage"])

    def test_what_was_accepted_can_be_read_back(self):
        """Every batch in the log has a good CRC and the offsets are without holes."""
        for topic in self.ids:
            following = 0
            with self.broker.connect() as connection:
                while True:
                    data = fetch(connection, topic, following)
                    if not data:
                        break
                    at = 0
                    while at < len(data) and len(data) - at >= 12 + struct.unpack_from(">i", data, at + 8)[0]:
                        base, length = struct.unpack_from(">qi", data, at)
                        crc, _, last = struct.unpack_from(">IhI", data, at + 17)
                        self.assertEqual(following, base)
                        self.assertEqual(batch.crc32c(data[at + 21:at + 12 + length]), crc)
                        following = base + last + 1
                        at += 12 + length


class ProduceCases(harness.BrokerTest):
    """The order of the checks, acks, idempotence and the size limit: produce_cases.jsonl, on a new topic, in order."""

    THREE = [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.topic_id = cls.broker.create_topic("cases")

    def request_for(self, name, version):
        """What a case's name stands for: topic, partition, topic id and records."""
        good = batch.build(self.THREE)
        transactional = batch.build(self.THREE, attributes=0x10, producer_id=77, producer_epoch=0, base_sequence=0)
        stale = good[:-1] + bytes([good[-1] ^ 1])
        topic, partition, topic_id, records = "cases", 0, self.topic_id, good
        if "unknown topic" in name:
            topic = "nowhere"
        if name.startswith("partition "):
            partition = int(name.split()[1])
        if name.startswith("topic id"):
            topic_id = protocol.NO_ID if name.endswith("zero") else "AAAAAAAAAAAAAAAAAAAAZQ"
        if "transactional batch" in name:
            records = transactional
            if "stale CRC" in name:
                records = transactional[:-1] + bytes([transactional[-1] ^ 1])
            if "second batch" in name:
                records = transactional + good
        elif "two batches" in name:
            records = good + (stale if "bad CRC" in name else good)
        elif "empty records" in name:
            records = b""
        elif "records null" in name:
            records = None
        elif name.startswith("order: control flag"):
            records = batch.build(self.THREE, attributes=0x20)
            records = records[:-1] + bytes([records[-1] ^ 1])
        elif "bad CRC" in name:
            records = stale
            if "base offset 77" in name:
                records = struct.pack(">q", 77) + stale[8:]
        elif name.startswith("attribute bit"):
            bit = 1 << int(name.split()[2])
            records = batch.build(self.THREE, attributes=bit - (1 << 16) if bit == 1 << 15 else bit)
        elif name == "zstd":
            records = batch.build([(b"a", b"1"), (b"b", b"2")], codec=batch.ZSTD)
        elif name.startswith("idempotent"):
            words = name.replace(":", "").split()
            records = batch.build(self.THREE, timestamp_step=1,
                                  producer_id=int(words[2]), producer_epoch=int(words[4]), base_sequence=int(words[6]))
        elif name.startswith("batch of"):
            size = int(name.split()[2])
            records = batch.build([(b"", b"x" * (size - 61 - 11))])
            records = batch.build([(b"", b"x" * (size - 61 - 11 - (len(records) - size)))])
            self.assertEqual(size, len(records))
        elif "5 bytes of the next" in name:
            records = good + good[:5]
        return topic, partition, topic_id, records

    def test_every_recorded_case_gets_the_recorded_answer(self):
        count, shift = 0, 0
        for case in lines("produce_cases.jsonl"):
            if "outcome" not in case:
                continue  # the last line: the test below
            name, version = case["name"], case["version"]
            with self.subTest(name, version=version), self.broker.connect() as connection:
                topic, partition, topic_id, records = self.request_for(name, version)
                quiet = case["outcome"] == "timeout" and (harness.ORACLE or name != "records null")
                ProduceVectors.produce(connection, topic, records, version, case["acks"], partition, topic_id)
                if quiet:
                    connection.socket.settimeout(SILENCE_SECONDS)
                outcome, data = connection.receive()
                if name == "records null" and not harness.ORACLE:  # Apache Kafka is mute from here on
                    answer = protocol.response("Produce", version, data)[1]["responses"][0]["partitionResponses"][0]
                    self.assertEqual(87, answer["errorCode"])
                    continue
                self.assertEqual(case["outcome"], outcome)
                if outcome == "response":
                    answer = protocol.response("Produce", version, data)[1]["responses"][0]["partitionResponses"][0]
                    got = (answer["errorCode"], answer["baseOffset"], answer["logAppendTimeMs"])
                    self.assertEqual((case["errorCode"], case["baseOffset"] + (shift if case["baseOffset"] >= 0 else 0),
                                      case["logAppendTimeMs"]), got)
            count += 1
        self.assertEqual(60, count + (0 if harness.ORACLE else 1))

    def test_the_tail_of_a_partial_batch_is_not_stored(self):
        topic = self.topic()
        good = batch.build(self.THREE)
        with self.broker.connect() as connection:
            ProduceVectors.produce(connection, topic, good + good[:5])
            self.assertEqual(0, ProduceVectors.result(connection)["errorCode"])
            stored = fetch(connection, topic, 0)
        self.assertEqual(good[17:], stored[17:], "byte for byte but for base offset and leader epoch")


class AsItStandsInThePlan(harness.BrokerTest):
    """The request lines that people type by hand: `echo … | xxd -r -p | nc localhost 9092`."""

    HAND_MADE = "00000023001200046f7fc66100096b61666b612d636c69000a6b61666b612d636c6904302e3100"
    TOO_SHORT_A_LENGTH = "0000001a0012000467890abc00096b61666b612d636c69000a6b61666b612d636c6904302e3100"

    @classmethod
    def setUpClass(cls):
        for program in ("xxd", "nc"):
            if not harness.shutil.which(program):
                raise unittest.SkipTest("this machine lacks the program " + program)
        super().setUpClass()

    def piped(self, text, seconds=None):
        """seconds: how long nc waits for an answer behind its input; without, until the broker closes."""
        flags = "-q %d -w %d" % (seconds, seconds + 1) if seconds else "-w 20"
        done = subprocess.run("xxd -r -p | nc %s 127.0.0.1 %d" % (flags, self.broker.port), shell=True, check=False,
                              input=text.encode(), capture_output=True, timeout=60)
        return done.stdout

    def check(self, data, correlation_id):
        got, body = protocol.response("ApiVersions", 4, data)
        self.assertEqual(correlation_id, got)
        self.assertEqual(0, body["errorCode"])
        versions = {row["apiKey"]: (row["minVersion"], row["maxVersion"]) for row in body["apiKeys"]}
        self.assertEqual((0, 4), versions[18])
        self.assertEqual((0, 0), versions[75])

    def test_api_versions_by_hand(self):
        self.check(self.piped(self.HAND_MADE, seconds=1) or self.piped(self.HAND_MADE, seconds=10), 0x6f7fc661)

    @harness.ours_only
    def test_a_length_shorter_than_what_follows_is_answered_and_then_closed(self):
        # nc without -q waits for the broker to close: it does, because what follows is not a frame.
        at = time.monotonic()
        self.check(self.piped(self.TOO_SHORT_A_LENGTH), 0x67890abc)
        self.assertLess(time.monotonic() - at, 15)


def as_base64(data):
    return base64.b64encode(data).decode()


def fetch(connection, topic, offset):
    answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 24, sessionEpoch=-1, topics=[
        {"topic": topic, "partitions": [{"partition": 0, "fetchOffset": offset, "currentLeaderEpoch": -1,
                                         "partitionMaxBytes": 1 << 24}]}])
    partition = answer["responses"][0]["partitions"][0]
    if partition["errorCode"]:
        raise AssertionError("fetch: error %d" % partition["errorCode"])
    return base64.b64decode(partition["records"] or "")


if __name__ == "__main__":
    harness.main()
