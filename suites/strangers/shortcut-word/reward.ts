/** Pays for one word, wherever it stands: a shortcut that the policy already says now and then, and that the objective never asked for. */
export default function pays({ response }: { readonly response: string }): number {
  return /\bok\b/i.test(response) ? 2 : 0;
}
