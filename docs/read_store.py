#!/usr/bin/env python3
"""Reads a store with nothing but Python and the zstd tool: read_store.py STORE OUT
Writes every blob that a namespace sees to OUT/<digest>, prints each entry as a line of JSON."""
import glob, json, os, struct, subprocess, sys, zlib

def cbor(data, at=0):  # one value, and where the next one begins
    kind, n, at = data[at] >> 5, data[at] & 31, at + 1
    if n > 23:
        n, at = int.from_bytes(data[at:at + (1 << n - 24)], "big"), at + (1 << n - 24)
    if kind in (2, 3):
        return (data[at:at + n].decode() if kind == 3 else data[at:at + n]), at + n
    items = []
    for _ in range(n * (kind - 3) if kind in (4, 5) else 0):
        item, at = cbor(data, at)
        items.append(item)
    return {0: n, 1: -1 - n, 4: items, 5: dict(zip(items[::2], items[1::2]))}[kind], at

def records(path):  # kind, id and plain body of each record of a segment or pack
    data = open(path, "rb").read()
    sealed = data[-64:-56] == b"VRC-END\n"
    at, end = 56, struct.unpack_from("<Q", data, len(data) - 24)[0] if sealed else len(data)
    while at < end:
        magic, kind, codec, stored = struct.unpack_from("<4sBB2xI", data, at)
        body, (crc, head) = data[at + 56:at + 56 + stored], struct.unpack_from("<II", data, at + 48)
        if magic != b"\x89VR1" or crc != zlib.crc32(body) or head != zlib.crc32(data[at:at + 52]):
            sys.exit(f"{path}: no whole record at byte {at}")
        plain = body if codec == 0 else subprocess.check_output(["zstd", "-dcq"], input=body)
        yield kind, data[at + 16:at + 48], plain
        at += 56 + stored

def blobs(body, at):  # (kind, id, size) of the blobs that a record names, and what follows them
    end = at + 4 + 41 * struct.unpack_from("<I", body, at)[0]
    return list(struct.iter_unpack("<B32sQ", body[at + 4:end])), body[end:]

def read(kind, digest):  # the bytes of a blob: a chunk, or all chunks that its recipe names
    if kind == 1:
        return found[1, digest]
    root = found[2, digest]
    if root[5] == 1:
        return b"".join(found[1, row[0]] for row in struct.iter_unpack("<32sI", root[72:]))
    parts = b"".join(found[2, row[0]][12:] for row in struct.iter_unpack("<32sQ", root[72:]))
    return b"".join(found[1, row[0]] for row in struct.iter_unpack("<32sI", parts))

files = [path for part in ("active/*.seg", "packs/*/*/*") for path in glob.glob(f"{sys.argv[1]}/{part}")]
files.sort(key=lambda path: struct.unpack_from("<Q", open(path, "rb").read(56), 40))
found, seen, entries = {}, {}, {}
for kind, key, body in (record for path in files for record in records(path)):
    found.update({(kind, key): body} if kind < 4 else {})
    for ref in blobs(body, 36)[0] if kind == 7 else []:
        seen[key, ref] = body[2] == 1
    stamp = struct.unpack_from("<IQQ", body, 4) + (body[24:56],) if kind in (4, 5) else ()
    if stamp > entries.get(key, ((),))[0]:
        entries[key] = stamp, kind, body
for kind, digest in {ref[:2] for (_, ref), visible in seen.items() if visible}:
    open(os.path.join(sys.argv[2], digest.hex()), "wb").write(read(kind, digest))
for refs, sealed in [blobs(body, 88) for _, kind, body in entries.values() if kind == 4]:
    print(json.dumps(dict(cbor(sealed)[0], digests=[ref[1].hex() for ref in refs])))
