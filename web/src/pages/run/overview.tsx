/** To be written. */
import type { TabProps } from "./tab.ts";

export function OverviewTab({ data }: TabProps) {
  return <p>{data.id}</p>;
}
