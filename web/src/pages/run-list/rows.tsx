/** Runs as rows of a table, and on a phone as cards. */
import { Fragment } from "preact";
import type { RunSummary } from "../../../../src/types/page.ts";
import { isFile } from "../../api.ts";
import { Health } from "../../components/health.tsx";
import { Scroll } from "../../components/scroll.tsx";
import { figure, visible } from "../../format.ts";
import { hashOf, setQuery } from "../../router.ts";
import { type ColumnName, columns, type Order } from "../../state/run-list.ts";
import { Ago, ArchivedTag, ProgressCell, StateCell, Tags } from "./cells.tsx";
import { Details } from "./details.tsx";

export interface RowsProps {
  readonly runs: readonly RunSummary[];
  readonly order: Order;
  /** The run to which keys apply. */
  readonly at: string | undefined;
  /** The run whose row is open. */
  readonly edited: string | undefined;
  readonly chosen: readonly string[];
  readonly tags: string | undefined;
  readonly onChoose: (id: string) => void;
}

export function RunTable({ runs, order, at, edited, chosen, tags, onChoose }: RowsProps) {
  const names = Object.keys(columns) as ColumnName[];
  return (
    <Scroll label="table of runs">
      <table class="run-table">
        <thead>
          <tr>
            {!isFile && (
              <th>
                <span class="unseen">chosen</span>
              </th>
            )}
            {names.map((name) => (
              <Heading key={name} name={name} order={order} />
            ))}
            <th>Objective</th>
            <th>Tags and note</th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <Fragment key={run.id}>
              <tr class={run.id === at ? "at" : ""} data-run={run.id}>
                {!isFile && (
                  <td>
                    <Choice run={run} chosen={chosen} onChoose={onChoose} />
                  </td>
                )}
                <th scope="row">
                  <RunLink id={run.id} /> {run.name && <span class="quiet">{run.name}</span>} <ArchivedTag run={run} />
                </th>
                <td>
                  <StateCell run={run} />
                </td>
                <td>
                  <ProgressCell run={run} />
                </td>
                <td>
                  <Health health={run.health} />
                </td>
                <td class="number">{figure(run.reward, 3)}</td>
                <td class="number">{figure(run.kl, 3)}</td>
                <td class="age">
                  <Ago at={run.createdAt} />
                </td>
                <td class="one-line">{visible(run.objective)}</td>
                <td class="one-line">
                  <Opener run={run} edited={edited} />
                  <Tags tags={run.tags} chosen={tags} /> {visible(run.note)}
                </td>
              </tr>
              {run.id === edited && (
                <tr class="opened">
                  <td colSpan={names.length + (isFile ? 2 : 3)}>
                    <Details run={run} />
                  </td>
                </tr>
              )}
            </Fragment>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function RunCards({ runs, at, edited, chosen, tags, onChoose }: RowsProps) {
  return (
    <ul class="run-cards">
      {runs.map((run) => (
        <li key={run.id} class={`card ${run.id === at ? "at" : ""}`} data-run={run.id}>
          <div class="card-line">
            {!isFile && <Choice run={run} chosen={chosen} onChoose={onChoose} />}
            <h2>
              <RunLink id={run.id} />
              {run.name && <span class="quiet">{run.name}</span>}
            </h2>
            <ArchivedTag run={run} />
            <span class="age quiet">
              <Ago at={run.createdAt} />
            </span>
          </div>
          <div class="card-line">
            <StateCell run={run} />
            <ProgressCell run={run} />
          </div>
          <dl class="facts">
            <div>
              <dt>health</dt>
              <dd>
                <Health health={run.health} />
              </dd>
            </div>
            <div>
              <dt>reward</dt>
              <dd>{figure(run.reward, 3)}</dd>
            </div>
            <div>
              <dt>KL</dt>
              <dd>{figure(run.kl, 3)}</dd>
            </div>
          </dl>
          <div class="card-line objective-line">
            <p class="one-line quiet">{visible(run.objective)}</p>
            <Opener run={run} edited={edited} />
          </div>
          {(run.tags.length > 0 || run.note !== "") && (
            <div class="card-line">
              <Tags tags={run.tags} chosen={tags} />
              <span class="note">{visible(run.note)}</span>
            </div>
          )}
          {run.id === edited && <Details run={run} />}
        </li>
      ))}
    </ul>
  );
}

function Heading({ name, order }: { readonly name: ColumnName; readonly order: Order }) {
  const here = order.by === name;
  const number = name === "reward" || name === "kl";
  return (
    <th
      aria-sort={here ? (order.down ? "descending" : "ascending") : undefined}
      class={number ? "number" : name === "age" ? "age" : ""}
    >
      <button
        type="button"
        class="ghost"
        title={`sort by ${columns[name].says}`}
        onClick={() => setQuery({ sort: here && !order.down ? `-${name}` : name })}
      >
        {columns[name].says}
        <span aria-hidden="true">{here ? (order.down ? " ↓" : " ↑") : ""}</span>
      </button>
    </th>
  );
}

function RunLink({ id }: { readonly id: string }) {
  return (
    <a class="run-link" href={hashOf(["runs", id])} onFocus={() => setQuery({ at: id })}>
      {visible(id)}
    </a>
  );
}

function Choice({ run, chosen, onChoose }: { readonly run: RunSummary } & Pick<RowsProps, "chosen" | "onChoose">) {
  return (
    <input
      type="checkbox"
      aria-label={`choose ${run.id} to compare`}
      checked={chosen.includes(run.id)}
      onChange={() => onChoose(run.id)}
    />
  );
}

function Opener({ run, edited }: { readonly run: RunSummary; readonly edited: string | undefined }) {
  const open = run.id === edited;
  return (
    <button
      type="button"
      class="ghost opener"
      aria-expanded={open}
      aria-label={`${open ? "close" : "edit"} tags and note of ${run.id}`}
      title="objective in full, tags, note, archive (e)"
      onClick={() => setQuery({ edit: open ? "" : run.id, at: run.id })}
    >
      {open ? "close" : "edit"}
    </button>
  );
}
