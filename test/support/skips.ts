/** Lists every skipped test by name at the end of a test run, so that no skip goes unnoticed. */
import { relative } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

export default class SkipsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) =>
      [...module.children.allTests("skipped")].map((test) => {
        const result = test.result();
        const note = result.state === "skipped" && result.note ? ` (${result.note})` : "";
        return `  ${relative(process.cwd(), module.moduleId)}: ${test.fullName}${note}`;
      }),
    );
    process.stdout.write(lines.length === 0 ? "\nno test was skipped\n" : `\nskipped:\n${lines.join("\n")}\n`);
  }
}
