#!/usr/bin/python3
"""The rules of the house that no compiler knows. Each test names the file and the line that breaks its rule.

usage: tidy_test.py [unittest arguments]     the environment variable BUILD_DIR names a configured build tree
"""
import json
import os
import re
import subprocess
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
BUILD = os.environ.get("BUILD_DIR", os.path.join(ROOT, "build", "release"))

# Made by the generator, in the build tree only: rooms without a folder.
GENERATED_ROOMS = {"message", "message_json"}

# What of the system and of the standard library which rooms may include. All else takes it as a parameter: time, files,
# sockets, randomness and threads are simulated in the tests of everything above.
RESERVED = {
    "threads and what they share": (
        {"reactor", "metrics", "server"},
        r"thread|mutex|shared_mutex|condition_variable|semaphore|latch|barrier|future|stop_token|pthread\.h|sched\.h"),
    "clocks": ({"base", "server"}, r"chrono|ctime|time\.h|sys/time\.h|sys/times\.h|sys/timerfd\.h"),
    "sockets": (
        {"reactor", "net", "server"},
        r"sys/socket\.h|sys/epoll\.h|sys/eventfd\.h|sys/sendfile\.h|sys/un\.h|netinet/.*|arpa/.*|netdb\.h|poll\.h"),
    "files": (
        {"io", "reactor", "net", "server"},
        r"fcntl\.h|unistd\.h|dirent\.h|fstream|filesystem|sys/stat\.h|sys/file\.h|sys/statvfs\.h|sys/mman\.h|sys/uio\.h"),
    "randomness": ({"base"}, r"random|sys/random\.h"),
    "flags, the log and the service manager": ({"server"}, r"glog/.*|gflags/.*|systemd/.*"),
}
# The same things by name, where no include gives them away.
RESERVED_WORDS = {
    "a clock": ({"base", "server"}, r"std::chrono|\b(?:system|steady)_clock\b|\bclock_gettime\s*\(|\bgettimeofday\s*\("),
    "sleeping": (set(), r"sleep_for|sleep_until|\b(?:u|nano)sleep\s*\(|::sleep\s*\("),
    "the environment": ({"server"}, r"\bgetenv\s*\("),
}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


def tracked():
    """Files of the project: what git knows, or, outside a checkout, all but build and data."""
    done = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard"],
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return [path for path in done.stdout.splitlines() if os.path.isfile(os.path.join(ROOT, path))]
    out = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in ("build", "data", ".git", "__pycache__")]
        out += [os.path.relpath(os.path.join(folder, name), ROOT) for name in files]
    return out


FILES = tracked()


def under(folder, *endings):
    return [path for path in FILES if path.startswith(folder + "/") and path.endswith(endings)]


def rooms_with_folders():
    return {path.split("/")[1] for path in under("src", ".cc", ".h") if path.count("/") > 1}


def declared_rooms():
    """In the order of src/CMakeLists.txt, which is the architecture."""
    return re.findall(r"^room\((\w+)", read("src/CMakeLists.txt"), re.M)


class Layout(unittest.TestCase):

    def test_every_room_is_declared_and_described(self):
        declared = declared_rooms()
        self.assertEqual(set(), rooms_with_folders() - set(declared), "folders of src that are no room")
        for room in sorted(rooms_with_folders()):
            self.assertTrue(os.path.isfile(os.path.join(ROOT, "src", room, "README.md")), "src/%s/README.md" % room)

    def test_the_room_table_matches_the_folders(self):
        """ARCHITECTURE.md has one table row for each room, in the order in which they may include one another."""
        table = []
        for line in read("ARCHITECTURE.md").splitlines():
            row = re.match(r"\|\s*`?([a-z_]+(?:`?, `?[a-z_]+)*)`?\s*\|", line)
            if row:
                table += [name.strip("` ") for name in row.group(1).split(",")]
        declared = declared_rooms()
        table = [name for name in table if name in declared]
        self.assertEqual(sorted(set(table)), sorted(table), "a room twice")
        self.assertEqual(rooms_with_folders() | GENERATED_ROOMS, set(table) | GENERATED_ROOMS)
        self.assertEqual([room for room in declared if room in table], table, "the order of src/CMakeLists.txt")

    def test_every_test_is_built_or_run(self):
        commands = os.path.join(BUILD, "compile_commands.json")
        if not os.path.exists(commands):
            self.skipTest("no configured build tree at " + BUILD)
        with open(commands, encoding="utf-8") as text:
            built = {os.path.relpath(entry["file"], ROOT) for entry in json.load(text)}
        listed = "".join(read(path) for path in under("test", "CMakeLists.txt", ".cmake"))
        # The fuzz targets are built by clang only; by name they are in the list all the same.
        lost = [path for path in under("test", ".cc")
                if path not in built and not re.search(r"\b%s\b" % re.sub(r"(_fuzz)?\.cc$", "", os.path.basename(path)), listed)]
        self.assertEqual([], lost, "sources that no target has")
        for script in under("test", "_test.py"):
            self.assertIn(os.path.basename(script), listed, script)

    def test_every_source_is_built(self):
        commands = os.path.join(BUILD, "compile_commands.json")
        if not os.path.exists(commands):
            self.skipTest("no configured build tree at " + BUILD)
        with open(commands, encoding="utf-8") as text:
            built = {os.path.relpath(entry["file"], ROOT) for entry in json.load(text)}
        self.assertEqual([], sorted(set(under("src", ".cc")) - built))


class Borders(unittest.TestCase):

    def violations(self, reserved, pattern_of):
        found = []
        for what, (allowed, words) in reserved.items():
            expression = re.compile(pattern_of(words))
            for path in under("src", ".cc", ".h"):
                if path.split("/")[1] in allowed:
                    continue
                for number, line in enumerate(read(path).splitlines(), 1):
                    if expression.search(line.split("//")[0]):
                        found.append("%s:%d: %s: %s" % (path, number, what, line.strip()))
        return found

    def test_what_is_reserved_to_some_rooms_is_included_only_there(self):
        self.assertEqual([], self.violations(RESERVED, lambda words: r"#\s*include\s*<(?:%s)>" % words))

    def test_what_is_reserved_to_some_rooms_is_named_only_there(self):
        self.assertEqual([], self.violations(RESERVED_WORDS, lambda words: words))

    def test_no_test_sleeps(self):
        expression = re.compile(RESERVED_WORDS["sleeping"][1])
        found = ["%s:%d" % (path, number) for path in under("test", ".cc", ".h")
                 for number, line in enumerate(read(path).splitlines(), 1) if expression.search(line.split("//")[0])]
        self.assertEqual([], found)

    def test_the_rules_can_be_broken(self):
        """What the expressions above are for, so that a typing mistake in one shows."""
        include = r"#\s*include\s*<(?:%s)>"
        self.assertTrue(re.search(include % RESERVED["sockets"][1], "#include <netinet/tcp.h>"))
        self.assertTrue(re.search(include % RESERVED["clocks"][1], "#include <chrono>"))
        self.assertFalse(re.search(include % RESERVED["randomness"][1], '#include "base/random.h"'))
        self.assertTrue(re.search(RESERVED_WORDS["a clock"][1], "auto now = std::chrono::steady_clock::now();"))


class Apis(unittest.TestCase):
    """Every row of the dispatch table has its handler and its golden bytes."""

    def rows(self):
        text = read("src/broker/api_table.cc")
        return sorted(set(re.findall(r"KB_ROW\((\w+),", text)) - {"Api"})

    def test_every_row_has_a_handler(self):
        handlers = "".join(read(path) for path in under("src/broker/handlers", ".cc"))
        self.assertGreater(len(self.rows()), 20)
        for api in self.rows():
            self.assertTrue("Handle%s(" % api in handlers, api)

    def test_every_row_has_golden_bytes_in_both_directions(self):
        for api in self.rows():
            for kind in ("Request", "Response"):
                vectors = os.path.join(ROOT, "test/golden/vectors/api", api + kind + ".jsonl.gz")
                self.assertTrue(os.path.exists(vectors), vectors)


class Prose(unittest.TestCase):

    def test_every_source_says_what_it_is(self):
        headed = {path[:-1] + "cc" for path in under("bench", ".h")}  # the header says it for both
        for path in under("src", ".h") + under("test", ".h", ".py") + under("bench", ".h", ".cc", ".py"):
            if path in headed:
                continue
            first = [line for line in read(path).splitlines()[:3] if not line.startswith("#!")][0]
            self.assertTrue(first.startswith(("//", '"""')), "%s: %s" % (path, first))

    def test_no_line_needs_a_wider_window(self):
        """.clang-format breaks at 120 columns; a word or two beyond are forgiven."""
        found = ["%s:%d" % (path, number) for path in under("src", ".cc", ".h") + under("test", ".cc", ".h", ".py") +
                 under("bench", ".cc", ".py") for number, line in enumerate(read(path).splitlines(), 1) if len(line) > 130]
        self.assertEqual([], found)

    def test_no_address_of_a_place_that_code_was_fetched_from(self):
        """Packages come by name from whatever registry the machine is set up for."""
        allowed = ("http://maven.apache.org/POM/", "http://www.apache.org/licenses/", "https://cwiki.apache.org/",
                   "http://www.w3.org/2000/svg")
        found = []
        for path in FILES:
            if path.startswith(("test/golden/", "test/fuzz/")) or not path.endswith(
                    (".cc", ".h", ".py", ".cmake", ".txt", ".md", ".sh", ".xml", ".service", "run", "fetch")):
                continue
            for number, line in enumerate(read(path).splitlines(), 1):
                for address in re.findall(r"https?://[\w.-]+\.[a-z]{2,}[^\s\"'<>)]*", line):
                    if not address.startswith(allowed) and "example." not in address:
                        found.append("%s:%d: %s" % (path, number, address))
        self.assertEqual([], found)

    def test_a_key_that_works_is_used(self):
        """status.tsv promises it to whoever reads the configuration. Outside of src/config: as the field of the server's or
        a topic's configuration, or by its name."""
        inside = {"listeners", "advertised.listeners", "controller.listener.names", "listener.security.protocol.map",
                  "inter.broker.listener.name", "security.inter.broker.protocol", "controller.quorum.voters",
                  "controller.quorum.bootstrap.servers", "process.roles", "broker.id",  # what they must say is checked there
                  "log.dir"}  # is log.dirs
        code = "\n".join(read(path) for path in under("src", ".cc", ".h") if not path.startswith("src/config/"))
        topic_keys = {}  # by the broker's key that is their default
        for line in read("src/config/topic.tsv").splitlines()[1:]:
            row = line.split("\t")
            for synonym in (row[7] or "").split(","):
                topic_keys[re.sub(r"\(.*\)$", "", synonym)] = row[0]
        fields = {"cleanup.policy": "cleanup_delete", "message.timestamp.type": "message_timestamp_is_log_append_time",
                  "file.delete.delay.ms": "file_delete_delay_ms"}
        unused = []
        for line in read("src/config/status.tsv").splitlines()[1:]:
            key, status = line.split("\t")[:2]
            if status != "works" or key in inside:
                continue
            topic = topic_keys.get(key, "")
            field = fields.get(topic, topic.replace(".", "_"))
            if topic.startswith("compression.") and topic.endswith(".level"):
                field = "compression_level"
            field = field or ("acks_all_durability" if key == "acks.all.durability" else "")
            used = (re.search(r"\b(config_?|config\(\)|server\(\))\.%s\b" % key.replace(".", "_"), code) or
                    '"%s"' % key in code or (field and re.search(r"\btopic\.%s\b" % field, code)))
            if not used:
                unused.append(key)
        self.assertEqual([], unused)

    def test_an_unfinished_place_says_when_it_will_be_finished(self):
        found = ["%s:%d" % (path, number) for path in under("src", ".cc", ".h")
                 for number, line in enumerate(read(path).splitlines(), 1)
                 if re.search(r"\b(FIXME|XXX|TODO)\b(?!\()", line)]
        self.assertEqual([], found)


if __name__ == "__main__":
    unittest.main(verbosity=2)
