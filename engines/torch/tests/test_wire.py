"""Frames: what goes in comes out, and the end of the stream is an end."""
import io
import math
import unittest

import numpy as np

from ballast_torch.wire import frame_parts, read_frame


class WireTest(unittest.TestCase):
    def test_round_trip(self):
        message = {
            "id": 3,
            "args": {"a": np.array([1.5, math.nan, math.inf], dtype=np.float32), "b": [np.array([1, -2], dtype=np.int32), "é"]},
            "numbers": [math.nan, -math.inf, 0.1, 7],
            "empty": np.zeros(0, dtype=np.float64),
        }
        bytes_ = b"".join(bytes(part) for part in frame_parts(message))
        stream = io.BytesIO(bytes_ * 2)
        for _ in range(2):
            found = read_frame(stream)
            np.testing.assert_array_equal(found["args"]["a"], message["args"]["a"])
            np.testing.assert_array_equal(found["args"]["b"][0], message["args"]["b"][0])
            self.assertEqual(found["args"]["b"][1], "é")
            self.assertTrue(math.isnan(found["numbers"][0]))
            self.assertEqual(found["numbers"][1:], [-math.inf, 0.1, 7])
            self.assertEqual(found["empty"].size, 0)
        self.assertIsNone(read_frame(stream))

    def test_half_a_frame_is_the_end(self):
        bytes_ = b"".join(bytes(part) for part in frame_parts({"a": np.ones(4, dtype=np.float32)}))
        for cut in (1, 11, 12, 20, len(bytes_) - 1):
            self.assertIsNone(read_frame(io.BytesIO(bytes_[:cut])))

    def test_no_frame(self):
        with self.assertRaisesRegex(ValueError, "is no header"):
            read_frame(io.BytesIO(b"GET / HTTP/1.1\r\n\r\n"))


if __name__ == "__main__":
    unittest.main()
