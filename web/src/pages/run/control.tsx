/** To be written. */
import type { TabProps } from "./tab.ts";

export function ControlTab({ data }: TabProps) {
  return <p>{data.id}</p>;
}
