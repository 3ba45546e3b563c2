#!/usr/bin/python3
"""The systemd unit keeps the exposure that was reached: `systemd-analyze security`, offline, on the file that is installed.

usage: unit_file.py INSTALLED_UNIT_FILE (as configured into the build tree)
"""
import json
import shutil
import subprocess
import sys

MOST = 1.2
# What a broker cannot do without; everything else must be taken away.
ALLOWED = {"RootDirectory=/RootImage=", "RestrictAddressFamilies=~AF_UNIX", "RestrictAddressFamilies=~AF_(INET|INET6)",
           "PrivateNetwork=", "DeviceAllow=", "IPAddressDeny="}


def main(unit):
    if not shutil.which("systemd-analyze"):
        print("skipped: no systemd-analyze on this machine")
        return 77
    threshold = "--threshold=%d" % round(MOST * 10)
    verdict = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", threshold, unit],
                             capture_output=True, text=True)
    print(verdict.stdout.strip().splitlines()[-1])
    if verdict.returncode != 0:
        print(verdict.stdout, verdict.stderr)
        return 1
    table = subprocess.run(["systemd-analyze", "security", "--offline=true", "--json=short", unit],
                           capture_output=True, text=True, check=True)
    exposed = {row["name"] for row in json.loads(table.stdout) if float(row["exposure"] or 0) > 0}
    unexpected = exposed - ALLOWED
    if unexpected:
        print("exposed without need: " + ", ".join(sorted(unexpected)))
        return 1
    text = open(unit, encoding="utf-8").read()
    for needed in ("Type=notify", "LimitNOFILE=", "StateDirectory=kafka-broker", "Restart=on-failure",
                   "EnvironmentFile=", "--reactors=${REACTORS}", "LimitCORE=0"):
        if needed not in text:
            print("the unit lacks " + needed)
            return 1
    if "@" in text.replace("@system-service", "").replace("@privileged", "").replace("@resources", ""):
        print("a placeholder was not filled in")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
