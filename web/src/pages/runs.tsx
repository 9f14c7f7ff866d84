/** All runs of the workspace. */

import type { RunsAnswer } from "../../../src/types/page.ts";
import { hashOf } from "../router.ts";
import { useAnswer } from "../state/use-answer.ts";

export function RunsPage() {
  const { answer } = useAnswer<RunsAnswer>("/api/runs");
  return (
    <ul>
      {answer?.runs.map(({ id }) => (
        <li key={id}>
          <a href={hashOf(["runs", id])}>{id}</a>
        </li>
      ))}
    </ul>
  );
}
