/** A run in one row: its position, its health, its marks. */
import { lengthKeys } from "../../config/extend.ts";
import type { MarkRow, RunRow, Store } from "../../store/index.ts";
import type { RunSummary } from "../../types/page.ts";
import type { Stage } from "../../types/records.ts";
import { cut } from "../../util/cut.ts";
import { groupedBy } from "../../util/group.ts";
import { attemptKey, recordedConfigOf } from "../place.ts";

const shown = ["health/total", "reward/score_mean", "kl/ref_k3_token"] as const;

/** Steps or iterations planned, by stage. */
type Planned = Readonly<Partial<Record<Stage, number>>>;

/** What the store returns for all runs at once. */
interface Beside {
  readonly openIncidents: number;
  readonly marks: readonly MarkRow[];
}

/** Summaries of runs, kept as long as the server: what has not changed is not read again. */
export class Summaries {
  readonly #store: Store;
  readonly #planned = new Map<string, { readonly at: string; readonly planned: Planned }>();
  readonly #values = new Map<string, { readonly at: string; readonly values: Readonly<Record<string, number>> }>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** The summaries of all runs, newest first. */
  all(): RunSummary[] {
    return this.#store.snapshot(() => {
      const open = this.#store.openIncidents();
      const marks = groupedBy(this.#store.marks(), ({ runId }) => runId);
      const runs = this.#store.runs();
      // A new run may have the name of a deleted one.
      for (const id of this.#planned.keys())
        if (!runs.some((run) => run.id === id)) for (const known of [this.#planned, this.#values]) known.delete(id);
      return runs.map((run) =>
        this.#summary(run, { openIncidents: open.get(run.id) ?? 0, marks: marks.get(run.id) ?? [] }),
      );
    });
  }

  one(run: RunRow): RunSummary {
    const openIncidents = this.#store.openIncidents().get(run.id) ?? 0;
    return this.#summary(run, { openIncidents, marks: this.#store.marks(run.id) });
  }

  /** The stages in the run's configuration, with the planned length of each. */
  planned(run: RunRow): Planned {
    const at = placeInTime(run);
    const known = this.#planned.get(run.id);
    if (known?.at === at) return known.planned;
    // A resume may have changed the length.
    const newest = (stage: Stage, recorded: number) => {
      const value = this.#store.settings(run.id, { key: lengthKeys[stage] }).rows.at(-1)?.value;
      return typeof value === "number" ? value : recorded;
    };
    const { sft, reward, ppo } = recordedConfigOf(run);
    const planned = {
      ...(sft && { sft: newest("sft", sft.steps) }),
      ...(reward && { reward: newest("reward", reward.steps) }),
      ...(ppo && { ppo: newest("ppo", ppo.iterations) }),
    };
    this.#planned.set(run.id, { at, planned });
    return planned;
  }

  #summary(run: RunRow, { openIncidents, marks }: Beside): RunSummary {
    const { id, objective, seed, createdAt, state, alive, lastBeat, attempt, position } = run;
    const values = this.#newest(run);
    const of = position === null ? null : (this.planned(run)[position.stage] ?? null);
    return {
      id,
      objective: cut(objective),
      seed,
      createdAt,
      state,
      alive,
      lastBeat,
      attempt,
      position: position === null ? null : { ...position, of },
      health: word(values["health/total"]),
      reward: word(values["reward/score_mean"]),
      kl: word(values["kl/ref_k3_token"]),
      openIncidents,
      tags: marks.filter(({ kind }) => kind === "tag").map(({ value }) => value),
      note: cut(marks.find(({ kind }) => kind === "note")?.value ?? ""),
      archived: marks.some(({ kind }) => kind === "archived"),
      ...nameIn(marks),
    };
  }

  #newest(run: RunRow): Readonly<Record<string, number>> {
    const { id, position } = run;
    const at = placeInTime(run);
    const known = this.#values.get(id);
    if (known?.at === at) return known.values;
    const newest = position === null ? [] : this.#store.latest(id, "ppo", shown);
    const values = Object.fromEntries(newest.map(({ key, value }) => [key, value]));
    this.#values.set(id, { at, values });
    return values;
  }
}

/** A key that stays the same while nothing more is recorded of the run. */
function placeInTime(run: RunRow): string {
  return `${attemptKey(run)} ${run.position?.stage} ${run.position?.iteration}`;
}

/** A number for an answer; NaN and infinities become words when it is written. */
function word(value: number | undefined): number | null {
  return value ?? null;
}

/** The run's shown name, if it has one. */
function nameIn(marks: readonly MarkRow[]): { readonly name?: string } {
  const name = marks.findLast(({ kind }) => kind === "name")?.value;
  return name === undefined ? {} : { name };
}
