/** Tables and pictures of experiments. */
export function LabPage() {
  return null;
}
