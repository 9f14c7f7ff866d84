"""The rounded copies that passes of trained models read: one array for all of these models, filled for the one whose turn it is.

A pass reads one model's copies only, and after a step they are made anew in any case: models that step in turns, such as policy and critic, lose no time.
"""
import weakref

import torch


class Turns:
    def __init__(self):
        self._room = self._model = None

    def room(self, size, dtype, device):
        """An array of at least this size. It is there as long as a model keeps it."""
        found = self._room and self._room()
        if found is None or len(found) < size:
            found = torch.empty(size, dtype=dtype, device=device)
            self._room = weakref.ref(found)
        return found

    def take(self, model):
        """Before a pass of this model."""
        if self._model is None or self._model() is not model:
            # Nobody's, if this fails in its middle.
            self._model = None
            model.copy_rounded()
            self._model = weakref.ref(model)

    def changed(self, model):
        """After a change of its values."""
        if self._model is not None and self._model() is model:
            self._model = None
