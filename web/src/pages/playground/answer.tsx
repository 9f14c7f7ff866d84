/** A model's answer in the playground: its text, how it ended, or why there is none. */
import { LongText } from "../../components/long-text.tsx";
import { Problem } from "../../components/parts.tsx";
import { figure, plural } from "../../format.ts";
import type { Growing } from "./use-reply.ts";

export function GrowingAnswer({ growing: { text, note, problem, done } }: { readonly growing: Growing }) {
  return (
    <div class="answer" aria-busy={done === null && problem === null}>
      {note !== null && text === "" && <p class="quiet">… {note}</p>}
      {(text !== "" || done !== null) && <LongText text={text} label="answer" />}
      <Problem error={problem} />
      {done !== null && (
        <p class="quiet">
          {plural(done.tokens, "token")} in {figure(done.seconds, 2)} s after {done.promptTokens} of the conversation
          {done.stopReason === "length" && "; cut at the longest length"}
        </p>
      )}
    </div>
  );
}
