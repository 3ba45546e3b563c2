#!/usr/bin/python3
"""Anything that a socket can send: at worst an error or a closed connection, for that client alone.

Random input comes from a seed that is printed; HOSTILE_SEED repeats it, HOSTILE_ROUNDS makes it longer.
"""
import base64
import gzip
import json
import os
import random
import socket
import struct
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402
import protocol  # noqa: E402

GOLDEN = os.environ.get("GOLDEN_DIR", harness.GOLDEN)
SEED = int(os.environ.get("HOSTILE_SEED", random.getrandbits(32)))
ROUNDS = int(os.environ.get("HOSTILE_ROUNDS", "3000"))
MIB = 1 << 20
ANNOUNCE_100_MIB = bytes.fromhex("06400000")
API_VERSIONS = bytes.fromhex("0000000f0012000000000001000570726f6265")


class Hostile(harness.BrokerTest):
    @classmethod
    def setUpClass(cls):
        print("seed %d (HOSTILE_SEED), %d rounds" % (SEED, ROUNDS))
        super().setUpClass()
        cls.broker.create_topic("victim", 2, max_message_bytes="8388608")

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)
        self.resident = self.broker.resident_bytes()

    def tearDown(self):
        self.assertTrue(self.broker.alive())
        self.assert_produces()

    def assert_produces(self):
        """A well-behaved client beside all this is served at once."""
        with self.broker.connect() as connection:
            at = time.monotonic()
            answer = connection.call("Produce", 9, acks=1, timeoutMs=1000, topicData=[
                {"name": "victim", "partitionData": [
                    {"index": 0, "records": base64.b64encode(batch.build([(b"k", b"v")])).decode()}]}])
            # Random input may have deleted the topic by name or by chance; that, too, is an answer.
            self.assertIn(answer["responses"][0]["partitionResponses"][0]["errorCode"], (0, 3))
            self.assertLess(time.monotonic() - at, 20)

    def assert_memory_grew_less_than(self, limit):
        if not harness.ORACLE and not harness.SANITIZED:
            self.assertLess(self.broker.resident_bytes() - self.resident, limit)

    def many(self, count):
        connections = [self.broker.connect() for _ in range(count)]
        for connection in connections:
            self.addCleanup(connection.close)
        return connections

    @harness.ours_only
    def test_an_announced_length_costs_nothing(self):
        for connection in self.many(12):
            connection.send(ANNOUNCE_100_MIB)
        self.assertTrue(self.broker.alive())
        self.assert_memory_grew_less_than(2 * MIB)
        self.assert_produces()

    def test_a_frame_that_comes_byte_by_byte_and_never_ends(self):
        partial = self.many(400)
        for connection in partial:
            connection.send(struct.pack(">i", 5000)[:2])
        for connection in partial:
            connection.send(struct.pack(">i", 5000)[2:] + b"\0\x12\0\0")
        for _ in range(20):
            for connection in partial:
                connection.send(b"\0")
        self.assertTrue(self.broker.alive())
        self.assert_memory_grew_less_than(8 * MIB)
        self.assert_produces()

    def test_one_who_asks_and_never_reads(self):
        connection = self.broker.connect()
        self.addCleanup(connection.close)
        connection.socket.settimeout(1)
        sent = 0
        block = API_VERSIONS * 500
        try:
            while sent < 200 * MIB:
                sent += connection.socket.send(block)
        except socket.timeout:
            pass
        self.assertLess(sent, 200 * MIB, "the broker stops reading from one who does not read")
        self.assert_memory_grew_less_than(32 * MIB)
        self.assert_produces()

    def test_one_who_leaves_at_once(self):
        for i in range(1000):
            with self.broker.connect() as connection:
                if i % 3:
                    connection.send(API_VERSIONS * (i % 5))
                if i % 2:  # a reset instead of an orderly end
                    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @harness.ours_only
    def test_one_who_has_said_all_still_gets_the_answers(self):
        with self.broker.connect() as connection:
            connection.send(API_VERSIONS * 3)
            connection.socket.shutdown(socket.SHUT_WR)
            for _ in range(3):
                self.assertEqual("response", connection.receive()[0])
            self.assertEqual(("closed", b""), connection.receive())

    def send_and_leave(self, data):
        """What comes back within a moment, if anything."""
        with self.broker.connect() as connection:
            try:
                connection.send(data)
                connection.socket.settimeout(0.03)
                return connection.receive()
            except OSError:
                return "closed", b""

    def test_noise(self):
        for _ in range(ROUNDS // 3):
            size = self.random.choice((0, 1, 3, 8, 14, 30, 200, 5000))
            noise = self.random.randbytes(size)
            framed = self.random.random() < 0.7
            self.send_and_leave(struct.pack(">i", size) + noise if framed else noise)

    def test_damaged_requests_get_an_answer_that_can_be_read_or_none(self):
        frames = self.golden_requests()
        self.assertGreater(len(frames), 50)
        answers = 0
        for i in range(ROUNDS):
            name, version, frame = frames[i % len(frames)]
            damaged = self.damage(frame)
            with self.subTest(name, version=version, sent=damaged.hex()[:4000]):
                outcome, data = self.send_and_leave(damaged)
                if outcome == "response" and damaged[4:8] == frame[4:8]:
                    answers += 1
                    self.assertEqual(damaged[8:12], data[4:8], "correlation id")
                    protocol.response(name, version, data)
            if i % 500 == 499:
                self.assertTrue(self.broker.alive())
        print("%d damaged requests, %d answers read" % (ROUNDS, answers))

    def golden_requests(self):
        """(name, version, frame) of the requests that the broker says it serves."""
        with self.broker.connect() as connection:
            served = {r["apiKey"]: (r["minVersion"], r["maxVersion"])
                      for r in connection.call("ApiVersions", 0)["apiKeys"]}
        out = []
        with gzip.open(os.path.join(GOLDEN, "frames.jsonl.gz"), "rt", encoding="utf-8") as text:
            for line in text:
                row = json.loads(line)
                if row["kind"] != "request" or row["key"] not in served:
                    continue
                if served[row["key"]][0] <= row["version"] <= served[row["key"]][1]:
                    out.append((row["message"][:-len("Request")], row["version"], bytes.fromhex(row["hex"])))
        return out

    def damage(self, frame):
        body = bytearray(frame[4:])
        for _ in range(self.random.choice((1, 1, 2, 5))):
            kind = self.random.randrange(5)
            at = self.random.randrange(min(12, len(body) - 1), len(body))
            if kind == 0:
                body[at] = self.random.getrandbits(8)
            elif kind == 1:
                body[at] ^= 1 << self.random.randrange(8)
            elif kind == 2 and len(body) > 14:
                del body[self.random.randrange(12, len(body)):]
            elif kind == 3:
                body[at:at] = self.random.randbytes(self.random.randrange(1, 9))
            else:  # a length or a count that claims more than there is
                body[at:at + 4] = self.random.choice((b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x80\0\0\0",
                                                      b"\xff\xff\xff\xff\x0f", b"\x3f\xff\xff\xff"))
        return struct.pack(">i", len(body)) + bytes(body)

    @harness.ours_only
    def test_a_small_batch_that_unpacks_to_a_gigabyte(self):
        for codec in (batch.GZIP, batch.ZSTD, batch.LZ4):
            with self.subTest(codec=codec), self.broker.connect(30) as connection:
                records = self.bomb(codec)
                self.assertLess(len(records), 5 * MIB)
                answer = connection.call("Produce", 9, acks=1, timeoutMs=1000, topicData=[
                    {"name": "victim", "partitionData": [
                        {"index": 1, "records": base64.b64encode(records).decode()}]}])
                self.assertNotEqual(0, answer["responses"][0]["partitionResponses"][0]["errorCode"])
                self.assert_memory_grew_less_than(160 * MIB)

    @staticmethod
    def bomb(codec):
        """A batch of one record whose value is a gigabyte of zeros."""
        size = 1 << 30
        start = b"\0\0\0" + batch.zigzag(-1) + batch.zigzag(size)
        start = batch.zigzag(len(start) + size + 1) + start
        zeros = bytes(MIB)
        if codec == batch.GZIP:
            press = zlib.compressobj(wbits=31, level=9)
        elif codec == batch.ZSTD:
            import zstandard
            press = zstandard.ZstdCompressor().compressobj()
        else:
            import lz4.frame
            frame = lz4.frame.LZ4FrameCompressor(block_linked=False, block_size=lz4.frame.BLOCKSIZE_MAX4MB)
            packed = frame.begin() + frame.compress(start) + b"".join(frame.compress(zeros) for _ in range(1024))
            packed += frame.compress(b"\0")  # the count of headers
            return Hostile.sealed(codec, packed + frame.flush())
        packed = press.compress(start) + b"".join(press.compress(zeros) for _ in range(1024))
        packed += press.compress(b"\0") + press.flush()
        return Hostile.sealed(codec, packed)

    @staticmethod
    def sealed(codec, payload):
        empty = batch.build([(b"k", b"v")])
        head = bytearray(empty[:batch.HEADER_BYTES])
        struct.pack_into(">i", head, 8, len(head) + len(payload) - 12)
        struct.pack_into(">h", head, 21, codec)
        return batch.seal(bytes(head) + payload)


if __name__ == "__main__":
    harness.main()
