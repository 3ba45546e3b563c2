#!/usr/bin/env python3
"""Turns the golden bytes into seeds for the codec's fuzz targets.

    test/fuzz/seed.py OUT_DIR        makes OUT_DIR/decode_request, decode_response, decode_record and encode
    build/fuzz/encode_fuzz OUT_DIR/encode

The form of a seed is that of fuzz/codec.h (Choose, DecodeRequest).
"""
import glob
import gzip
import hashlib
import json
import os
import re
import sys

TEST = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VECTORS = os.path.join(TEST, "golden", "vectors")
SCHEMA = os.path.join(os.path.dirname(TEST), "src", "protocol", "schema")
MOST_BYTES = 400  # longer seeds slow a fuzzer down and teach it nothing


def schemas():
    """{name: (kind, first version)} of every message."""
    found = {}
    for path in glob.glob(SCHEMA + "/*/*.kmsg"):
        for line in open(path, encoding="utf-8"):
            if line.strip() and not line.startswith("#"):
                words = line.split()
                found[words[1]] = (words[0], int(re.search(r"versions=(\d+)", line)[1]))
                break
    return found


def main():
    out = sys.argv[1]
    known = schemas()
    families = {
        "decode_response": sorted(n for n, (kind, _) in known.items() if kind == "response"),
        "decode_record": sorted(n for n, (kind, _) in known.items() if kind not in ("request", "response")),
        "encode": sorted(known),
    }

    def write(target, data):
        folder = os.path.join(out, target)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, hashlib.sha1(data).hexdigest()), "wb") as file:
            file.write(data)

    for path in glob.glob(VECTORS + "/*/*.jsonl.gz"):
        for line in gzip.open(path, "rt", encoding="utf-8"):
            vector = json.loads(line)
            if vector.get("message") not in known or len(vector["hex"]) > 2 * MOST_BYTES:
                continue
            name, body = vector["message"], bytes.fromhex(vector["hex"])
            version = vector["version"] - known[name][1]
            for target, names in families.items():
                if name in names:
                    write(target, names.index(name).to_bytes(2, "big") + bytes([version]) + body)
    for line in gzip.open(VECTORS + "/frames.jsonl.gz", "rt", encoding="utf-8"):
        frame = json.loads(line)
        if frame["kind"] == "request" and len(frame["hex"]) <= 2 * MOST_BYTES:
            write("decode_request", bytes.fromhex(frame["hex"])[4:])


if __name__ == "__main__":
    main()
