/** Where a run's choices go: a file that a reward model reads, from here or in a terminal. */
import { authorization } from "../../api.ts";
import { save } from "../../components/chart-files.ts";
import { Button, Command } from "../../components/parts.tsx";
import { commandOf, quoted } from "../../state/workspace.ts";

export function PreferenceExport({ run }: { readonly run: string }) {
  const write = async () => {
    const headers = authorization();
    const response = await fetch(`/api/runs/${encodeURIComponent(run)}/preferences.jsonl`, { headers });
    if (response.ok) save(`${run}-preferences.jsonl`, "application/x-ndjson", await response.text());
  };
  return (
    <p class="press">
      <Button onPress={() => void write()}>Export preferences</Button>
      <Command>{commandOf(`rate ${quoted(run)} --export pairs.jsonl`)}</Command>
      <span class="quiet">All choices kept with {run}, as a reward model reads them.</span>
    </p>
  );
}
