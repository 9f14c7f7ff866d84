/** The name of the operator who gives an order, as the record keeps it. */
import { userInfo } from "node:os";
import { UsageError } from "../util/errors.ts";

const longestName = 100;

/**
 * The name given with `--as`, or else the name under which the user is logged in.
 * @throws UsageError if the given name is empty, longer than 100 characters, or has control characters
 */
export function operatorName(given?: string): string {
  if (given === undefined) return loginName();
  const name = given.trim();
  if (name !== "" && name.length <= longestName && !/\p{C}/u.test(name)) return name;
  throw new UsageError(
    name === "" ? "the operator's name is empty" : "the operator's name cannot be recorded",
    `A name has 1 to ${longestName} characters, without control characters; by default it is your login name.`,
  );
}

function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without a name in the system.
    return "user";
  }
}
