/** Writes the blocks of a report as Markdown or as an HTML page. Every text is data: none becomes markup. */
import type { Block } from "./report-blocks.ts";
import { html, markdown } from "./text.ts";

/** The blocks as CommonMark with GitHub's tables. */
export function markdownOf(blocks: readonly Block[]): string {
  return `${blocks.map(markdownBlock).join("\n\n")}\n`;
}

function markdownBlock(block: Block): string {
  if (block.kind === "heading") return `${"#".repeat(block.level)} ${markdown(block.text)}`;
  if (block.kind === "paragraph") return markdown(block.text);
  const row = (cells: readonly string[]) => `| ${cells.map(markdown).join(" | ")} |`;
  const rule = `|${" --- |".repeat(block.columns.length)}`;
  return [row(block.columns), rule, ...block.rows.map(row)].join("\n");
}

// No script, no picture, nothing from elsewhere: a second defence besides the escaping.
const policy = "default-src 'none'; style-src 'unsafe-inline'";

const style = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid #8888; padding: 0.25rem 0.5rem; text-align: left; vertical-align: top; overflow-wrap: anywhere; white-space: pre-wrap; }
`;

/** The blocks as one self-contained HTML file. */
export function htmlOf(blocks: readonly Block[], { title }: { title: string }): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${html(title)}</title>
<style>${style}</style>
</head>
<body>
${blocks.map(htmlBlock).join("\n")}
</body>
</html>
`;
}

function htmlBlock(block: Block): string {
  if (block.kind === "heading") return `<h${block.level}>${html(block.text)}</h${block.level}>`;
  if (block.kind === "paragraph") return `<p>${html(block.text)}</p>`;
  const row = (cells: readonly string[], tag: "th" | "td") =>
    `<tr>${cells.map((cell) => `<${tag}>${html(cell)}</${tag}>`).join("")}</tr>`;
  const head = `<thead>${row(block.columns, "th")}</thead>`;
  return `<table>\n${head}\n<tbody>\n${block.rows.map((cells) => row(cells, "td")).join("\n")}\n</tbody>\n</table>`;
}
