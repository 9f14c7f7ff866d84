/** Runs over one another: curves, configurations with only the differences, results. */
export function ComparePage() {
  return null;
}
