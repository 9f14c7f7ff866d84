/** Prometheus' text format, version 0.0.4: families of samples, with names, labels and numbers in its syntax. */

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  /** The value; NaN and the infinities are allowed. */
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "gauge" | "counter";
  readonly samples: readonly Sample[];
}

export const contentType = "text/plain; version=0.0.4; charset=utf-8";

/** The text of families; those without samples are left out. */
export function exposition(families: readonly Family[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) =>
      [
        `# HELP ${name} ${escaped(help)}`,
        `# TYPE ${name} ${type}`,
        ...samples.map((sample) => `${name}${labelsText(sample)} ${numberText(sample.value)}`),
        "",
      ].join("\n"),
    )
    .join("");
}

/** The name `ballast_reward_score_mean` for `reward/score_mean`. Two keys may get the same name: a label with the key distinguishes them. */
export function metricName(key: string): string {
  return `ballast_${key.replace(/[^A-Za-z0-9_]/g, "_")}`;
}

function labelsText({ labels }: Sample): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Escapes a label: half of a surrogate pair has no UTF-8; a line feed would end the line. */
function escaped(text: string): string {
  return text
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .replaceAll("\\", "\\\\")
    .replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
