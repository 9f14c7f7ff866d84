/** The Control view: what waits for the operator, what spoke and why, the checklist; then the run's commands, its health and interventions. */
import { useEffect } from "preact/hooks";
import type { ControlAnswer } from "../../../../src/types/page.ts";
import { isFile } from "../../api.ts";
import { Problem } from "../../components/parts.tsx";
import { view } from "../../router.ts";
import { workspace } from "../../state/workspace.ts";
import { CommandsGiven } from "./control/commands-given.tsx";
import { Diagnosis } from "./control/diagnosis.tsx";
import { HealthCard } from "./control/health-card.tsx";
import { DecidedIncidents, OpenIncidents, useIncidents } from "./control/incidents.tsx";
import { Interventions } from "./control/interventions.tsx";
import { OperatorField } from "./control/operator-field.tsx";
import { Replay } from "./control/replay.tsx";
import { Rules } from "./control/rules.tsx";
import { Steer } from "./control/steer.tsx";
import { TokenNote } from "./control/token-note.tsx";
import { useControl } from "./control/use-control.ts";
import { stateOfQuery } from "./overview/view-state.ts";
import type { TabProps } from "./tab.ts";

export function ControlTab(props: TabProps) {
  const { answer: control, error, again } = useControl(props.data, props.run);
  return (
    <div class="control">
      <h2 class="unseen">What it needs, and what may be done</h2>
      <Problem error={error} />
      {control === null ? (
        error === null && <p class="quiet">Reading what the controller has done …</p>
      ) : (
        <Parts {...props} control={control} again={again} />
      )}
    </div>
  );
}

function Parts({
  data,
  answer,
  run,
  control,
  again,
}: TabProps & { readonly control: ControlAnswer; readonly again: () => void }) {
  const { from, to } = stateOfQuery(view.value.query);
  useEffect(() => data.zoom({ from, to }), [data, from, to]);
  useEffect(() => () => data.zoom({ from: undefined, to: undefined }), [data]);
  // Buttons wait until the workspace is known.
  const mayChange = workspace.value?.mayChange ?? false;
  const steered = { data, run, control, argument: answer.argument, mayChange, again };
  const { shown, decided } = useIncidents(steered);
  const isWaiting = shown.some(({ decision }) => decision === null);
  return (
    <>
      {!isFile && workspace.value !== null && !mayChange && <TokenNote commands />}
      {isWaiting && mayChange && <OperatorField />}
      <OpenIncidents {...steered} incidents={shown} />
      <Rules {...steered} />
      <div class="control-diagnosis">
        <Diagnosis run={run} argument={answer.argument} />
      </div>
      <div class="control-columns">
        <div>
          {!isWaiting && mayChange && <OperatorField />}
          {!isFile && <Steer {...steered} />}
          <CommandsGiven {...steered} />
        </div>
        <div>
          <HealthCard {...steered} />
          <Interventions {...steered} />
        </div>
      </div>
      <DecidedIncidents {...steered} incidents={decided} />
      {!isFile && <Replay {...steered} />}
    </>
  );
}
