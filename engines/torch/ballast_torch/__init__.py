"""Ballast's PyTorch worker: models, losses, sampling and optimizer steps for `engine: torch`, spoken to over a socket."""

PROTOCOL = 1
