"""The steady path of Produce and of Fetch asks the allocator for nothing: what a request needs for a moment comes from what
the ones before have left (base/pool.h). Counted in the whole process, under the load generator, with two reactors: about half
of the requests are for partitions of the other one.

What is not a request's counts, too (a flush now and then, a connection that is opened): so the bound is not zero, but far
below one."""
import mmap
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import harness  # noqa: E402
import json  # noqa: E402
import unittest  # noqa: E402

TOOLS = os.environ.get("TOOLS", os.path.join(harness.ROOT, "build", "release"))
MOST_PER_REQUEST = 0.05
REQUESTS = 20000


@unittest.skipIf(harness.SANITIZED, "the address sanitizer keeps nothing, so that a use after the end is seen")
class AllocationsTest(unittest.TestCase):
    def setUp(self):
        self.broker = harness.Broker({"acks.all.durability": "os"}, arguments=["--reactors=2"])
        counter = os.path.join(self.broker.folder, "allocations")
        with open(counter, "wb") as file:
            file.write(bytes(8))
        self.broker.env = os.environ | {"LD_PRELOAD": os.path.join(TOOLS, "count_allocations.so"), "COUNT_ALLOCATIONS": counter}
        with open(counter, "r+b") as file:
            self.counter = mmap.mmap(file.fileno(), 8)
        self.broker.start()
        self.addCleanup(self.broker.stop)
        self.broker.create_topic("t", 4)
        self.assertGreater(self.allocations(), 1000, "nothing is counted")

    def allocations(self):
        return struct.unpack("=Q", self.counter[:8])[0]

    def load(self, mode, **flags):
        flags = {"port": self.broker.port, "pid": self.broker.process.pid, "mode": mode, "topic": "t", "partitions": 4, **flags}
        done = harness.run([os.path.join(TOOLS, "load"), "--json"] + ["--%s=%s" % flag for flag in flags.items()])
        return json.loads(done.stdout)

    def per_request(self, mode, requests=REQUESTS, **flags):
        self.load(mode, requests=requests // 4, **flags)  # what is kept afterwards is what the next ones need
        before = self.allocations()
        done = self.load(mode, requests=requests, **flags)
        return (self.allocations() - before) / done["requests"]

    def check(self, mode, **flags):
        self.assertLess(self.per_request(mode, **flags), MOST_PER_REQUEST, flags)

    def test_produce(self):
        for acks in (1, -1):
            with self.subTest(acks=acks):
                self.check("produce", connections=32, records=1, record_bytes=100, acks=acks)

    def test_produce_of_batches_with_several_in_flight(self):
        self.check("produce", connections=4, in_flight=5, records=16, record_bytes=1000, acks=1)

    def test_fetch_of_a_backlog(self):
        self.load("produce", connections=4, in_flight=5, records=16, record_bytes=1000, acks=1, requests=2000)
        for fetch_bytes in (20000, 1 << 20):
            with self.subTest(fetch_bytes=fetch_bytes):
                self.check("fetch", connections=4, fetch_bytes=fetch_bytes)

    def test_fetch_at_the_tail(self):
        """One message at a time, and five consumers that wait for it with a long poll, across both reactors."""
        flags = {"rate": 2000, "consumers": 5, "record_bytes": 100}
        self.load("latency", seconds=1, **flags)
        before = self.allocations()
        done = self.load("latency", seconds=3, **flags)
        requests = done["requests"] + done["fetches"]
        self.assertGreater(done["fetches"], done["requests"])
        self.assertLess((self.allocations() - before) / requests, MOST_PER_REQUEST)


if __name__ == "__main__":
    harness.main()
