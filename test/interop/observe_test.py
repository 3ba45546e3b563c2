#!/usr/bin/python3
"""What those who watch a broker see of it over HTTP, on the port of the Kafka protocol: probes, metrics in Prometheus' format,
and the lag of consumer groups, with clients that know nothing of our tests (urllib, curl, kcat, Kafka's Python client)."""
import base64
import http.client
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import batch  # noqa: E402
import harness  # noqa: E402

if harness.ORACLE:
    harness.skip("Apache Kafka speaks no HTTP")

SECONDS = 60
LINE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (-?[0-9.e+-]+|NaN)$')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\[\\"n])*)"')
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def parse(text):
    """{(name, labels): value}; every rule of the text format 0.0.4 that a scraper relies on is checked."""
    samples, types, done, current = {}, {}, set(), None
    assert text.endswith("\n"), "the last line has no end"
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            assert kind in ("HELP", "TYPE") and rest, line
            if name != current:
                assert name not in done, "the lines of %s are not together" % name
                done.add(name)
                current = name
            if kind == "TYPE":
                assert name not in types and rest in ("counter", "gauge", "summary", "histogram"), line
                types[name] = rest
            continue
        match = LINE.match(line)
        assert match, "no sample: %r" % line
        name, labels, value = match.groups()
        parts = {"summary": "_(sum|count)$", "histogram": "_(bucket|sum|count)$"}.get(types.get(current))
        base = re.sub(parts, "", name) if parts else name
        assert base == current, "%s among the lines of %s" % (name, current)
        key = (name, tuple(sorted(LABEL.findall(labels or ""))))
        assert key not in samples, "twice: %r" % line
        samples[key] = float(value)
    return samples


def until(what, look, seconds=SECONDS):
    """Waits for a state; what was seen last is in the error."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if what(seen):
            return seen
        assert time.monotonic() < deadline, "not reached: %r" % (seen,)
        time.sleep(0.05)


class Watching(harness.BrokerTest):
    def url(self, path):
        return "http://127.0.0.1:%d%s" % (self.broker.port, path)

    def get(self, path):
        with urllib.request.urlopen(self.url(path), timeout=SECONDS) as answer:
            return answer.read().decode()

    def scrape(self, query=""):
        return parse(self.get("/metrics" + query))

    def lag(self, group, topic):
        """{partition: (offset, lag, seconds)}"""
        samples = self.scrape()
        found = {}
        for (name, labels), value in samples.items():
            labels = dict(labels)
            if name.startswith("kafka_consumergroup_") and labels["consumergroup"] == group and labels["topic"] == topic:
                found.setdefault(int(labels["partition"]), {})[name[len("kafka_consumergroup_"):]] = value
        return {p: (v["current_offset"], v["lag"], v.get("lag_seconds")) for p, v in found.items()}

    def produce(self, topic, partition, count, timestamp=None):
        with self.broker.connect() as connection:
            records = batch.build([(b"k", b"v")] * count, timestamp=timestamp or int(time.time() * 1000))
            answer = connection.call("Produce", 9, acks=-1, timeoutMs=30000, topicData=[
                {"name": topic, "partitionData": [{"index": partition, "records": base64.b64encode(records).decode()}]}])
            self.assertEqual(0, answer["responses"][0]["partitionResponses"][0]["errorCode"])


class Http(Watching):
    ARGUMENTS = ("--reactors=2",)

    def raw(self, request, half_close=False, seconds=SECONDS):
        """All that comes back until the broker ends the connection."""
        with socket.create_connection(("127.0.0.1", self.broker.port), seconds) as sock:
            try:
                sock.sendall(request)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it has answered already; the answer is still there
            answer = b""
            while True:
                try:
                    piece = sock.recv(65536)
                except ConnectionResetError:
                    return answer
                if not piece:
                    return answer
                answer += piece

    def test_probes(self):
        self.assertEqual("ok\n", self.get("/healthz"))
        self.assertEqual("ok\n", self.get("/readyz"))
        with self.assertRaises(urllib.error.HTTPError) as missing:
            self.get("/nowhere")
        self.assertEqual(404, missing.exception.code)
        self.assertIn("/metrics", missing.exception.read().decode())

    def test_curl(self):
        harness.need_programs("curl")
        out = harness.run(["curl", "-sS", "-D-", self.url("/healthz"), self.url("/readyz")]).stdout
        self.assertEqual(2, out.count("HTTP/1.1 200 OK"))
        self.assertIn("Content-Length", harness.run(["curl", "-sSI", self.url("/healthz")]).stdout)
        self.assertIn("HTTP/1.1 405", harness.run(["curl", "-sSD-", "-d", "x" * 100000, self.url("/metrics")]).stdout)
        parse(harness.run(["curl", "-sS", "--http1.0", self.url("/metrics")]).stdout)

    def test_metrics_as_prometheus_reads_them(self):
        topic = self.topic(3)
        self.produce(topic, 0, 7)
        before = self.scrape()
        self.produce(topic, 1, 5)
        after = self.scrape()
        value = lambda samples, name, **labels: samples[(name, tuple(sorted(labels.items())))]
        self.assertEqual(5, value(after, "kafka_server_brokertopicmetrics_messagesin_total") -
                         value(before, "kafka_server_brokertopicmetrics_messagesin_total"))
        self.assertEqual(1, value(after, "kafka_network_requestmetrics_requests_total", request="Produce") -
                         value(before, "kafka_network_requestmetrics_requests_total", request="Produce"))
        self.assertGreaterEqual(value(after, "kafka_server_replicamanager_partitioncount"), 3)
        resident = value(after, "process_resident_memory_bytes")
        self.assertLess(abs(resident - self.broker.resident_bytes()), 64 << 20)
        self.assertLessEqual(value(after, "process_cpu_seconds_total"), self.broker.cpu_seconds())
        self.assertLess(abs(time.time() - value(after, "process_start_time_seconds")), 600)
        self.assertGreater(value(after, "process_open_fds"), 5)

    def test_metrics_as_the_reference_parser_reads_them(self):
        try:
            from prometheus_client.parser import text_string_to_metric_families
        except ImportError:
            self.skipTest("no python3-prometheus-client")
        names = {family.name for family in text_string_to_metric_families(self.get("/metrics"))}
        self.assertIn("process_cpu_seconds", {name.replace("_total", "") for name in names})

    def test_a_connection_goes_on(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.broker.port, timeout=SECONDS)
        connection.connect()
        sock = connection.sock
        for method, path in (("GET", "/healthz"), ("HEAD", "/metrics"), ("GET", "/metrics"), ("PUT", "/x"), ("GET", "/y")):
            connection.request(method, path)
            answer = connection.getresponse()
            answer.read()
            self.assertIs(sock, connection.sock)
        connection.close()

    def test_pipelined_and_half_closed(self):
        answers = self.raw(GET * 50 + GET.replace(b"healthz", b"readyz"), half_close=True)
        self.assertEqual(51, answers.count(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(answers.endswith(b"ok\n"))

    def test_hostile_requests(self):
        for request, status in (
                (b"GET /" + b"x" * (1 << 20), b"431"), (b"GET / HTTP/1.1\r\n\r\n", b"400"),
                (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"y" * 9000 + b"\r\n\r\n", b"431"),
                (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000, b"431"), (b"GET \0 HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
                (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", b"505"), (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"400"),
                (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" + GET, b"405"),
                (b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"405")):
            answer = self.raw(request)
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), (request[:60], answer[:80]))
            self.assertEqual(1, answer.count(b"\r\nContent-Type: "), request[:60])
        # What is neither a frame nor HTTP is closed without a word, as before.
        self.assertEqual(b"", self.raw(b"GOT / HTTP/1.1\r\n\r\n"))
        # A frame first, and then HTTP: that is a frame of a wrong size.
        with self.broker.connect() as connection:
            self.assertEqual(0, connection.call("ApiVersions", 0)["errorCode"])
            connection.send(GET)
            try:
                self.assertEqual(b"", connection.socket.recv(100))
            except ConnectionResetError:
                pass
        self.assertTrue(self.broker.alive())

    def test_connections_that_say_little_cost_little(self):
        self.get("/metrics")
        resident = self.broker.resident_bytes()
        started = []
        for _ in range(300):
            sock = socket.create_connection(("127.0.0.1", self.broker.port), SECONDS)
            self.addCleanup(sock.close)
            sock.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"y" * 4000)
            started.append(sock)
        self.assertEqual("ok\n", self.get("/healthz"))
        if not harness.SANITIZED:
            self.assertLess(self.broker.resident_bytes() - resident, 16 << 20)
        for sock in started[:20]:
            sock.sendall(b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        for sock in started[:20]:
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
            self.assertTrue(answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")))

    def test_random_bytes_behind_a_method(self):
        for i in range(200):
            answer = self.raw(b"GET " + os.urandom(i * 7 % 300) + b"\r\n\r\n", half_close=True)
            self.assertTrue(answer == b"" or answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 5"), answer)
        self.assertTrue(self.broker.alive())


class Lag(Watching):
    ARGUMENTS = ("--reactors=3",)

    def commit(self, group, topic, offsets):
        with self.broker.connect() as connection:
            self.find_coordinator(connection, group)
            answer = connection.call("OffsetCommit", 8, groupId=group, generationIdOrMemberEpoch=-1, memberId="", topics=[
                {"name": topic, "partitions": [{"partitionIndex": p, "committedOffset": o, "committedLeaderEpoch": -1,
                                                "committedMetadata": ""} for p, o in offsets.items()]}])
            for partition in answer["topics"][0]["partitions"]:
                self.assertEqual(0, partition["errorCode"])

    @staticmethod
    def find_coordinator(connection, group):
        def ready():
            answer = connection.call("FindCoordinator", 4, keyType=0, coordinatorKeys=[group])["coordinators"][0]
            fetched = connection.call("OffsetFetch", 7, groupId=group, topics=None, requireStable=False)
            return answer["errorCode"], fetched["errorCode"]
        until(lambda errors: errors == (0, 0), ready)

    def test_of_offsets_alone(self):
        topic = self.topic(4)
        hour_ago = int(time.time() * 1000) - 3600_000
        for partition in range(4):
            self.produce(topic, partition, 10, timestamp=hour_ago)
        self.commit("alone", topic, {0: 0, 1: 4, 2: 10})
        lag = until(lambda seen: len(seen) == 3, lambda: self.lag("alone", topic))
        self.assertEqual({0: (0, 10), 1: (4, 6), 2: (10, 0)}, {p: v[:2] for p, v in lag.items()})
        self.assertGreater(lag[0][2], 3590)
        self.assertLess(lag[0][2], 3600 + 2 * SECONDS)
        self.assertGreater(lag[1][2], 3590)
        self.assertEqual(0, lag[2][2])
        with self.broker.connect() as connection:
            connection.call("DeleteRecords", 2, timeoutMs=30000, topics=[
                {"name": topic, "partitions": [{"partitionIndex": 0, "offset": 7}]}])
        self.assertEqual(3, self.lag("alone", topic)[0][1])
        self.assertFalse([key for key in self.scrape("?lag=0") if key[0].startswith("kafka_consumergroup")])
        with self.broker.connect() as connection:
            connection.call("DeleteTopics", 5, topicNames=[topic], timeoutMs=30000)
        self.assertEqual({}, self.lag("alone", topic))

    def consume(self, group, topic, count, *options):
        harness.run(["timeout", str(SECONDS), "kcat", "-b", self.broker.address, "-q", "-G", group, "-c", str(count),
                     "-X", "auto.offset.reset=earliest", *options, topic], seconds=2 * SECONDS)

    def test_of_a_consumer_group_goes_up_and_down_to_zero(self):
        harness.need_programs("kcat")
        topic = self.topic(2)
        self.produce(topic, 0, 20)
        self.produce(topic, 1, 20)
        self.consume("group", topic, 40)
        zero = lambda seen: len(seen) == 2 and all(v[1:] == (0, 0) for v in seen.values())
        until(zero, lambda: self.lag("group", topic))
        minute_ago = int(time.time() * 1000) - 60_000
        self.produce(topic, 0, 15, timestamp=minute_ago)
        behind = self.lag("group", topic)
        self.assertEqual((20, 15), behind[0][:2])
        self.assertGreater(behind[0][2], 59)
        self.assertEqual((20, 0, 0), behind[1])
        older = self.lag("group", topic)
        self.assertGreaterEqual(older[0][2], behind[0][2], "who does not read gets older")
        self.consume("group", topic, 15)
        until(zero, lambda: self.lag("group", topic))

    def test_of_a_group_of_the_python_client(self):
        harness.need_modules("kafka")
        import kafka
        topic = self.topic(1)
        self.produce(topic, 0, 10)
        consumer = kafka.KafkaConsumer(topic, bootstrap_servers=self.broker.address, group_id="python",
                                       auto_offset_reset="earliest", enable_auto_commit=False, max_poll_records=4)
        self.addCleanup(consumer.close)
        read = 0
        while read < 4:
            read += sum(len(records) for records in consumer.poll(1000).values())
        consumer.commit()
        self.assertEqual((read, 10 - read), self.lag("python", topic)[0][:2])
        while read < 10:
            read += sum(len(records) for records in consumer.poll(1000).values())
        consumer.commit()
        self.assertEqual((10, 0, 0), self.lag("python", topic)[0])

    def test_scrapes_at_once_and_kafka_beside_them(self):
        topic = self.topic(40)
        for group in range(60):
            self.commit("many-%02d" % group, topic, {p: 0 for p in range(40)})
        self.produce(topic, 3, 5)
        failures = []

        def scrape():
            try:
                for _ in range(3):
                    samples = self.scrape()
                    lags = [v for (name, labels), v in samples.items()
                            if name == "kafka_consumergroup_lag" and dict(labels)["topic"] == topic]
                    assert len(lags) == 2400 and sum(lags) == 60 * 5, (len(lags), sum(lags))
            except Exception as error:  # pylint: disable=broad-except
                failures.append(error)
        threads = [threading.Thread(target=scrape) for _ in range(6)]
        for thread in threads:
            thread.start()
        for _ in range(20):
            self.assertTrue(self.broker.alive())
        for thread in threads:
            thread.join()
        self.assertEqual([], failures)

    def test_survives_a_restart(self):
        topic = self.topic(1)
        self.produce(topic, 0, 10)
        self.commit("stays", topic, {0: 6})
        self.broker.stop()
        self.broker.start()
        lag = until(lambda seen: 0 in seen, lambda: self.lag("stays", topic))
        self.assertEqual((6, 4), lag[0][:2])
        self.assertGreater(lag[0][2], 0)


class OneReactor(Lag):
    ARGUMENTS = ("--reactors=1",)


class Listeners(harness.WithLastWords):
    def test_http_is_only_where_it_is_to_be(self):
        for value, answered in (("", False), ("CONTROLLER", False), ("PLAINTEXT", True), ("*", True)):
            with harness.Broker({"http.listeners": value}) as self.broker:
                with socket.create_connection(("127.0.0.1", self.broker.port), SECONDS) as sock:
                    sock.sendall(GET)
                    sock.shutdown(socket.SHUT_WR)
                    try:
                        answer = sock.recv(1000)
                    except ConnectionResetError:
                        answer = b""
                self.assertEqual(answered, answer.startswith(b"HTTP/1.1 200"), value)

    def test_a_listener_that_is_none(self):
        broker = harness.Broker({"http.listeners": "NOWHERE"})
        self.addCleanup(broker.close)
        broker.write_properties()
        done = subprocess.run(broker.command(), capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assertEqual(78, done.returncode)
        self.assertIn("http.listeners", done.stderr)

    def test_an_idle_head_ends(self):
        with harness.Broker({"connections.max.idle.ms": "1500"}) as self.broker:
            with socket.create_connection(("127.0.0.1", self.broker.port), SECONDS) as sock:
                sock.settimeout(0.1)
                sock.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
                begun = time.monotonic()
                while True:
                    self.assertLess(time.monotonic() - begun, SECONDS)
                    try:
                        sock.sendall(b"y")
                        if sock.recv(100) == b"":
                            break
                    except socket.timeout:
                        continue
                    except (BrokenPipeError, ConnectionResetError):
                        break
                self.assertGreaterEqual(time.monotonic() - begun, 1)


if __name__ == "__main__":
    harness.main()
