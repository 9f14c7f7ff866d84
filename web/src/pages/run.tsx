/** One run: its name and state, and its views as tabs. */
import { useRef } from "preact/hooks";
import { isFile } from "../api.ts";
import { Problem, State } from "../components/parts.tsx";
import { visible } from "../format.ts";
import { useKey } from "../keys.ts";
import { go, hashOf, type Query, view } from "../router.ts";
import { summaries } from "../state/live.ts";
import { useRun } from "../state/use-run.ts";
import { BehaviourTab } from "./run/behaviour.tsx";
import { ControlTab } from "./run/control.tsx";
import { OverviewTab } from "./run/overview.tsx";
import { SamplesTab } from "./run/samples.tsx";

const tabs = [
  { name: "", says: "Run", shortcut: "1", View: OverviewTab },
  { name: "samples", says: "Samples", shortcut: "2", View: SamplesTab },
  { name: "behaviour", says: "Behaviour", shortcut: "3", View: BehaviourTab },
  { name: "control", says: "Control", shortcut: "4", View: ControlTab },
] as const;

export function RunPage({ id }: { readonly id: string }) {
  const data = useRun(id);
  const { path, query } = view.value;
  const [, , name = ""] = path;
  const tab = tabs.find((one) => one.name === name) ?? tabs[0];
  /** Each view's last address: returning to it restores it, at the iteration selected since. */
  const left = useRef<Record<string, Query>>({}).current;
  left[tab.name] = query;
  const queryOf = (target: string): Query => {
    const known = left[target];
    return (known?.stage ?? "ppo") === (query.stage ?? "ppo") ? { ...known, it: query.it } : known!;
  };
  for (const { name: target, says, shortcut } of tabs)
    useKey(shortcut, says, () => go(pathOf(id, target), queryOf(target)));
  const answer = data.answer.value;
  const run = summaries.value.get(id) ?? answer?.run;
  document.title = `${id} – Ballast`;
  return (
    <>
      <header class="run-head">
        <h1>{visible(id)}</h1>
        {run && <State state={run.state} />}
        <nav class="tabs" aria-label="views of the run">
          {tabs.map((one) => (
            <a
              key={one.name}
              href={hashOf(pathOf(id, one.name), queryOf(one.name))}
              aria-current={one === tab ? "page" : undefined}
            >
              {one.says}
              {one.name === "control" && (run?.openIncidents ?? 0) > 0 && <b class="count">{run!.openIncidents}</b>}
              {!isFile && <kbd>{one.shortcut}</kbd>}
            </a>
          ))}
        </nav>
        {run && <p class="objective">{visible(run.objective)}</p>}
      </header>
      <Problem error={data.error.value} />
      {answer && run && <tab.View data={data} answer={answer} run={run} />}
    </>
  );
}

function pathOf(id: string, tab: string): string[] {
  return tab === "" ? ["runs", id] : ["runs", id, tab];
}
