/** Why the buttons are off, and how to get the address with the token. */
import { workspace } from "../../../state/workspace.ts";

/** `commands`: whether the page shows commands for a terminal that do the same. */
export function TokenNote({ commands = false }: { readonly commands?: boolean }) {
  const folder = workspace.value?.workspace ?? "the folder of the runs";
  return (
    <p class="notice" role="note">
      <b>
        <span aria-hidden="true">○</span> This page is read-only.
      </b>{" "}
      To act from here, open the address that <code>ballast serve</code> printed when it started: it ends in{" "}
      <code>?token=…</code>. The token is the one line of <code>{folder}/token</code>.
      {commands && " The commands below do the same in a terminal, without it."}
    </p>
  );
}
