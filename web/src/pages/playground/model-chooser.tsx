/** A choice among the workspace's models, by run. */
import type { WorkspaceModel } from "../../../../src/types/playground-page.ts";
import { visible } from "../../format.ts";

/** A model's name: `demo-1, PPO's result`, `demo-1, PPO after 40`, or its folder. */
export function modelName({ path, run, stage, step }: WorkspaceModel): string {
  if (run === null || stage === null) return visible(path);
  return `${visible(run)}, ${stageNames[stage]}${step === null ? "" : ` after ${step}`}`;
}

const stageNames = { sft: "SFT", reward: "reward model", ppo: "PPO" } as const;

export interface ModelChooserProps {
  readonly label: string;
  readonly models: readonly WorkspaceModel[];
  readonly value: string;
  /** The choice of none, in words. */
  readonly none?: string;
  /** Called when the choice is opened: checkpoints come and go while a run trains. */
  readonly onOpen: () => void;
  readonly onChange: (path: string) => void;
}

export function ModelChooser({ label, models, value, none, onOpen, onChange }: ModelChooserProps) {
  const runs = [...new Set(models.map(({ run }) => run))];
  return (
    <label>
      {label}{" "}
      <select value={value} onFocus={onOpen} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        {none !== undefined && <option value="">{none}</option>}
        {runs.map((run) => (
          <optgroup key={run ?? ""} label={run === null ? "other folders" : visible(run)}>
            {models
              .filter((one) => one.run === run)
              .map((one) => (
                <option key={one.path} value={one.path}>
                  {modelName(one)}
                </option>
              ))}
          </optgroup>
        ))}
      </select>
    </label>
  );
}
