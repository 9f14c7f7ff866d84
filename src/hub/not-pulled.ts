/** The error for what a configuration or a command names on the Hub and the cache lacks: the command line answers it by pulling. */
import { BallastError } from "../util/errors.ts";
import { type HubReference, hubReferenceText } from "./hub-reference.ts";

export class NotPulledError extends BallastError {
  readonly reference: HubReference;

  constructor(reference: HubReference) {
    const text = hubReferenceText(reference);
    super(`${text} is not in the cache, or only in part`, `Get it first: ballast pull ${text}`);
    this.reference = reference;
  }
}
