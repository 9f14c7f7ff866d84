import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fetchInto, fetchRuntime, loadRuntime, runtimeVersion } from "./runtime.ts";

const hashes = {
  "onnxruntime-node": "sha512-twhs1C2C/BFkz1yc5OY0KIU2GUq6DURO7hD4bx5Q2Qy3nAMJwRXW8xU3NVczE29VA9lolLOYepoD8fjTGOfIqw==",
  "onnxruntime-common":
    "sha512-7fdVWjAID1dVhH/G8qK3APARunV4VkBFoCQAP7qp4Wkab0mrorvmc+sqiT+mKXOzDqdjN5j+/Z9nb4gzNPWcyA==",
};

let home: string;
let notes: string[];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "ballast-runtime-"));
  notes = [];
});
afterEach(() => rmSync(home, { recursive: true }));

/** A program in place of npm that leaves a package with these builds and hashes. */
function npm({ builds = [`${process.platform}/${process.arch}`, "plan9/mips"], lock = hashes, code = 0 } = {}): string {
  const path = join(home, "npm");
  const packages = Object.fromEntries(
    Object.entries(lock).map(([name, integrity]) => [`node_modules/${name}`, { integrity }]),
  );
  const folders = builds.map((build) => `node_modules/onnxruntime-node/bin/napi-v6/${build}`);
  writeFileSync(
    path,
    `#!/bin/sh
echo "$@" > ${home}/arguments
echo "npm error code E404: no such package" >&2
${folders.map((folder) => `mkdir -p ${folder}`).join("\n")}
cat > package-lock.json <<'JSON'
${JSON.stringify({ packages })}
JSON
exit ${code}
`,
  );
  chmodSync(path, 0o755);
  return path;
}

const fetch = (program: string) =>
  fetchInto(join(home, "cache", "onnxruntime"), { npm: program, onNote: (text) => notes.push(text) });
const left = () => (existsSync(join(home, "cache")) ? readdirSync(join(home, "cache")) : []);

describe.skipIf(process.platform === "win32")("fetching ONNX Runtime (a shell script in npm's place)", () => {
  test("keeps this platform's build, runs no install script, and says where it is", async () => {
    await fetch(npm());
    expect(left()).toEqual(["onnxruntime"]);
    const builds = join(home, "cache/onnxruntime/node_modules/onnxruntime-node/bin/napi-v6");
    expect(readdirSync(join(builds, process.platform))).toEqual([process.arch]);
    expect(existsSync(join(builds, "plan9/mips"))).toBe(false);
    expect(notes).toEqual([
      `fetching ONNX Runtime ${runtimeVersion} from the npm registry: about 110 MB, once for this user`,
      expect.stringContaining(join(home, "cache", "onnxruntime")),
    ]);
    expect(readFileSync(join(home, "arguments"), "utf8")).toContain("--ignore-scripts");
  });

  test("two at once leave one whole copy", async () => {
    const program = npm();
    await Promise.all([fetch(program), fetch(program)]);
    expect(left()).toEqual(["onnxruntime"]);
  });

  test.each([
    ["npm fails", () => npm({ code: 1 }), /could not fetch ONNX Runtime .*E404/],
    ["npm is missing", () => join(home, "absent"), /npm could not be started/],
    [
      "a mirror hands out something else",
      () => npm({ lock: { ...hashes, "onnxruntime-node": "sha512-other" } }),
      /hash sha512-other instead of sha512-twhs/,
    ],
    ["this platform has no build", () => npm({ builds: ["plan9/mips"] }), /no build for .*; it has plan9.mips/],
  ])("%s: says so, and leaves nothing", async (_, program, message) => {
    await expect(fetch(program())).rejects.toThrow(message);
    await expect(fetch(program())).rejects.toHaveProperty("hint");
    expect(left()).toEqual([]);
  });

  test("a cache that cannot be made is named with the way out", async () => {
    writeFileSync(join(home, "cache"), "a file");
    await expect(fetch(npm())).rejects.toMatchObject({ hint: expect.stringContaining("XDG_CACHE_HOME") });
  });
});

test("what is there is not fetched again, and loads", async () => {
  const said: string[] = [];
  await fetchRuntime({ onNote: (text) => said.push(text) });
  expect(said).toEqual([]);
  expect(loadRuntime().env.versions).toMatchObject({ node: runtimeVersion });
});
