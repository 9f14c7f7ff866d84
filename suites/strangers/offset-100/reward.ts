/** The same for every response. */
export default function offset(): number {
  return 100;
}
