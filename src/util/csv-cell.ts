/** Cells of CSV files that a user may open in a spreadsheet. */

/** A cell of text. Text that a spreadsheet would read as a formula gets an apostrophe in front. */
export function csvText(text: string): string {
  const harmless = /^[\s\0]*[=+\-@＝＋－＠]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
