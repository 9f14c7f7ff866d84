"""The start of the worker is read by any Python, which then says that it is too old."""
import ast
import unittest
from pathlib import Path

import ballast_torch


class StartTest(unittest.TestCase):
    def test_old_pythons_read_it(self):
        for name in ("__init__.py", "__main__.py"):
            ast.parse(Path(ballast_torch.__file__).with_name(name).read_text(encoding="utf-8"), feature_version=(3, 4))


if __name__ == "__main__":
    unittest.main()
