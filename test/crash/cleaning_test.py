#!/usr/bin/python3
"""kill -9 in the middle of cleanings: of each key the last acknowledged value is there, in the order it was written.

CRASH_CYCLES makes it longer (default 10).
"""
import base64
import collections
import ctypes
import glob
import os
import random
import select
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "interop", "lib"), HERE]
import batch  # noqa: E402
import crash_test  # noqa: E402
import harness  # noqa: E402

CYCLES = crash_test.CYCLES
PARTITIONS = crash_test.PARTITIONS
KEYS = 40
UNFINISHED = (".cleaned", ".swap")
MOMENTS = (b".deleted", b".log.deleted", b".log.swap", b".log.cleaned")  # the shortest ones first


class KeyedLoad(crash_test.Load):
    """Few keys again and again."""

    def __init__(self, address, topic, **config):
        self.keys = [[] for _ in range(PARTITIONS)]  # by number
        super().__init__(address, topic, **config)

    def key(self, choice, partition, number):
        key = b"key-%d" % choice.randrange(KEYS)
        self.keys[partition][number:] = [key]
        return key

    def last(self, partition):
        """{key: number}"""
        return {key: number for number, key in enumerate(self.keys[partition][:self.sent[partition]])}


class Names:
    """Tells at once when a file in one of the folders is created or gets another name (inotify)."""
    CREATE, MOVED_TO = 0x100, 0x80

    def __init__(self, folders):
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        for folder in folders:
            if self.fd < 0 or libc.inotify_add_watch(self.fd, os.fsencode(folder), self.CREATE | self.MOVED_TO) < 0:
                raise OSError(ctypes.get_errno(), "inotify", folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def wait_for(self, suffix, seconds=30):
        deadline = time.monotonic() + seconds
        while select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
            if suffix + b"\0" in os.read(self.fd, 1 << 16):  # the names end with zeros
                return True
        return False


@harness.ours_only
class KillWhileCleaning(harness.BrokerTest):
    CONFIG = {"log.cleaner.backoff.ms": "100", "log.cleaner.threads": "2", "log.cleaner.dedupe.buffer.size": "4194304"}

    def unfinished(self):
        """Files of cleanings that are under way, or were."""
        return [path for path in glob.glob(os.path.join(self.broker.data, self.name + "-*", "*"))
                if path.endswith(UNFINISHED)]

    def kill_when(self, suffix):
        """As soon as a file has got that suffix."""
        with Names(glob.glob(os.path.join(self.broker.data, self.name + "-*"))) as names:
            is_seen = names.wait_for(suffix)
            self.broker.kill()
        self.assertTrue(is_seen, "nothing is cleaned")
        left = self.unfinished()
        self.caught["begun"] += any(path.endswith(".cleaned") for path in left)
        swaps = [path for path in left if path.endswith(".swap")]
        self.caught["written"] += bool(swaps)
        self.caught["between old and new"] += any(not os.path.exists(self.log_of(path)) for path in swaps)

    @staticmethod
    def log_of(path):
        return os.path.join(os.path.dirname(path), os.path.basename(path)[:20] + ".log")

    def check_log(self, connection, partition, load):
        """All that was sent was acknowledged, and nothing is on its way."""
        found = [(record[0], record[1], int(record[2].split(b":")[0]))
                 for _, records in self.batches(connection, partition) for record in records]
        numbers = [number for _, _, number in found]
        self.assertEqual(sorted(set(numbers)), numbers, "in order, and none twice")
        self.assertEqual([], [one for one in found if load.keys[partition][one[2]] != one[1]])
        offsets = {number: offset for offset, _, number in found}
        wrong = [(number, offset) for number, offset in load.acknowledged[partition]
                 if number in offsets and offset not in (offsets[number], -1)]  # -1: as in crash_test.py
        self.assertEqual([], wrong, "acknowledged with the offset that it has")
        self.assertEqual(load.last(partition), {key: number for _, key, number in found})

    def batches(self, connection, partition):
        found, offset = [], 0
        while True:
            answer = self.fetch(connection, partition, offset)
            some = batch.read(answer[0])
            if not some:
                self.assertEqual(answer[1], offset, "up to the high watermark")
                return found
            found += some
            offset = some[-1][0]["last_offset"] + 1

    def fetch(self, connection, partition, offset):
        answer = connection.call("Fetch", 12, maxWaitMs=0, minBytes=0, maxBytes=1 << 24, sessionEpoch=-1, topics=[
            {"topic": self.name, "partitions": [{"partition": partition, "fetchOffset": offset,
                                                 "partitionMaxBytes": 1 << 24}]}])["responses"][0]["partitions"][0]
        self.assertEqual(0, answer["errorCode"])
        return base64.b64decode(answer["records"] or ""), answer["highWatermark"]

    def check_all(self, load):
        self.assertEqual([], load.errors)
        with self.broker.connect(60) as connection:
            for partition in range(PARTITIONS):
                self.check_log(connection, partition, load)

    def test_the_last_of_each_key_survives(self):
        self.caught = collections.Counter()
        self.name = self.topic(partitions=PARTITIONS, cleanup_policy="compact", segment_ms="30",
                               min_cleanable_dirty_ratio="0.001", file_delete_delay_ms="500")
        load = KeyedLoad(self.broker.address, self.name, acks="all", **{"queue.buffering.max.messages": 1000})
        try:
            for cycle in range(CYCLES):
                self.assertTrue(load.wait_for_more(random.randrange(300, 900)), load.errors)
                self.kill_when(MOMENTS[cycle % len(MOMENTS)])
                killed_ns = time.time_ns()
                self.broker.start()
                self.assertEqual([], [path for path in self.unfinished() if self.is_older(path, killed_ns)])
                load.pause()
                self.check_all(load)
                load.resume()
        finally:
            load.finish()
        self.assertEqual(0, load.left)
        self.check_all(load)
        self.assertTrue(any(self.caught.values()), "no kill came while something was being cleaned")
        self.broker.stop()
        self.assertEqual([], self.unfinished())
        self.assertIn("0 findings", harness.run([harness.BROKER, "verify", self.broker.data]).stdout)
        print("%d kills, cleanings %s; %d records" % (CYCLES, dict(self.caught), sum(load.sent)))

    @staticmethod
    def is_older(path, ns):
        try:
            return os.stat(path).st_ctime_ns < ns
        except FileNotFoundError:  # a cleaning that goes on
            return False


if __name__ == "__main__":
    harness.main()
