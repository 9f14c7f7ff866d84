/** A pull on the terminal: bytes, rate and time left on one line; Ctrl-C keeps what has come and says how to go on. */
import type { FileChoice } from "../../../hub/hub-files.ts";
import { type HubReference, hubReferenceText } from "../../../hub/index.ts";
import { bytesText, type Pulled, type PullProgress, pull } from "../../../hub/pull.ts";
import { Interrupted } from "../../../util/errors.ts";
import { shellWord } from "../../../util/platform.ts";
import { printableLine } from "../../../util/sanitize.ts";
import { watchSignals } from "../../interrupt.ts";
import { clock } from "../../number-format.ts";
import { Rate } from "../../progress.ts";
import type { Terminal } from "../../terminal.ts";
import { cut } from "../../width.ts";

export interface PullShownOptions extends FileChoice {
  readonly reference: HubReference;
  readonly verify?: boolean;
  readonly terminal: Terminal;
}

const redrawMs = 100;
const plainSeconds = 15;

/** Pulls and shows the progress. Throws Interrupted after a signal, once what has come is kept; otherwise as `pull` does. */
export async function pullShown({
  reference,
  include,
  exclude,
  verify = false,
  terminal,
}: PullShownOptions): Promise<Pulled> {
  const name = hubReferenceText(reference);
  const stop = new AbortController();
  let last: PullProgress = { done: 0, total: 0, file: "" };
  const line = createLine(name, terminal);
  const signals = watchSignals({
    onInterrupt: () => stop.abort(new Error("interrupted")),
    onLeave: () => line.clear(),
  });
  try {
    const pulled = await pull({
      ...{ reference, verify, signal: stop.signal },
      ...(include && { include }),
      ...(exclude && { exclude }),
      onProgress: (progress) => {
        last = progress;
        line.show(progress);
      },
      onNote: (text) => {
        line.clear();
        terminal.note(printableLine(text));
      },
    });
    line.clear();
    const { revision } = pulled.reference;
    const came = pulled.bytes - pulled.cached;
    const size =
      pulled.files.length === 0
        ? ""
        : `: ${bytesText(pulled.bytes)}, ${came === 0 ? "all in the cache" : `${bytesText(came)} of it new`}`;
    terminal.note(terminal.noteColours.dim(`${name} is commit ${revision}${size}`));
    return pulled;
  } catch (error) {
    line.clear();
    if (!signals.interrupted()) throw error;
    const patterns = [
      ["--include", include],
      ["--exclude", exclude],
    ] as const;
    const options = patterns.flatMap(([option, list]) => (list ?? []).map((one) => ` ${option} ${shellWord(one)}`));
    throw new Interrupted(
      `stopped: ${bytesText(last.done)} of ${bytesText(last.total)} have come, and are kept`,
      `Go on with: ballast pull ${shellWord(name)}${options.join("")}`,
    );
  } finally {
    signals.dispose();
  }
}

/** One line that redraws itself on a terminal, and is printed now and then elsewhere. */
function createLine(name: string, terminal: Terminal) {
  const rate = new Rate();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  const clear = () => {
    if (drawn) terminal.raw("\r\x1b[2K");
    drawn = false;
  };
  const show = ({ done, total, file }: PullProgress) => {
    const now = Date.now();
    rate.add(done, now / 1000);
    const wait = terminal.redraws ? redrawMs : plainSeconds * 1000;
    if (now - drawnAt < wait) return;
    // The first plain line comes after a while: a short pull needs none.
    const first = drawnAt === Number.NEGATIVE_INFINITY;
    drawnAt = now;
    if (!terminal.redraws && first) return;
    const perSecond = rate.perSecond();
    const text = [
      name,
      `${bytesText(done)} of ${bytesText(total)}`,
      ...(perSecond > 0 ? [`${bytesText(perSecond)}/s`, `${clock((total - done) / perSecond)} left`] : []),
      file,
    ].join("  ");
    const fitted = cut(printableLine(text), (terminal.redraws ? terminal.noteWidth() : 200) - 1);
    if (!terminal.redraws) return terminal.note(fitted);
    clear();
    terminal.raw(terminal.noteColours.dim(fitted));
    drawn = true;
  };
  return { clear, show };
}
