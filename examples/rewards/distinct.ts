/**
 * A reward of a whole rollout at once: minus the share of the other responses that say the same, so that answers stay different.
 *
 *     rewards: [{ kind: model }, { kind: function, path: distinct.ts, weight: 0.5 }]
 */
export const batch = true;

export default function distinct(rollout: readonly { readonly response: string }[]): number[] {
  const counts = new Map<string, number>();
  for (const { response } of rollout) counts.set(response, (counts.get(response) ?? 0) + 1);
  const others = Math.max(1, rollout.length - 1);
  return rollout.map(({ response }) => 0 - (counts.get(response)! - 1) / others);
}
