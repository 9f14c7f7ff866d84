/** A run's opened row: its full objective, and tags, note and archive to change. */
import type { NewMark, RunSummary } from "../../../../src/types/page.ts";
import { isFile } from "../../api.ts";
import { Button, Command, Problem } from "../../components/parts.tsx";
import { visible } from "../../format.ts";
import { mark, refused } from "../../state/marks.ts";
import { commandOf, quoted, workspace } from "../../state/workspace.ts";

export function Details({ run }: { readonly run: RunSummary }) {
  const change = (what: NewMark) => void mark(run, what);
  const failed = refused.value?.run === run.id ? refused.value.error : null;
  const mayChange = !isFile && workspace.value?.mayChange !== false;
  const goesOn = ["lost", "interrupted", "stopped", "failed"].includes(run.state);
  return (
    <div class="details">
      <p class="wide">{visible(run.objective)}</p>
      <dl class="facts wide">
        <div>
          <dt>seed</dt>
          <dd>{run.seed}</dd>
        </div>
        <div>
          <dt>attempt</dt>
          <dd>{run.attempt}</dd>
        </div>
        <div>
          <dt>created</dt>
          <dd>{new Date(run.createdAt).toLocaleString()}</dd>
        </div>
        {goesOn && !isFile && (
          <div>
            <dt>continue with</dt>
            <dd>
              <Command>{commandOf(`resume ${quoted(run.id)}`)}</Command>
            </dd>
          </div>
        )}
      </dl>
      <Problem error={failed} />
      {mayChange ? (
        <>
          <TagEditor run={run} onChange={change} />
          <NoteEditor key={run.id} run={run} onChange={change} />
          <div>
            <Button
              shortcut="a"
              says={run.archived ? "return the run from the archive" : "archive the run"}
              onPress={() => change({ kind: "archived", value: "", present: !run.archived })}
            >
              {run.archived ? "Return from the archive" : "Archive"}
            </Button>
          </div>
        </>
      ) : (
        <p class="quiet wide">
          {isFile ? (
            "This page is a file: change tags and notes on the run's machine."
          ) : (
            <>
              To change tags, note or archive, open the address that <code>ballast serve</code> printed: it carries the
              token.
            </>
          )}
        </p>
      )}
    </div>
  );
}

interface EditorProps {
  readonly run: RunSummary;
  readonly onChange: (change: NewMark) => void;
}

function TagEditor({ run, onChange }: EditorProps) {
  const add = (event: SubmitEvent) => {
    event.preventDefault();
    const input = (event.currentTarget as HTMLFormElement).elements.namedItem("tag") as HTMLInputElement;
    // The address separates tags by commas.
    const tags = input.value.split(",").map((tag) => tag.trim());
    input.value = "";
    for (const tag of tags.filter(Boolean)) onChange({ kind: "tag", value: tag, present: true });
  };
  return (
    <form class="tag-editor" onSubmit={add}>
      {run.tags.map((tag) => (
        <span key={tag} class="tag">
          {visible(tag)}
          <button
            type="button"
            class="ghost"
            aria-label={`remove the tag ${tag}`}
            onClick={() => onChange({ kind: "tag", value: tag, present: false })}
          >
            ✕
          </button>
        </span>
      ))}
      <label>
        <span class="quiet">add a tag </span>
        <input name="tag" size={12} maxLength={40} enterkeyhint="done" />
      </label>
    </form>
  );
}

/** An editor that saves when it loses the focus, so that no text is lost. */
function NoteEditor({ run, onChange }: EditorProps) {
  const save = (event: Event) => {
    const note = (event.currentTarget as HTMLTextAreaElement).value.trim();
    if (note !== run.note) onChange({ kind: "note", value: note, present: note !== "" });
  };
  return (
    <label class="note-editor">
      <span class="quiet">note, saved as you leave it </span>
      <textarea
        rows={2}
        maxLength={4000}
        defaultValue={run.note}
        onBlur={save}
        onKeyDown={(event) => {
          if (event.key === "Escape" || (event.key === "Enter" && (event.ctrlKey || event.metaKey)))
            event.currentTarget.blur();
        }}
      />
    </label>
  );
}
