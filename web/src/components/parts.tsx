/** Small parts that every view uses: states, buttons with their key and command, messages, tabs. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { ShownState } from "../../../src/types/page.ts";
import { ApiError } from "../api.ts";
import { stateShapes, type Tone } from "../format.ts";
import { keyName, useKey } from "../keys.ts";

export function State({ state }: { readonly state: ShownState }) {
  const { shape, word, tone } = stateShapes[state];
  return (
    <span class={`state ${tone}`}>
      <span aria-hidden="true">{shape}</span> {word}
    </span>
  );
}

export function Tag({ tone = "quiet", children }: { readonly tone?: Tone; readonly children: ComponentChildren }) {
  return <span class={`tag ${tone}`}>{children}</span>;
}

export interface ButtonProps {
  readonly children: ComponentChildren;
  readonly onPress: () => void;
  /** A key with the same effect. */
  readonly shortcut?: string;
  /** The key's description in the list that `?` shows. */
  readonly says?: string;
  /** The command with the same effect. */
  readonly command?: string;
  readonly tone?: Tone | "main";
  readonly disabled?: boolean;
  readonly pressed?: boolean;
  /** Its name, if it shows only a symbol. */
  readonly label?: string;
}

export function Button(props: ButtonProps) {
  const { children, onPress, shortcut, says, command, tone, disabled = false, pressed, label } = props;
  useKey(disabled ? undefined : shortcut, says ?? String(children), onPress);
  return (
    <button
      type="button"
      class={tone ?? ""}
      disabled={disabled}
      aria-pressed={pressed}
      aria-label={label}
      aria-keyshortcuts={shortcut?.replace(/^[A-Z]$/, "Shift+$&")}
      title={command === undefined ? undefined : `the same: ${command}`}
      onClick={onPress}
    >
      {children}
      {shortcut !== undefined && keyName(shortcut) !== children && <kbd>{keyName(shortcut)}</kbd>}
    </button>
  );
}

/** Copies a text; returns whether it is in the clipboard, which only secure origins have. */
export async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A command to type, with a button that copies it. */
export function Command({ children }: { readonly children: string }) {
  const said = useSignal("copy");
  const code = useRef<HTMLElement>(null);
  const copy = async () => {
    const done = await copied(children);
    if (!done) getSelection()?.selectAllChildren(code.current!);
    said.value = done ? "copied" : "selected";
    setTimeout(() => {
      said.value = "copy";
    }, 1500);
  };
  return (
    <span class="command">
      <code ref={code}>
        {/* A line breaks between words, never after a hyphen in an option. */}
        {children.split(/(?<= )/).map((word, i) => (
          <span key={i}>{word}</span>
        ))}
      </code>
      <button type="button" class="ghost" onClick={copy}>
        {said.value}
      </button>
    </span>
  );
}

export function Problem({ error }: { readonly error: Error | null }) {
  if (error === null) return null;
  return (
    <p class="problem" role="alert">
      <b>✗ {error.message}</b> {error instanceof ApiError && error.hint}
    </p>
  );
}

/** A placeholder for a missing part: what would be here, and how to get it. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

export function Card({
  title,
  children,
  aside,
}: {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly aside?: ComponentChildren;
}) {
  return (
    <section class="card" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** A modal dialog; Escape closes it, and the focus returns to its previous place. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = element.current!;
    const before = document.activeElement;
    if (!dialog.open) dialog.showModal();
    return () => {
      dialog.close();
      // The browser restores the focus only for a dialog that stays in the document.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog ref={element} aria-label={title} onClose={onClose} onCancel={onClose}>
      <header>
        <h2>{title}</h2>
        <button type="button" class="ghost" onClick={onClose} aria-label="close">
          ✕
        </button>
      </header>
      {children}
    </dialog>
  );
}
