"""Frames on the socket: two lengths, a JSON header, then the raw little-endian numbers of its arrays.

A frame is `<u32 header bytes> <u64 body bytes> <header> <body>`. The header is `{"message": tree, "arrays": [[dtype, count], ...]}`; in the tree
`{"$array": i}` stands for the i-th array of the body, and `{"$number": text}` for a number that JSON has not: NaN, Infinity, -Infinity.
"""
import json
import math
import struct

import numpy as np

LENGTHS = struct.Struct("<IQ")
DTYPES = {"f32": np.dtype("<f4"), "f64": np.dtype("<f8"), "i32": np.dtype("<i4")}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
# Far above any header; a length beyond it is another program's, or a damaged stream's.
MOST_HEADER = 1 << 28


def read_frame(stream):
    """The next message, with its arrays in place; None at the end of the stream. Raises ValueError for anything that is not a frame."""
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    header_bytes, body_bytes = LENGTHS.unpack(lengths)
    if header_bytes > MOST_HEADER:
        raise ValueError(f"a header of {header_bytes} bytes is no header")
    header, body = stream.read(header_bytes), stream.read(body_bytes)
    if len(header) < header_bytes or len(body) < body_bytes:
        return None
    parsed = json.loads(header)
    arrays, offset = [], 0
    for name, count in parsed["arrays"]:
        arrays.append(np.frombuffer(body, DTYPES[name], count, offset))
        offset += DTYPES[name].itemsize * count
    return _place(parsed["message"], arrays)


def frame_parts(message) -> list:
    """A message's frame, in parts to be written one after the other."""
    arrays = []
    tree = _take(message, arrays)
    header = json.dumps({"message": tree, "arrays": [[NAMES[a.dtype], a.size] for a in arrays]}, allow_nan=False).encode()
    body = [memoryview(np.ascontiguousarray(a)).cast("B") for a in arrays if a.size > 0]
    return [LENGTHS.pack(len(header), sum(part.nbytes for part in body)), header, *body]


def _place(tree, arrays):
    if isinstance(tree, list):
        return [_place(one, arrays) for one in tree]
    if isinstance(tree, dict):
        if "$array" in tree:
            return arrays[tree["$array"]]
        if "$number" in tree:
            return float(tree["$number"].replace("Infinity", "inf"))
        return {key: _place(value, arrays) for key, value in tree.items()}
    return tree


def _take(tree, arrays):
    if isinstance(tree, np.ndarray):
        arrays.append(tree)
        return {"$array": len(arrays) - 1}
    if isinstance(tree, float) and not math.isfinite(tree):
        return {"$number": "NaN" if math.isnan(tree) else "Infinity" if tree > 0 else "-Infinity"}
    if isinstance(tree, dict):
        return {key: _take(value, arrays) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_take(one, arrays) for one in tree]
    return tree
