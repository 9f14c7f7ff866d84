/** The ranges of a chart's axes, and the labels beside their lines. */
export interface YRangeOptions {
  /** Lowest and highest value; null if there are none. */
  readonly low: number | null;
  readonly high: number | null;
  readonly log?: boolean;
  /** Ends of the axis if the data do not extend further. */
  readonly floor?: number | undefined;
  readonly ceiling?: number | undefined;
  /** Values to include as well, as long as the data keep half of the height. */
  readonly guides?: readonly number[];
  /** Whether to include the guides however far away they are. */
  readonly reach?: boolean | undefined;
}

export function yRange(options: YRangeOptions): [number, number] {
  return options.log ? logRange(options) : linearRange(options);
}

function linearRange({ low, high, floor, ceiling, guides = [], reach }: YRangeOptions): [number, number] {
  let a = Math.min(low ?? floor ?? 0, floor ?? Number.POSITIVE_INFINITY);
  let b = Math.max(high ?? ceiling ?? 1, ceiling ?? Number.NEGATIVE_INFINITY);
  const span = reach ? Number.POSITIVE_INFINITY : b - a;
  for (const guide of guides) {
    if (guide > b && guide - b <= span) b = guide;
    if (guide < a && a - guide <= span) a = guide;
  }
  const room = (b - a || Math.abs(b) || 1) * 0.07;
  return [
    floor !== undefined && a >= floor ? floor : a - room,
    ceiling !== undefined && b <= ceiling ? ceiling : b + room,
  ];
}

/** Extends to the next 1, 2 or 5 times a power of ten, so that at least two lines have labels. */
function logRange({ low, high, guides = [] }: YRangeOptions): [number, number] {
  let a = low !== null && low > 0 ? low : 0.1;
  let b = high !== null && high > 0 ? Math.max(high, a) : 10 * a;
  const span = Math.max(b / a, 2);
  for (const guide of guides) {
    if (guide > b && guide / b <= span) b = guide;
    if (guide > 0 && guide < a && a / guide <= span) a = guide;
  }
  return [rounded(a / 1.05, Math.floor), rounded(b * 1.05, Math.ceil)];
}

const steps = [0, Math.log10(2), Math.log10(5), 1];

function rounded(value: number, to: (n: number) => number): number {
  const exponent = Math.log10(value);
  const whole = Math.floor(exponent);
  const rest = exponent - whole;
  const step = to === Math.floor ? steps.findLast((one) => one <= rest)! : steps.find((one) => one >= rest)!;
  return 10 ** (whole + step);
}

export interface XRangeOptions {
  readonly low: number | null;
  readonly high: number | null;
  /** Iterations shown; `to` is exclusive. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Difference between `to` and the last shown iteration; 0 for values without steps. */
  readonly step?: number;
}

export function xRange({ low, high, from, to, step = 1 }: XRangeOptions): [number, number] {
  const [first, last] = [from ?? low ?? 0, to === undefined ? (high ?? 1) : to - step];
  return first < last ? [first, last] : [first - 0.5, first + 0.5];
}

/** Labels with enough digits to distinguish one line from the next. */
export function ticks(values: readonly number[], step: number): string[] {
  const largest = Math.max(...values.map(Math.abs));
  const decimals = decimalsOf(step);
  const short = (largest === 0 || largest >= 1e-3) && largest < 1e5;
  const digits = (value: number) => {
    const exponent = Math.floor(Math.log10(Math.abs(value)) + 1e-9);
    return Math.min(3, decimalsOf(step / 10 ** exponent));
  };
  return values.map((value) => {
    const text =
      short || value === 0
        ? value.toFixed(value === 0 && !short ? 0 : decimals)
        : value.toExponential(digits(value)).replace("e+", "e");
    return text.replaceAll("-", "−");
  });
}

/** Decimals needed to write a number, such as 0.25, exactly. */
function decimalsOf(step: number): number {
  for (let decimals = 0; decimals < 12; decimals++) {
    const shifted = step * 10 ** decimals;
    if (Math.abs(shifted - Math.round(shifted)) < 1e-6 * shifted) return decimals;
  }
  return 12;
}
