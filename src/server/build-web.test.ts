/** The page is built if it is missing or older than its sources, and only in a checkout. */
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../../test/support/store.ts";
import { loadWeb } from "./build-web.ts";

function folderWith({ sources, page }: { readonly sources: boolean; readonly page: boolean }) {
  const packageFolder = temporaryFolder();
  const builds: string[] = [];
  const write = (folder: string, text: string) => {
    mkdirSync(folder, { recursive: true });
    for (const name of ["index.html", "app.js", "app.css"]) writeFileSync(join(folder, name), text);
  };
  if (sources) {
    mkdirSync(join(packageFolder, "web", "src"), { recursive: true });
    for (const name of ["vite.config.ts", "src/main.tsx"]) writeFileSync(join(packageFolder, "web", name), "");
  }
  if (page) write(join(packageFolder, "dist", "web"), "old");
  const build = async ({ out }: { readonly out: string }) => {
    builds.push(out);
    write(out, "new");
  };
  const load = async () => String((await loadWeb({ packageFolder, build }))["app.js"].body);
  return { packageFolder, builds, load };
}

it("if it is missing, or a source is newer; else it is taken as it is", async () => {
  const { packageFolder, builds, load } = folderWith({ sources: true, page: false });
  expect(await load()).toBe("new");
  expect(await load()).toBe("new");
  expect(builds).toHaveLength(1);
  const later = new Date(Date.now() + 60_000);
  utimesSync(join(packageFolder, "web", "src", "main.tsx"), later, later);
  expect(await load()).toBe("new");
  expect(builds).toHaveLength(2);
});

it("not in a published package, which has it or says so", async () => {
  const { builds, load } = folderWith({ sources: false, page: true });
  expect(await load()).toBe("old");
  expect(builds).toEqual([]);
  await expect(folderWith({ sources: false, page: false }).load()).rejects.toThrow("page is missing");
});

it("that cannot be built says what to try", async () => {
  const { packageFolder } = folderWith({ sources: true, page: false });
  const build = async () => {
    throw new Error("no vite");
  };
  await expect(loadWeb({ packageFolder, build })).rejects.toMatchObject({
    message: "cannot build the dashboard's page: no vite",
    hint: expect.stringContaining("npm ci"),
  });
});

// On a line of 1.6 Mbit/s, as a phone's may be, 120,000 bytes take 0.6 s.
it("is small: all of it under 120,000 bytes, as it travels", async () => {
  const files = Object.values(await loadWeb());
  expect(files.reduce((sum, { packed }) => sum + packed.length, 0)).toBeLessThan(120_000);
});
