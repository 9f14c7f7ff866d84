"""Shards and their index: names only, each tensor once."""
import json
import os
import shutil
import tempfile
import unittest
from unittest import mock

import torch

from ballast_torch.errors import EngineError
from ballast_torch.model_files import ModelFiles, write_tensors


class IndexTest(unittest.TestCase):
    def setUp(self):
        self.outside = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.outside)
        self.folder = os.path.join(self.outside, "model")
        os.mkdir(self.folder)

    def shard(self, name, tensors):
        write_tensors(os.path.join(self.folder, name), {key: (2,) for key in tensors}, lambda key: torch.full((2,), float(tensors[key])))

    def index(self, content):
        with open(os.path.join(self.folder, "model.safetensors.index.json"), "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))

    def refused(self, words):
        with self.assertRaises(EngineError) as caught:
            ModelFiles(self.folder)
        self.assertEqual(caught.exception.kind, "checkpoint")
        self.assertIn(words, str(caught.exception))

    def test_shards_are_read(self):
        self.shard("a.safetensors", {"x": 1})
        self.shard("b.safetensors", {"y": 2})
        self.index({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}})
        into = torch.empty(2)
        ModelFiles(self.folder).read("y", into)
        self.assertEqual(into.tolist(), [2, 2])

    def test_a_tensor_in_two_shards(self):
        self.shard("a.safetensors", {"x": 1})
        self.shard("b.safetensors", {"x": 2})
        self.index({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}})
        self.refused("has x twice, in a.safetensors and b.safetensors")

    def test_a_shard_that_is_not_there(self):
        self.index({"weight_map": {"x": "a.safetensors"}})
        self.refused("there is no such file")

    def test_what_cannot_be_read_is_not_called_damaged(self):
        os.mkdir(os.path.join(self.folder, "model.safetensors"))
        self.refused("cannot read")

    def test_a_file_that_is_cut_off(self):
        with open(os.path.join(self.folder, "model.safetensors"), "wb") as file:
            file.write(b"cut")
        self.refused("is truncated or damaged")

    def test_no_memory_to_map_a_file_is_no_damage(self):
        for error in (OSError("Cannot allocate memory (os error 12)"), MemoryError("Cannot allocate memory (os error 12)")):
            with mock.patch("ballast_torch.model_files.safe_open", side_effect=error), self.assertRaises(type(error)):
                ModelFiles(self.folder)

    def test_an_index_names_files_of_its_folder_only(self):
        self.shard("../other.safetensors", {"x": 1})
        for name in ("../other.safetensors", os.path.join(self.outside, "other.safetensors"), "a.bin", "", 7, None, ["a"]):
            with self.subTest(name=name):
                self.index({"weight_map": {"x": name}})
                self.refused("which is not the name of a shard")

    def test_an_index_that_is_none(self):
        for content, words in (
            ("{", "it is not JSON"),
            ([], "it has no weight_map"),
            ({"weight_map": []}, "it has no weight_map"),
            ({"weight_map": {}}, "it has no weight_map"),
            ("[" + " " * (16 << 20) + "]", "are above"),
        ):
            with self.subTest(words=words):
                self.index(content)
                self.refused(words)


if __name__ == "__main__":
    unittest.main()
