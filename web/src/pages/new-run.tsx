/** Begins a run: what it builds on, its objective, model and files; what the doctor and the memory plan say as one types; Start. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { NewRunAnswer, NewRunCheck, NewRunRequest, StartedRun } from "../../../src/types/new-run-page.ts";
import { ApiError, get, post } from "../api.ts";
import { Button, Command, Empty, Problem } from "../components/parts.tsx";
import { hashOf, view } from "../router.ts";
import { draftOf } from "../state/draft.ts";
import { useAnswer } from "../state/use-answer.ts";
import { workspace } from "../state/workspace.ts";
import { CheckResult } from "./new-run/check-result.tsx";
import { type Draft, emptyDraft, NewRunForm, requestOf } from "./new-run/form.tsx";
import { TokenNote } from "./run/control/token-note.tsx";

/** Milliseconds without a key before the configuration is checked. */
const pause = 500;
/** Milliseconds between two looks at a run that is starting. */
const lookAgain = 1_000;

export function NewRunPage() {
  const mayChange = workspace.value?.mayChange ?? false;
  const { answer: offers, error } = useAnswer<NewRunAnswer>(mayChange ? "/api/new-run" : null);
  const draft = draftOf<Draft>("new-run", { ...emptyDraft, extends: view.value.query.extends ?? emptyDraft.extends });
  const request = requestOf(draft.value);
  const { check, failure, isPending } = useCheck(mayChange ? request : null);
  const started = useStarted(offers?.starts[0] ?? null);
  useEffect(() => {
    document.title = "New run – Ballast";
  }, []);
  const ready = check !== null && check.problem === null && !isPending && mayChange;
  return (
    <div class="new-run">
      <h1>New run</h1>
      {workspace.value !== null && !mayChange && <TokenNote />}
      <Problem error={error} />
      {offers === null ? (
        mayChange && error === null && <Empty>Reading what there is to begin with…</Empty>
      ) : (
        <div class="new-run-columns">
          <NewRunForm draft={draft} offers={offers} onStart={() => ready && void started.start(request)} />
          <section class="new-run-check" aria-label="what it would be">
            <p class="press">
              <Button tone="main" disabled={!ready || started.isBusy} onPress={() => void started.start(request)}>
                {started.isBusy ? "Starting …" : "Start"}
              </Button>
              <span class="quiet">The run is a process of its own: it goes on if this server ends.</span>
            </p>
            <Problem error={started.error} />
            {started.newest !== null && <Started start={started.newest} isNew={started.isNew} />}
            <Problem error={failure} />
            {check === null ? (
              failure === null && <p class="quiet">Checking …</p>
            ) : (
              <CheckResult check={check} isPending={isPending} />
            )}
          </section>
        </div>
      )}
    </div>
  );
}

/** The newest start: where it is, and what its process said if it failed. */
function Started({ start, isNew }: { readonly start: StartedRun; readonly isNew: boolean }) {
  const { state, run, said, command, file } = start;
  const element = useRef<HTMLElement>(null);
  useEffect(() => {
    if (isNew) element.current?.focus();
  }, [isNew, state, run]);
  const words = {
    starting: ["▷", "reads its rows", "quiet"],
    running: ["▶", "runs", "good"],
    ended: ["✓", "has ended", "good"],
    failed: ["✗", "ended with an error", "bad"],
  } as const;
  const [shape, word, tone] = words[state];
  return (
    <section class="card started" ref={element} tabIndex={-1} aria-label="the newest start" aria-live="polite">
      <p>
        <span class={`state ${tone}`}>
          <span aria-hidden="true">{shape}</span> {run === null ? file : ""} {run !== null && <RunLink id={run} />}{" "}
          {word}
        </span>
      </p>
      <Command>{command}</Command>
      {said.trim() !== "" && (
        <details open={state === "failed"}>
          <summary>what it says</summary>
          <pre class="scroll">{said}</pre>
        </details>
      )}
    </section>
  );
}

function RunLink({ id }: { readonly id: string }) {
  return (
    <a class="run-link" href={hashOf(["runs", id])}>
      {id}
    </a>
  );
}

/** The answer to the newest request, asked when nothing was typed for a moment. */
function useCheck(request: NewRunRequest | null) {
  const check = useSignal<NewRunCheck | null>(null);
  const failure = useSignal<ApiError | null>(null);
  const answered = useSignal("");
  const text = request === null || request.extends === "" ? "" : JSON.stringify(request);
  useEffect(() => {
    if (text === "") return;
    let left = false;
    const timer = setTimeout(async () => {
      try {
        const found = await post<NewRunCheck>("/api/new-run/check", JSON.parse(text));
        if (left) return;
        check.value = found;
        failure.value = null;
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (!left) failure.value = error;
      }
      if (!left) answered.value = text;
    }, pause);
    return () => {
      left = true;
      clearTimeout(timer);
    };
  }, [text]);
  return { check: check.value, failure: failure.value, isPending: text !== answered.value };
}

/** Starts a run, and looks at it until it has a name or has ended. */
function useStarted(before: StartedRun | null) {
  const newest = useSignal<StartedRun | null>(null);
  const error = useSignal<ApiError | null>(null);
  const isBusy = useSignal(false);
  const shown = newest.value ?? before;
  useEffect(() => {
    if (shown?.state !== "starting") return;
    const timer = setInterval(async () => {
      const answer = await get<NewRunAnswer>("/api/new-run").catch(() => null);
      const found = answer?.starts.find(({ id }) => id === shown.id);
      if (found !== undefined) newest.value = found;
    }, lookAgain);
    return () => clearInterval(timer);
  }, [shown?.id, shown?.state]);
  const start = async (request: NewRunRequest) => {
    if (isBusy.peek()) return;
    isBusy.value = true;
    error.value = null;
    try {
      newest.value = await post<StartedRun>("/api/new-run/start", request);
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error.value = failure;
    } finally {
      isBusy.value = false;
    }
  };
  return { newest: shown, isNew: newest.value !== null, error: error.value, isBusy: isBusy.value, start };
}
