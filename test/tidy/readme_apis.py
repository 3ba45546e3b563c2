#!/usr/bin/python3
"""README.md lists the APIs that the broker serves and those of Apache Kafka that it does not, as the broker says itself.

usage: readme_apis.py [--write]     compares the block in README.md with an ApiVersions answer, or writes the block anew
"""
import glob
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop", "lib"))
import harness  # noqa: E402
import kmsg  # noqa: E402
import protocol  # noqa: E402

README = os.path.join(harness.ROOT, "README.md")
BEGIN, END = "<!-- apis: written by test/tidy/readme_apis.py --write -->\n", "<!-- /apis -->\n"


def known_apis():
    """{key: name} of everything that a broker's listener of Apache Kafka 4.3 serves."""
    out = {}
    for path in glob.glob(os.path.join(protocol.SCHEMA, "api", "*Request.kmsg")):
        schema = kmsg.load(path)
        if "broker" in schema.listeners and schema.versions[0] <= schema.versions[1]:
            out[schema.key] = schema.name[:-len("Request")]
    return out


def block():
    names = known_apis()
    broker = harness.Broker()
    with broker, broker.connect() as connection:
        served = {row["apiKey"]: (row["minVersion"], row["maxVersion"])
                  for row in connection.call("ApiVersions", 0)["apiKeys"]}
    lines = ["| key | API | versions |", "| --- | --- | --- |"]
    for key, (low, high) in sorted(served.items()):
        lines.append("| %d | %s | %s |" % (key, names[key], low if low == high else "%d–%d" % (low, high)))
    missing = ["%s (%d)" % (name, key) for key, name in sorted(names.items()) if key not in served]
    return "%s\n%s\n\nNot yet: %s.\n\n%s" % (BEGIN, "\n".join(lines), ", ".join(missing), END)


def main(write):
    with open(README, encoding="utf-8") as text:
        readme = text.read()
    begin, end = readme.index(BEGIN), readme.index(END) + len(END)
    now = block()
    if readme[begin:end] == now:
        return 0
    if write:
        with open(README, "w", encoding="utf-8") as text:
            text.write(readme[:begin] + now + readme[end:])
        return 0
    print("README.md says something else than the broker; run test/tidy/readme_apis.py --write\n" + now)
    return 1


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv))
