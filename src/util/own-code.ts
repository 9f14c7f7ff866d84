/** The hash of Ballast's own code, which tells two builds of one version apart. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What computes: not documents, tests, examples, or the page. */
const code = ["src", "dist", "engines", "rules"] as const;

/**
 * SHA-256 in hexadecimal over the paths and contents of the program's files: TypeScript in a checkout, JavaScript in an installed package, so that the
 * two differ.
 */
export function codeHash(): string {
  // A checkout may have an older build beside its source.
  const running = relative(root, fileURLToPath(import.meta.url)).split(sep)[0];
  const hash = createHash("sha256");
  for (const folder of code) {
    if ((folder === "src" || folder === "dist") && folder !== running) continue;
    const path = join(root, folder);
    if (!existsSync(path)) continue;
    const names = readdirSync(path, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(ts|js|py|ya?ml|json|txt)$/.test(name) && !/\.(test|d)\.ts$|__pycache__|\.map$/.test(name))
      .map((name) => name.split(sep).join("/"))
      .sort();
    for (const name of names)
      hash.update(
        `${folder}/${name} ${createHash("sha256")
          .update(readFileSync(join(path, name)))
          .digest("hex")}\n`,
      );
  }
  return hash.digest("hex");
}
