#!/usr/bin/python3
"""Copies of a whole data directory of Apache Kafka's whose derived files are damaged in every way that comes to mind: indexes,
producer snapshots, checkpoints, the marker of a clean stop. The broker starts on each, and serves every batch of every
partition at its offset, byte for byte, with the same aborted transactions.

DAMAGED_DIRECTORIES makes it longer (default 12), DAMAGED_DIRECTORY repeats one.
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop", "lib"))
import harness  # noqa: E402
import served  # noqa: E402

GOLDEN = os.path.join(HERE, "..", "golden", "storage", "clean.tar.zst")
COPIES = int(os.environ.get("DAMAGED_DIRECTORIES", "12"))
ONE = os.environ.get("DAMAGED_DIRECTORY")
CONFIG = {"log.cleaner.enable": "false", "log.initial.task.delay.ms": "100000000"}  # nothing is to go of itself
# Apache Kafka itself has no other word for where a log begins: a number that is wrong there cannot be told from a right one.
ONLY_COARSELY = ("log-start-offset-checkpoint",)
LOG_START, MARKER = "log-start-offset-checkpoint", ".kafka_cleanshutdown"
SUFFIXES = (".index", ".timeindex", ".snapshot")
NAMES = ("leader-epoch-checkpoint", "recovery-point-offset-checkpoint", "replication-offset-checkpoint",
         "cleaner-offset-checkpoint", LOG_START, MARKER)


def derived_files(data):
    found = []
    for folder, _, names in os.walk(data):
        if "__cluster_metadata" in folder:
            continue
        found += [os.path.join(folder, name) for name in names if name in NAMES or name.endswith(SUFFIXES)]
    return sorted(found)


def damage(choice, path):
    """Does something to the file; says what."""
    size = os.path.getsize(path)
    kinds = ["remove", "empty", "zeros", "garbage", "cut", "append"]
    if os.path.basename(path) not in ONLY_COARSELY:
        kinds.append("flip")
    kind = choice.choice(kinds)
    if kind == "remove":
        os.remove(path)
        return kind
    with open(path, "rb") as file:
        content = file.read()
    if kind == "empty":
        content = b""
    elif kind == "zeros":
        content = bytes(size or 24)
    elif kind == "garbage":
        content = choice.randbytes(size or 24)
    elif kind == "cut":
        content = content[:choice.randrange(size + 1)]
    elif kind == "append":
        content += choice.randbytes(choice.randrange(1, 50))
    elif size:
        at = choice.randrange(size)
        content = content[:at] + bytes([content[at] ^ 1 << choice.randrange(8)]) + content[at + 1:]
    with open(path, "wb") as file:
        file.write(content)
    return kind


@harness.ours_only
class DamagedDirectory(harness.WithLastWords):

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="kafka-broker-damaged-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        subprocess.run("zstd -dc %s | tar x -C %s" % (GOLDEN, self.folder), shell=True, check=True)

    def serve(self, name, change=lambda data: None):
        """What a broker serves from a copy."""
        folder = os.path.join(self.folder, name)
        os.mkdir(folder)
        shutil.copytree(os.path.join(self.folder, "data"), os.path.join(folder, "data"))
        change(os.path.join(folder, "data"))
        broker = harness.Broker(dict(CONFIG), folder=folder)
        try:
            broker.start()
            reader = served.Served(self)
            with broker.connect(60) as reader.connection:
                everything = reader.everything()
            broker.stop()
            return everything
        finally:
            broker.close()
            shutil.rmtree(folder)

    def check(self, seed, sound):
        choice, told = random.Random(seed), []

        def change(data):
            files = derived_files(data)
            for path in choice.sample(files, choice.choice([1, 5, 40, len(files)])):
                told.append("%s %s" % (damage(choice, path), path[len(data) + 1:]))
            if choice.randrange(2) and os.path.exists(os.path.join(data, MARKER)):
                os.remove(os.path.join(data, MARKER))
                told.append("remove " + MARKER)
            os.mkdir(os.path.join(data, "lost+found"))

        with self.subTest(seed=seed):
            found = self.serve(str(seed), change)
            self.assertEqual(sound.keys(), found.keys())
            start_is_lost = any(line.endswith(LOG_START) for line in told)
            for place, (batches, aborted) in sound.items():
                now, now_aborted = found[place]
                if start_is_lost:  # what was deleted last may be there again
                    now = now[-len(batches):] if batches else now
                    now_aborted = [one for one in now_aborted if one in aborted]
                what = "%s-%d, DAMAGED_DIRECTORY=%d: " % (*place, seed) + "; ".join(told[:50])
                if not batches and start_is_lost:
                    continue
                self.assertTrue(batches == now, what)
                self.assertEqual(aborted, now_aborted, what)

    def test_derived_files_are_derived(self):
        sound = self.serve("sound")
        self.assertGreater(sum(len(batches) for batches, _ in sound.values()), 100)
        for seed in [int(ONE)] if ONE else range(COPIES):
            self.check(seed, sound)


if __name__ == "__main__":
    harness.main()
