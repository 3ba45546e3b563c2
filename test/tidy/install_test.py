#!/usr/bin/python3
"""cmake --install puts everything in place, and leaves an administrator's configuration alone the second time.

usage: install_test.py CMAKE BUILD_DIR
"""
import os
import subprocess
import sys
import tempfile


def install(cmake, build, root):
    subprocess.run([cmake, "--install", build], check=True, capture_output=True, env={**os.environ, "DESTDIR": root})


def files(root):
    return {os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names}


def main(cmake, build):
    with tempfile.TemporaryDirectory(prefix="kafka-broker-install-") as root:
        install(cmake, build, root)
        names = {os.path.basename(path): path for path in files(root)}
        needed = {"kafka-broker", "kafka-broker.service", "kafka-broker.conf", "server.properties", "README.md"}
        missing = needed - set(names)
        assert not missing, "not installed: %s" % missing
        confs = [path for path in files(root) if path.endswith("kafka-broker.conf")]
        assert sorted(os.path.basename(os.path.dirname(path)) for path in confs) == ["sysusers.d", "tmpfiles.d"], confs
        with open(os.path.join(root, names["kafka-broker.service"]), encoding="utf-8") as unit:
            start = next(line for line in unit if line.startswith("ExecStart="))
        for word in start[len("ExecStart="):].split()[:2]:  # the binary and its configuration are where the unit says
            assert os.path.exists(root + word), "%s is not installed" % word
        configuration = os.path.join(root, names["server.properties"])
        with open(configuration, "a", encoding="utf-8") as changed:
            changed.write("# mine\n")
        install(cmake, build, root)
        with open(configuration, encoding="utf-8") as kept:
            assert "# mine" in kept.read(), "an administrator's change was overwritten"
    print("installed, and installed again")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
