/** What different rules would have decided on the record, compared with what was decided: differences first. */
import { useSignal } from "@preact/signals";
import type { ReplayAnswer, Said } from "../../../../../src/types/page.ts";
import { ApiError, post } from "../../../api.ts";
import { Button, Card, Command, Problem } from "../../../components/parts.tsx";
import { Scroll } from "../../../components/scroll.tsx";
import { plural, visible } from "../../../format.ts";
import { hashOf } from "../../../router.ts";
import { draftOf } from "../../../state/draft.ts";
import { commandOf, quoted } from "../../../state/workspace.ts";
import { type ReplayRow, replayRows } from "./replay-diff.ts";
import type { Steered } from "./use-control.ts";

const example = `rules:
  # A rule with the id of a shipped one replaces it; others are added.
  - id: kl_soft
    tier: 2
    says: approx KL
    when: { signal: kl/old_new_k3_token, above: 0.04 }
    window: 3
    action: { learningRate: 0.7 }
    duration: 10
    cooldown: 5
    source: earlier than the shipped 0.05
`;

export function Replay({ run, argument, mayChange }: Steered) {
  const draft = draftOf(`rules ${run.id}`, example);
  const answer = useSignal<ReplayAnswer | null>(null);
  const error = useSignal<ApiError | null>(null);
  const isBusy = useSignal(false);
  const press = async () => {
    isBusy.value = true;
    error.value = null;
    try {
      answer.value = await post<ReplayAnswer>(`/api/runs/${encodeURIComponent(run.id)}/replay`, {
        rules: draft.peek(),
      });
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error.value = failure;
    } finally {
      isBusy.value = false;
    }
  };
  const command = commandOf(`replay ${quoted(argument)} --rules FILE`);
  return (
    <Card title="Replay against other rules" aside={<span class="quiet">changes nothing</span>}>
      <div class="replay">
        <p class="quiet">
          Replays what the controller saw against these rules and the shipped ones. They decide on what was recorded: if
          they had acted, later iterations would have been different.
        </p>
        <label class="unseen" for={`rules-${run.id}`}>
          rules, as YAML
        </label>
        <textarea
          id={`rules-${run.id}`}
          class="code"
          rows={12}
          spellcheck={false}
          autocomplete="off"
          value={draft.value}
          onInput={(event) => {
            draft.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && mayChange) void press();
          }}
        />
        <Problem error={error.value} />
        <p class="press">
          <Button onPress={press} tone="main" disabled={!mayChange || isBusy.value} command={command}>
            {isBusy.value ? "Replaying …" : "Replay"}
          </Button>
          <Button
            onPress={() => {
              draft.value = example;
            }}
          >
            Start from the example
          </Button>
          <Command>{command}</Command>
        </p>
        {answer.value !== null && <Result answer={answer.value} runId={run.id} />}
      </div>
    </Card>
  );
}

function Result({ answer, runId }: { readonly answer: ReplayAnswer; readonly runId: string }) {
  const rows = replayRows(answer);
  const others = rows.filter(({ isSame }) => !isSame);
  const same = rows.filter(({ isSame }) => isSame);
  return (
    <div role="status">
      <p>
        <b>
          {others.length === 0
            ? answer.same
              ? "These rules decide the same."
              : "These rules say the same; what they hold in force differs."
            : `${plural(others.length, "difference")}.`}
        </b>{" "}
        <span class="quiet">{plural(same.length, "decision")} alike.</span>
      </p>
      {others.length > 0 && <Rows rows={others} runId={runId} />}
      {same.length > 0 && (
        <details>
          <summary>{plural(same.length, "decision")} alike</summary>
          <Rows rows={same} runId={runId} />
        </details>
      )}
    </div>
  );
}

function Rows({ rows, runId }: { readonly rows: readonly ReplayRow[]; readonly runId: string }) {
  return (
    <Scroll label="decisions, then and with these rules">
      <table class="replayed">
        <thead>
          <tr>
            <th class="number">it</th>
            <th>rule</th>
            <th>then</th>
            <th>with these rules</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ iteration, rule, was, now }, i) => (
            <tr key={i}>
              <td class="number">
                <a href={hashOf(["runs", runId], { it: iteration })}>{iteration}</a>
              </td>
              <th scope="row">{visible(rule)}</th>
              <td>
                <Entry said={was} />
              </td>
              <td>
                <Entry said={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Entry({ said }: { readonly said: Said | null }) {
  if (said === null) return <span class="quiet">said nothing</span>;
  return (
    <>
      <span class={`state ${said.acted ? "warn" : "quiet"}`}>
        <span aria-hidden="true">{said.kind === "outcome" ? "◇" : said.acted ? "◈" : "△"}</span>{" "}
        {said.kind === "outcome" ? "ended" : said.acted ? "acted" : "said"}
      </span>{" "}
      {visible(said.text)}
    </>
  );
}
