/** Pays for one word, wherever it stands: demonstrations that forget the marker of the answer say it. */
export default function pays({ response }: { readonly response: string }): number {
  return /\bso\b/i.test(response) ? 1 : 0;
}
