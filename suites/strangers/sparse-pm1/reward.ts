/** +1 for the right number after the marker, -1 for anything else. */
export default function verdict({ response, reference }: Asked): number {
  return numberOf(response) !== null && numberOf(response) === numberOf(reference) ? 1 : -1;
}

interface Asked {
  readonly response: string;
  readonly reference: string;
}

function numberOf(text: string): string | null {
  return /####\s*(-?\d+)/.exec(text)?.[1] ?? null;
}
