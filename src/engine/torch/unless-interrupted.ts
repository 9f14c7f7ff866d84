/** Waiting for a part of the PyTorch engine's start that may take long, unless the user asks to leave. */
import { Interrupted } from "../../util/errors.ts";

/** What a call answers. Rejects with Interrupted as soon as that is asked for; the call goes on. */
export async function unlessInterrupted<Answer>(call: Promise<Answer>, interrupted: () => boolean): Promise<Answer> {
  let asking: NodeJS.Timeout | undefined;
  const leaving = new Promise<never>((_, reject) => {
    asking = setInterval(() => {
      if (interrupted()) reject(new Interrupted("interrupted while the PyTorch engine started"));
    }, 100);
  });
  try {
    return await Promise.race([call, leaving]);
  } finally {
    clearInterval(asking);
    call.catch(() => {});
  }
}
