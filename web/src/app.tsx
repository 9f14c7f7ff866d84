/** The shell: the navigation, the state of the connection, and the view. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { WorkspaceAnswer } from "../../src/types/page.ts";
import { isFile } from "./api.ts";
import { Help } from "./components/help.tsx";
import { Empty, Problem } from "./components/parts.tsx";
import { useKey } from "./keys.ts";
import { ComparePage } from "./pages/compare.tsx";
import { LabPage } from "./pages/lab.tsx";
import { NewRunPage } from "./pages/new-run.tsx";
import { PlaygroundPage } from "./pages/playground.tsx";
import { RunPage } from "./pages/run.tsx";
import { RunsPage } from "./pages/runs.tsx";
import { go, hashOf, view } from "./router.ts";
import { line } from "./state/live.ts";
import { useAnswer } from "./state/use-answer.ts";
import { workspace } from "./state/workspace.ts";
import { nextTheme, theme } from "./theme.ts";

export function App() {
  const { answer, error } = useAnswer<WorkspaceAnswer>(isFile ? null : "/api/workspace");
  const help = useSignal(false);
  useEffect(() => {
    if (answer !== null) workspace.value = answer;
  }, [answer]);
  useKey("?", "help", () => {
    help.value = true;
  });
  useKey("g", "all runs", () => go(["runs"]));
  useKey(isFile ? undefined : "N", "new run", () => go(["new"]));
  useKey("t", "light, dark, or the system's theme", nextTheme);
  const [page = "runs"] = view.value.path;
  useEffect(() => {
    // On a phone the views do not all fit.
    document.querySelector(".top nav [aria-current]")?.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  }, [page]);
  const link = (name: string, says: string) => (
    <a href={hashOf([name])} aria-current={page === name ? "page" : undefined}>
      {says}
    </a>
  );
  return (
    <>
      <header class="top">
        <a class="brand" href={hashOf(["runs"])} aria-label="Ballast">
          <Keel /> <span class="brand-word">Ballast</span>
        </a>
        <nav aria-label="views">
          {link("runs", "Runs")}
          {!isFile && link("new", "New run")}
          {!isFile && link("playground", "Playground")}
          {!isFile && link("compare", "Compare")}
          {!isFile && link("lab", "Lab")}
        </nav>
        <span class="room" />
        <Line />
        <button type="button" class="ghost" onClick={nextTheme} title="light, dark, or the system's theme (t)">
          {theme.value}
        </button>
        <button
          type="button"
          class="ghost"
          onClick={() => (help.value = true)}
          aria-label="help"
          title="keys and commands (?)"
        >
          ?
        </button>
      </header>
      <main>
        <Problem error={error} />
        <Page name={page} />
      </main>
      {help.value && <Help onClose={() => (help.value = false)} />}
    </>
  );
}

/** The logo: a hull with its weight below the water line. */
function Keel() {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M1 5h14l-3 5H4z" fill="currentColor" />
      <path d="M5.5 11.5h5l-1 3h-3z" fill="var(--accent)" />
    </svg>
  );
}

function Page({ name }: { readonly name: string }) {
  if (name === "compare") return <ComparePage />;
  if (name === "new") return <NewRunPage />;
  if (name === "playground") return <PlaygroundPage />;
  if (name === "lab") return <LabPage />;
  const [, id] = view.value.path;
  if (name === "runs") return id === undefined ? <RunsPage /> : <RunPage key={id} id={id} />;
  return (
    <Empty>
      There is no page {name}: <a href={hashOf(["runs"])}>all runs</a>.
    </Empty>
  );
}

/** Whether the page is up to date, as a shape and a word. */
function Line() {
  const words = {
    live: ["●", "live", "good"],
    waiting: ["○", "not connected", "warn"],
    file: ["▣", "exported file", "quiet"],
  } as const;
  const [shape, word, tone] = words[line.value];
  return (
    <span class={`state ${tone}`} role="status">
      <span aria-hidden="true">{shape}</span> {word}
    </span>
  );
}
