#!/bin/sh
# TRL 1.16.0: `extract_prompt`, which makes the prompt of preference rows without one, compares characters, not words.
#
# Of "The answer is 12." and "The answer is 13." the prompt is "The answer is 1": the model is asked in half a number, with a
# token at the seam that no text would have there. Where one answer is the beginning of the other, or both are equal, the last
# character that they share is taken from the prompt as well: "The sky" and "The sky is blue" give the prompt "The sk" and the
# answers "y" and "y is blue". And of two conversations whose histories differ, `maybe_extract_prompt` keeps what they begin
# with; the rest, with turns of the user in it, becomes the answers, and a `prompt` column that says something else is dropped
# without a word. Seen with transformers 5.24.0 and datasets 5.2.0 on Python 3; no PyTorch is needed.
#
# Exits 0 while it is so, and otherwise if it is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0 datasets==5.2.0
"$folder/venv/bin/pip" install --quiet --no-deps trl==1.16.0
"$folder/venv/bin/python" - <<'EOF'
from trl.data_utils import extract_prompt, maybe_extract_prompt

numbers = extract_prompt({"chosen": "The answer is 12.", "rejected": "The answer is 13."})
print(numbers)
assert numbers == {"prompt": "The answer is 1", "chosen": "2.", "rejected": "3."}

beginning = extract_prompt({"chosen": "The sky is blue", "rejected": "The sky"})
print(beginning)
assert beginning == {"prompt": "The sk", "chosen": "y is blue", "rejected": "y"}

user = lambda content: {"role": "user", "content": content}
assistant = lambda content: {"role": "assistant", "content": content}
histories = maybe_extract_prompt(
    {
        "prompt": "close the file",
        "chosen": [user("open it"), assistant("which one?"), user("a"), assistant("done")],
        "rejected": [user("open it"), assistant("no"), user("why?"), assistant("sorry")],
    }
)
print(histories)
assert histories["prompt"] == [user("open it")]
assert histories["chosen"] == [assistant("which one?"), user("a"), assistant("done")]
EOF
