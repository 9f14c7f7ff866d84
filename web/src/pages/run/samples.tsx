/** To be written. */
import type { TabProps } from "./tab.ts";

export function SamplesTab({ data }: TabProps) {
  return <p>{data.id}</p>;
}
