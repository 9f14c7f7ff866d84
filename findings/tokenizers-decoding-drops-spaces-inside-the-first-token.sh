#!/bin/sh
# tokenizers 0.23.3: a BPE tokenizer whose Metaspace pre-tokenizer does not split (`split=False`, so that tokens may span words) does not
# get its own text back. The Metaspace decoder removes every space mark of the FIRST token, not only the one that encoding put in front:
#
#   "the cat sat on the mat"  ->  one token "▁the▁cat▁sat▁on▁the▁mat"  ->  "thecatsatonthemat"
#
# With `split=True`, where no token holds a second mark, the text comes back. A reward or verifier that reads decoded text sees other
# words than the model wrote, and only at the beginning of a response.
#
# Exits 0 while it is so, and otherwise if it is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet tokenizers==0.23.3
venv/bin/python - <<'EOF'
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

text = "the cat sat on the mat"


def round_trip(split):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=split)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always", split=split)
    trainer = trainers.BpeTrainer(vocab_size=60, show_progress=False)
    tokenizer.train_from_iterator([text, "the cat sat"] * 50, trainer)
    encoding = tokenizer.encode(text)
    print(split, encoding.tokens, repr(tokenizer.decode(encoding.ids)))
    return encoding.tokens, tokenizer.decode(encoding.ids)


assert round_trip(True) == (["▁the", "▁cat", "▁sat", "▁on", "▁the", "▁mat"], text)
assert round_trip(False) == (["▁the▁cat▁sat▁on▁the▁mat"], "thecatsatonthemat")
EOF
