#!/bin/sh
# @huggingface/jinja 0.5.11, which Transformers.js renders chat templates with, renders valid templates differently from Python's
# Jinja2 3.1.6, without an error:
#
#   {{ message.lstrip('\n') }}     removes all white space, not only line breaks: Qwen3's template takes the indentation off the
#                                  code that an earlier answer begins with, so the model reads another conversation
#   {{ 'a' + {} }}                 is "a[object Map]"; Python has no such sum (DeepSeek-V3's template does this to the arguments
#                                  of a tool's call that are an object)
#   {{ '1' == 1 }}, {{ [] == [] }} are true and false; in Python false and true
#   {{ -7 % 3 }}                   is -1; in Python 2
#   {{ 2 == 2 == 2 }}              is false: comparisons do not chain
#   {{ [none, 1 == 1] }}           is [null, true]; in Python [None, True]
#   "  {-x}"                       text that only looks like a tag loses its indentation
#
# Exits 0 while it is so, and otherwise if it is not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --ignore-scripts @huggingface/jinja@0.5.11
python3 -m venv venv
venv/bin/pip install --quiet jinja2==3.1.6
cat > templates.json <<'EOF'
["{{ '\\n    code'.lstrip('\\n') }}", "{{ '1' == 1 }}", "{{ [] == [] }}", "{{ -7 % 3 }}", "{{ 2 == 2 == 2 }}", "{{ [none, 1 == 1] }}", "a\n  {-x}", "{{ 'a' + {} }}"]
EOF
node --input-type=module > js.json <<'EOF'
import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";
const templates = JSON.parse(readFileSync("templates.json", "utf8"));
console.log(JSON.stringify(templates.map((template) => new Template(template).render({}))));
EOF
venv/bin/python - > python.json <<'EOF'
import json
from jinja2.sandbox import ImmutableSandboxedEnvironment

environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)

def render(template):
    try:
        return environment.from_string(template).render()
    except TypeError:
        return "TypeError"

print(json.dumps([render(template) for template in json.load(open("templates.json"))]))
EOF
cat js.json python.json
node --input-type=module <<'EOF'
import assert from "node:assert";
import { readFileSync } from "node:fs";
const read = (name) => JSON.parse(readFileSync(name, "utf8"));
assert.deepEqual(read("js.json"), ["code", "true", "false", "-1", "false", "[null, true]", "a\n{-x}", "a[object Map]"]);
assert.deepEqual(read("python.json"), ["    code", "False", "True", "2", "True", "[None, True]", "a\n  {-x}", "TypeError"]);
EOF
