/** The origin of the run: attempts, configuration, machine. */
import type { RunAnswer } from "../../../../../src/types/page.ts";
import { Card } from "../../../components/parts.tsx";
import { visible } from "../../../format.ts";
import { stageNames, stepWord } from "./strip.tsx";

export function Facts({ answer }: { readonly answer: RunAnswer }) {
  const { attempts, config, machine, run } = answer;
  return (
    <>
      <Card title="Attempts">
        <div class="scroll">
          <table class="tight">
            <thead>
              <tr>
                <th class="number">attempt</th>
                <th>begins at</th>
                <th>started</th>
                <th>process</th>
              </tr>
            </thead>
            <tbody>
              {attempts.map(({ attempt, begins, startedAt, host, pid }) => (
                <tr key={attempt}>
                  <td class="number">{attempt}</td>
                  <td>
                    {begins === null
                      ? "–"
                      : `${stageNames[begins.stage]} ${stepWord(begins.stage)} ${begins.iteration}`}
                  </td>
                  <td>{new Date(startedAt).toLocaleString()}</td>
                  <td>
                    {visible(host)}, {pid}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </Card>
      <Card title="Configuration and machine">
        <p class="quiet">
          Seed {run.seed}; in <code>{visible(answer.folder)}</code>.
        </p>
        <details>
          <summary>Configuration, with every default</summary>
          <pre class="scroll facts">{visible(JSON.stringify(config, null, 2))}</pre>
        </details>
        <details>
          <summary>Machine and versions</summary>
          <pre class="scroll facts">{visible(JSON.stringify(machine, null, 2))}</pre>
        </details>
      </Card>
    </>
  );
}
