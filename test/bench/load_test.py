#!/usr/bin/python3
"""bench/load as it is run: every mode against the broker and against the limit program, wrong options, and a broker that
answers errors, closes, or says nothing: none of which may come out as throughput."""
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import harness  # noqa: E402

TOOLS = os.environ.get("TOOLS", os.path.join(harness.ROOT, "build", "release"))
LOAD, LIMIT = os.path.join(TOOLS, "load"), os.path.join(TOOLS, "limit")
PERCENTILES = ("p50_us", "p90_us", "p99_us", "p999_us", "p9999_us", "max_us")


def load(port, mode, *switches, **flags):
    """Exit status, standard output, standard error."""
    flags = {"port": port, "mode": mode, **flags}
    done = subprocess.run([LOAD] + ["--%s=%s" % flag for flag in flags.items()] + ["--" + switch for switch in switches],
                          capture_output=True, text=True, timeout=240, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


class Checks:
    """What must hold of a run, whoever answered it."""

    def good(self, port, mode, *switches, **flags):
        status, out, complaint = load(port, mode, "json", *switches, **flags)
        self.assertEqual((0, ""), (status, complaint), out)
        self.assertEqual(1, len(out.splitlines()))
        found = json.loads(out)
        self.assertEqual(0, found["error_count"])
        self.assertEqual(mode, found["mode"])
        return found

    def check_latencies(self, found):
        values = [found[name] for name in PERCENTILES]
        self.assertGreater(values[0], 0)
        self.assertEqual(sorted(values), values)

    def check_rates(self, found):
        self.check_latencies(found)
        self.assertGreater(found["took_us"], 0)
        self.assertAlmostEqual(found["cpu_us_per_request"], found["cpu_us"] / found["requests"], delta=0.001)
        self.assertAlmostEqual(found["mb_per_s"], found["bytes"] / found["took_us"], delta=0.01)
        self.assertGreater(found["cpu_us"], 0)
        self.assertGreater(found["resident_bytes"], 0)
        self.assertGreater(found["distribution"][-1][1], 0)


class Modes(harness.BrokerTest, Checks):

    def flags(self, topic="", **flags):
        return {"pid": self.broker.process.pid, **({"topic": topic} if topic else {}), **flags}

    def end_of(self, topic, partitions):
        with self.broker.connect() as connection:
            answer = connection.call("ListOffsets", 7, replicaId=-1, topics=[{"name": topic, "partitions": [
                {"partitionIndex": p, "timestamp": -1} for p in range(partitions)]}])
        return [p["offset"] for p in sorted(answer["topics"][0]["partitions"], key=lambda p: p["partitionIndex"])]

    def test_produce_writes_what_it_says(self):
        topic = self.topic(partitions=2)
        found = self.good(self.broker.port, "produce", **self.flags(topic, partitions=2, connections=4, in_flight=3, records=5,
                                                                    requests=200))
        self.check_rates(found)
        self.assertEqual(200, found["requests"])
        self.assertEqual(1000, sum(self.end_of(topic, 2)))
        self.assertGreaterEqual(found["voluntary_switches"] + found["involuntary_switches"], 1)

    def test_produce_for_seconds_ends_by_itself(self):
        found = self.good(self.broker.port, "produce", **self.flags(self.topic(), seconds=0.3, acks=-1))
        self.check_rates(found)
        self.assertGreaterEqual(found["took_us"], 300000)

    def test_produce_packs_its_batches(self):
        sizes = {}
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            topic = self.topic()
            found = self.good(self.broker.port, "produce", **self.flags(topic, codec=codec, records=100, keys=50,
                                                                        requests=3))
            self.assertEqual([300], self.end_of(topic, 1), codec)
            sizes[codec] = found["bytes"]
        for codec in ("gzip", "snappy", "lz4", "zstd"):
            self.assertLess(sizes[codec], sizes["none"], codec)

    def test_partitions_goes_round(self):
        topic = self.topic(partitions=50)
        found = self.good(self.broker.port, "partitions", **self.flags(topic, partitions=50, connections=2, in_flight=2,
                                                                       requests=100))
        self.check_rates(found)
        # Each connection goes its own way, so not every partition has its two.
        ends = self.end_of(topic, 50)
        self.assertEqual(100, sum(ends))
        self.assertGreaterEqual(min(ends), 1)

    def test_fetch_reads_everything_in_each_pass(self):
        topic = self.topic(partitions=3)
        written = self.good(self.broker.port, "produce", **self.flags(topic, partitions=3, connections=3, records=10,
                                                                      requests=300))
        found = self.good(self.broker.port, "fetch", **self.flags(topic, partitions=3, connections=2, passes=3,
                                                                  fetch_bytes=2000))
        self.check_rates(found)
        self.assertEqual(3, len(found["passes"]))
        for each in found["passes"]:
            # A fetch may end within a batch, which is then fetched again.
            self.assertGreaterEqual(each["bytes"], written["bytes"])
            self.assertGreater(each["cpu_s_per_gb"], 0)
        self.assertEqual(found["bytes"], sum(each["bytes"] for each in found["passes"]))

    def test_fetch_for_seconds(self):
        topic = self.topic()
        self.good(self.broker.port, "produce", **self.flags(topic, records=10, requests=100))
        self.check_rates(self.good(self.broker.port, "fetch", **self.flags(topic, connections=2, seconds=0.3)))

    def test_latency_delivers_every_message_to_every_consumer(self):
        topic = self.topic(partitions=2)
        for acks in (1, -1):
            found = self.good(self.broker.port, "latency", **self.flags(
                topic, partitions=2, rate=500, seconds=0.5, producers=3, consumers=4, record_bytes=200, acks=acks))
            self.check_rates(found)
            self.assertEqual((250, 1000), (found["messages"], found["delivered"]))
            self.assertEqual(250, found["requests"])
            self.assertGreater(found["acked_p50_us"], 0)
            self.assertGreaterEqual(found["max_us"], found["late_p50_us"])

    def test_latency_with_shared_partitions_delivers_once(self):
        topic = self.topic(partitions=4)
        found = self.good(self.broker.port, "latency", "share", **self.flags(topic, partitions=4, rate=200, seconds=0.5,
                                                                             consumers=3))
        self.assertEqual((100, 100), (found["messages"], found["delivered"]))

    def test_a_stall_is_in_the_latency_of_every_message_that_was_due_in_it(self):
        """Of 1,000 messages two hundred are due while either side stands still. A generator that waits for one answer before it
        sends the next, or that counts from when it sent, would show one of them, or none."""
        for who in ("broker", "generator"):
            flags = {"port": self.broker.port, "mode": "latency", "rate": 200, "seconds": 5, **self.flags(self.topic())}
            generator = harness.Process([LOAD, "--json", "--progress"] + ["--%s=%s" % flag for flag in flags.items()])
            self.addCleanup(generator.end)
            generator.wait_for_line(r"CPU$")  # the first second is over
            stopped = self.broker.process if who == "broker" else generator
            stopped.signal(signal.SIGSTOP)
            time.sleep(1)
            stopped.signal(signal.SIGCONT)
            self.assertEqual(0, generator.wait(60), generator.output())
            found = json.loads(generator.lines[-1])
            self.assertEqual((1000, 1000), (found["messages"], found["delivered"]))
            self.assertGreater(found["max_us"], 900000, who)
            self.assertGreater(found["p90_us"], 100000, who)
            if who == "generator":
                self.assertGreater(found["late_max_us"], 900000)

    def test_mixed_reads_the_backlog_in_its_second_half_only(self):
        topic, backlog = self.topic(), self.topic(partitions=2)
        self.good(self.broker.port, "produce", **self.flags(backlog, partitions=2, connections=2, records=10, requests=200))
        found = self.good(self.broker.port, "mixed", **self.flags(topic, rate=200, seconds=0.5, backlog_topic=backlog))
        self.assertEqual((100, 100), (found["without"]["delivered"], found["with"]["delivered"]))
        self.assertNotIn("backlog_bytes", found["without"])
        self.assertGreater(found["with"]["backlog_bytes"], 0)
        self.assertEqual(found["p99_us"], found["with"]["p99_us"])
        self.assertGreater(found["p99_ratio"], 0)

    def test_idle_and_what_holding_costs(self):
        found = self.good(self.broker.port, "idle", connections=20, hold_seconds=0.2, pid=self.broker.process.pid)
        self.assertEqual(20, found["connections"])
        self.assertLessEqual(found["grown_bytes"], found["resident_bytes"])
        self.assertGreaterEqual(found["hold_cpu_us_per_s"], 0)
        self.check_latencies(found)

    def test_storm_one_by_one_and_together(self):
        found = self.good(self.broker.port, "storm", "together", connections=50, rounds=2, pid=self.broker.process.pid)
        self.assertEqual(["one by one", "together", "together"], [each["how"] for each in found["rounds"]])
        self.assertEqual(found["one_by_one_s"], found["rounds"][0]["seconds"])
        self.assertGreater(found["together_s"], 0)
        for each in found["rounds"]:
            self.check_latencies(each)
            self.assertGreater(each["cpu_us_per_connection"], 0)

    def test_a_picture_beside_another_and_a_table(self):
        with tempfile.TemporaryDirectory() as folder:
            svg, other = os.path.join(folder, "latency.svg"), os.path.join(folder, "other.json")
            topic = self.topic()
            with open(other, "w", encoding="utf-8") as out:
                json.dump(self.good(self.broker.port, "produce", **self.flags(topic, requests=300, label="<theirs>")), out)
            status, out, complaint = load(self.broker.port, "produce", "progress", **self.flags(
                topic, seconds=1.2, label="ours", svg=svg, svg_compare=other))
            self.assertEqual(0, status, complaint)
            self.assertRegex(out, r"(?m)^cpu_us_per_request +[\d.]+$")
            self.assertRegex(complaint, r"^ +\d+ s +\d+ requests .* broker +\d+ % CPU\n")
            drawn = xml.etree.ElementTree.parse(svg).getroot()
            self.assertEqual("{http://www.w3.org/2000/svg}svg", drawn.tag)
            texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
            self.assertTrue({"ours", "<theirs>", "99.9 %"} <= set(texts), texts)
            self.assertEqual(2, len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))))

    def test_what_the_broker_cannot_do_is_refused_before_the_start(self):
        topic = self.topic(partitions=2)
        for flags, line in (
                ({"topic": "nowhere"}, "--topic: the broker has no topic nowhere"),
                ({"topic": topic, "partitions": 3}, "--partitions is at most 2, which topic %s has, not 3" % topic),
                ({"topic": topic, "mode": "fetch"}, "--topic is one with records: %s has none to fetch" % topic),
                ({"topic": topic, "mode": "mixed", "rate": 10, "backlog_topic": "nowhere"},
                 "--backlog_topic: the broker has no topic nowhere"),
                ({"topic": topic, "mode": "mixed", "rate": 10, "backlog_topic": topic},
                 "--backlog_topic is one with records: %s has none" % topic),
                ({"topic": topic, "svg": "x.svg", "svg_compare": "/nowhere.json"}, "--svg_compare: cannot read /nowhere.json")):
            self.assertEqual((2, "", "load: " + line + "\n"), load(self.broker.port, flags.pop("mode", "produce"), **flags))

    def test_errors_of_the_real_broker_are_no_throughput(self):
        topic = self.topic(max_message_bytes="2000")
        status, out, _ = load(self.broker.port, "produce", "json", **self.flags(topic, record_bytes=3000, requests=50,
                                                                                most_errors=7))
        found = json.loads(out)
        self.assertEqual((1, 7, {"10": 7}), (status, found["error_count"], found["errors"]))
        self.assertEqual((0, 0, 0), (found["requests"], found["bytes"], found["p50_us"]))


class Limit(unittest.TestCase, Checks):
    """The limit program answers the same generator."""

    def limit(self, mode, **flags):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        process = harness.Process([LIMIT, "--mode=" + mode, "--folder=" + folder.name] +
                                  ["--%s=%s" % flag for flag in flags.items()])
        self.addCleanup(process.end)
        self.process = process
        return int(process.wait_for_line(r"^port \d+$").split()[1])

    def tearDown(self):
        """Nothing that was asked of it has ended it; SIGTERM does."""
        if hasattr(self, "process"):
            self.process.signal(signal.SIGTERM)
            self.assertEqual(0, self.process.wait(), self.process.output())

    def flags(self, **flags):
        return {"pid": self.process.pid, "topic": "any", **flags}

    def test_produce_and_fetch_what_was_written(self):
        port = self.limit("produce", partitions=3)
        for size, requests in ((100, 600), (20000, 90), (1 << 20, 9)):
            written = self.good(port, "produce", "no_check", **self.flags(partitions=3, connections=4, in_flight=5, records=1,
                                                                          record_bytes=size, requests=requests))
            self.check_rates(written)
            self.assertEqual(requests, written["requests"])
        found = self.good(port, "fetch", "no_check", **self.flags(partitions=3, connections=3, passes=2, fetch_bytes=1 << 20))
        self.check_rates(found)
        self.assertGreaterEqual(found["passes"][0]["bytes"], 9 << 20)
        self.assertEqual(found["passes"][0]["bytes"], found["passes"][1]["bytes"])

    def test_fetch_of_what_was_filled_before(self):
        port = self.limit("fetch", partitions=2, fill_bytes=3 << 20)
        found = self.good(port, "fetch", "no_check", **self.flags(partitions=2, connections=2, passes=2))
        self.assertGreaterEqual(found["passes"][1]["bytes"], 6 << 20)
        self.check_rates(self.good(port, "fetch", "no_check", **self.flags(partitions=2, connections=4, seconds=0.3)))

    def test_latency_of_parked_fetches(self):
        port = self.limit("produce", partitions=2)
        for _ in range(2):  # the second begins behind the messages of the first
            found = self.good(port, "latency", "no_check", **self.flags(partitions=2, rate=400, seconds=0.5, producers=2,
                                                                        consumers=5, record_bytes=1024))
            self.check_rates(found)
            self.assertEqual((200, 1000), (found["messages"], found["delivered"]))

    def test_a_fetch_of_nothing_is_answered_when_its_time_is_over(self):
        port = self.limit("produce")
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(30)
            body = struct.pack(">iiiibii", -1, 50, 1, 1 << 20, 0, 0, -1) + struct.pack(">ih1sii", 1, 1, b"t", 1, 0)
            body += struct.pack(">iqqiih", -1, 0, -1, 1 << 20, 0, 0)
            frame = struct.pack(">hhih", 1, 11, 42, -1) + body
            connection.sendall(struct.pack(">i", len(frame)) + frame)
            answer = connection.recv(4096)
            self.assertEqual(42, struct.unpack(">i", answer[4:8])[0])
            self.assertEqual(len(answer) - 4, struct.unpack(">i", answer[:4])[0])

    def test_pingpong_idle_and_storm(self):
        port = self.limit("pingpong")
        self.check_rates(self.good(port, "produce", "no_check", **self.flags(connections=3, in_flight=4, requests=500)))
        self.good(port, "idle", connections=30, pid=self.process.pid)
        self.good(port, "storm", "together", connections=30, pid=self.process.pid)

    def test_a_damaged_batch_and_no_frame(self):
        port = self.limit("produce")
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(30)
            connection.sendall(struct.pack(">i", 1 << 30) + b"x" * 100)
            self.assertEqual(b"", connection.recv(100))
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(30)
            batch = struct.pack(">qiibI", 0, 61 - 12 + 5, -1, 2, 12345) + bytes(40 + 5)
            body = struct.pack(">hhiih1siii", -1, 1, 1000, 1, 1, b"t", 1, 0, len(batch)) + batch
            frame = struct.pack(">hhih", 0, 8, 7, -1) + body
            connection.sendall(struct.pack(">i", len(frame)) + frame)
            answer = connection.recv(4096)
            self.assertEqual((7, 2), struct.unpack(">i", answer[4:8]) + struct.unpack(">h", answer[23:25]))

    def test_wrong_options(self):
        for flags, line in ((["--mode=fly"], "--mode is produce, fetch or pingpong, not fly"),
                            (["--mode=produce"], "--folder is missing: where its files are"),
                            (["--mode=pingpong", "--partitions=0"], "--partitions is a number from 1 to 100000")):
            done = subprocess.run([LIMIT] + flags, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((2, "", "limit: " + line + "\n"), (done.returncode, done.stdout, done.stderr))


class FakeBroker:
    """Answers the n-th request of a connection with what `answer(n, frame)` gives: an answer, b"" to close, None for nothing."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            while True:
                threading.Thread(target=self._serve, args=(self.listener.accept()[0],), daemon=True).start()
        except OSError:
            pass

    def _serve(self, connection):
        with connection, connection.makefile("rb") as requests:
            for number in range(1 << 30):
                size = requests.read(4)
                if len(size) < 4:
                    return
                answer = self.answer(number, requests.read(struct.unpack(">i", size)[0]))
                if answer == b"":
                    return
                if answer is not None:
                    try:
                        connection.sendall(struct.pack(">i", len(answer)) + answer)
                    except OSError:
                        return

    def close(self):
        self.listener.close()


def correlation(frame):
    return frame[4:8]


def produced(error):
    """Of one partition of a topic t."""
    return lambda frame: correlation(frame) + struct.pack(">ih1siihqqqihi", 1, 1, b"t", 1, 0, error, 0, -1, 0, 0, -1, 0)


def fetched(error, top=0, high_watermark=100):
    return lambda frame: correlation(frame) + struct.pack(">ihiih1siihqqqiii", 0, top, 0, 1, 1, b"t", 1, 0, error,
                                                          high_watermark, high_watermark, 0, 0, -1, 0)


class Wrong(unittest.TestCase, Checks):
    """Answers that are errors, and none at all."""

    def fake(self, answer):
        broker = FakeBroker(answer)
        self.addCleanup(broker.close)
        return broker.port

    def check_nothing(self, found):
        for name in ("requests", "bytes", "requests_per_s", "mb_per_s", "cpu_us_per_request", "cpu_s_per_gb", *PERCENTILES):
            self.assertEqual(0, found[name], name)

    def test_produce_errors_are_no_throughput(self):
        port = self.fake(lambda _, frame: produced(6)(frame))
        for most in (1, 25):
            status, out, complaint = load(port, "produce", "json", "no_check", topic="t", pid=os.getpid(), seconds=60,
                                          most_errors=most)
            found = json.loads(out)
            self.assertEqual((1, most, {"6": most}), (status, found["error_count"], found["errors"]))
            self.check_nothing(found)
            self.assertEqual(1, len(complaint.splitlines()))

    def test_of_good_and_bad_answers_only_the_good_ones_count(self):
        port = self.fake(lambda number, frame: produced(0 if number % 3 else 19)(frame))
        status, out, _ = load(port, "produce", "json", "no_check", topic="t", requests=30, most_errors=1000)
        found = json.loads(out)
        self.assertEqual((1, {"19": 10}, 20), (status, found["errors"], found["requests"]))
        one = found["bytes"] // 20
        self.assertEqual(20 * one, found["bytes"])

    def test_fetch_errors_are_no_throughput(self):
        for error, top, code in ((1, 0, "1"), (0, 0, None)):
            # The first question is where the topic ends.
            answer = fetched(error, top)
            port = self.fake(lambda number, frame, answer=answer: (fetched(0) if frame.endswith(WHERE) else answer)(frame))
            if code is None:
                status, out, complaint = load(port, "fetch", "json", "no_check", topic="t", passes=1)
                self.assertEqual((1, "", "partition 0 cannot be read beyond offset 0\n"), (status, out, complaint))
                continue
            status, out, _ = load(port, "fetch", "json", "no_check", topic="t", seconds=60, most_errors=3)
            found = json.loads(out)
            self.assertEqual((1, {code: 3}), (status, found["errors"]))
            self.check_nothing(found)

    def test_latency_errors_are_no_messages(self):
        def answer(_, frame):
            if frame[:2] == b"\0\0":
                return produced(7)(frame)
            return fetched(0, high_watermark=0)(frame) if frame.endswith(WHERE) else None
        port = self.fake(answer)
        status, out, _ = load(port, "latency", "json", "no_check", topic="t", rate=100, seconds=60, most_errors=5)
        found = json.loads(out)
        self.assertEqual((1, {"7": 5}, 0, 0), (status, found["errors"], found["messages"], found["delivered"]))
        self.check_nothing(found)

    def test_tailing_errors_are_no_deliveries(self):
        def answer(_, frame):
            if frame[:2] == b"\0\0":
                return produced(0)(frame)
            return fetched(0, high_watermark=0)(frame) if frame.endswith(WHERE) else fetched(0, top=74)(frame)
        status, out, _ = load(self.fake(answer), "latency", "json", "no_check", topic="t", rate=100, seconds=60, most_errors=4)
        found = json.loads(out)
        self.assertEqual((1, {"74": 4}, 0), (status, found["errors"], found["delivered"]))

    def test_errors_of_idle_and_storm(self):
        port = self.fake(lambda _, frame: correlation(frame) + struct.pack(">hi", 35, 0))
        for mode in ("idle", "storm"):
            status, out, _ = load(port, mode, "json", connections=10, most_errors=2)
            found = json.loads(out)
            self.assertEqual((1, {"35": 2}), (status, found["errors"]))
            self.assertEqual(0, found.get("p50_us", 0))

    def test_a_broker_that_closes(self):
        port = self.fake(lambda number, frame: produced(0)(frame) if number < 2 and frame[:2] == b"\0\0" else b"")
        for mode, switches, flags in (("produce", ["no_check"], {"topic": "t"}), ("fetch", ["no_check"], {"topic": "t"}),
                                      ("latency", ["no_check"], {"topic": "t", "rate": 10}), ("idle", [], {}),
                                      ("storm", [], {}), ("produce", [], {"topic": "t"})):
            status, out, complaint = load(port, mode, *switches, **flags)
            self.assertEqual((1, "", "the broker closed a connection\n"), (status, out, complaint), mode)

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        status, out, complaint = load(port, "produce", topic="t")
        self.assertEqual((1, "", "connect: Connection refused\n"), (status, out, complaint))

    def test_what_is_no_answer(self):
        for answer, line in ((b"\0\0\0\0", "an answer ends too early"),
                             (b"\xff" * 60, "Produce answered for another number of topics"),
                             (b"\0\0\0\1" + produced(0)(b"\0" * 8)[4:], "an answer to another request"),
                             (b"\0", "a frame of 1 bytes")):
            port = self.fake(lambda _, frame, answer=answer: answer)
            status, out, complaint = load(port, "produce", "no_check", topic="t")
            self.assertEqual((1, "", line + "\n"), (status, out, complaint))

    def test_a_broker_that_says_nothing_is_not_waited_for_for_ever(self):
        port = self.fake(lambda _, frame: fetched(0)(frame) if frame[:2] == b"\0\1" else None)
        status, out, complaint = load(port, "produce", "no_check", topic="t")
        self.assertEqual((1, "", "no answer within 30 seconds\n"), (status, out, complaint))


# How the request ends that asks where a partition ends: partition, epoch, offset 0, log start, 1 byte, nothing forgotten.
WHERE = struct.pack(">iiqqiih", 0, -1, 0, -1, 1, 0, 0)

if __name__ == "__main__":
    harness.main()
