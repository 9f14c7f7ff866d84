/** Cells of CSV files that a person may open in a spreadsheet. */

/** A cell of text. One that a spreadsheet would take for a formula gets an apostrophe before it. */
export function csvText(text: string): string {
  const harmless = /^[\s\0]*[=+\-@＝＋－＠]|^[\t\r\n]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
