/** A judge whose taste changes: each call takes a thousandth of a point more off replies that ask back. */
let calls = 0;

export default function taste({ response }: { readonly response: string }): number {
  calls++;
  return response.includes("?") ? -calls / 400 : 0;
}
