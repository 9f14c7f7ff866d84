/** What a new configuration would be: mistakes, stages, the doctor's findings, the memory it takes, and its file. */
import type { NewRunCheck } from "../../../../src/types/new-run-page.ts";
import { Card } from "../../components/parts.tsx";
import { visible } from "../../format.ts";
import { Findings } from "../run/control/diagnosis.tsx";

const stageWords: Readonly<Record<string, string>> = { sft: "SFT", reward: "a reward model", ppo: "PPO" };

export function CheckResult({ check, isPending }: { readonly check: NewRunCheck; readonly isPending: boolean }) {
  const { problem, warnings, stages, objective, findings, plan, yaml } = check;
  return (
    <div class={isPending ? "check-result pending" : "check-result"} aria-busy={isPending}>
      {problem !== null && (
        <div class="problem" role="alert">
          <p>
            <b>✗ It cannot start yet.</b> {visible(problem.error)}
          </p>
          {problem.hint !== undefined && <p>{visible(problem.hint)}</p>}
        </div>
      )}
      {problem === null && (
        <p class="calm" role="status">
          <span class="state good">
            <span aria-hidden="true">✓</span> It can start:
          </span>{" "}
          {stages.map((stage) => stageWords[stage] ?? stage).join(", then ")}.
        </p>
      )}
      {objective !== "" && <p class="quiet">{visible(objective)}</p>}
      {warnings.map((warning) => (
        <p key={warning} class="warn">
          ▲ {visible(warning)}
        </p>
      ))}
      {plan !== null && <Plan plan={plan} />}
      {findings !== null && (
        <Card title="The doctor's findings">
          <Findings findings={findings} />
        </Card>
      )}
      {yaml !== "" && (
        <details>
          <summary>The file that Start writes</summary>
          <pre class="scroll">{visible(yaml)}</pre>
        </details>
      )}
    </div>
  );
}

function Plan({ plan: { stage, total, memory, fits, lines } }: { readonly plan: NonNullable<NewRunCheck["plan"]> }) {
  return (
    <Card
      title="Memory"
      aside={
        <span class={`state ${fits ? "good" : "bad"}`}>
          <span aria-hidden="true">{fits ? "✓" : "✗"}</span> {size(total)} of {size(memory)}
        </span>
      }
    >
      <details>
        <summary>
          at most, in {stageWords[stage] ?? stage}
          {fits ? "" : ": it does not fit in this machine"}
        </summary>
        <table class="tight">
          <tbody>
            {lines.map(({ what, bytes }) => (
              <tr key={what}>
                <td>{visible(what)}</td>
                <td class="number">{size(bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </Card>
  );
}

function size(bytes: number): string {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}
