/** To be written. */
import type { TabProps } from "./tab.ts";

export function BehaviourTab({ data }: TabProps) {
  return <p>{data.id}</p>;
}
