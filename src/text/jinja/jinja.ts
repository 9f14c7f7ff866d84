/**
 * Chat templates, rendered exactly as Python's Jinja2 3.1 renders them in transformers 5: anything that Ballast would render differently, or does not
 * support, is refused by name. This is Ballast's own subset of Jinja2, because `@huggingface/jinja` 0.5 silently renders one in six of the test's
 * expressions differently, from `==` and `%` to the white space around tags.
 */
import { bind, textArgument, wholeArgument } from "./jinja-arguments.ts";
import { Callable, Float, Namespace, Range, type Value } from "./jinja-values.ts";
import { parse } from "./parser.ts";
import { dictOf, renderBody } from "./render.ts";
import { strftime } from "./strftime.ts";
import { TemplateFault, unsupported } from "./template-fault.ts";

export interface JinjaTemplate {
  /**
   * Renders the template.
   * @throws Error with the reason if the template refuses its input, or uses something that Ballast does not support
   */
  render(variables: Readonly<Record<string, unknown>>): string;
}

/**
 * Most work for one rendering, in evaluations of a few microseconds at most; a conversation of a million words takes a tenth of it. Work is counted,
 * not timed, so that a template ends the same way on any machine.
 */
const defaultWork = 2 ** 23;

/**
 * Parses a template.
 * @throws Error with the line and the reason if the template does not parse, or uses something that Ballast does not support
 */
export function parseJinja(source: string, { work = defaultWork }: { readonly work?: number } = {}): JinjaTemplate {
  const body = parse(source);
  return {
    render(variables) {
      const given = Object.entries(variables).map(([name, value]): [string, Value] => [name, fromJson(value)]);
      return renderBody(body, new Map([...globals, ...given]), { left: work });
    },
  };
}

function fromJson(value: unknown): Value {
  if (Array.isArray(value)) return value.map(fromJson);
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, item]) => [key, fromJson(item)]));
  if (typeof value === "number" && !Number.isInteger(value)) return new Float(value);
  return value as Value;
}

/** The longest `range` that Jinja2's sandbox allows (`MAX_RANGE`). */
const longestRange = 100_000;

const globals = new Map<string, Value>([
  [
    "range",
    new Callable((args) => {
      const numbers = args.positional.map((value) => wholeArgument(value, "a bound of range"));
      bind(args, { of: "range", names: ["start", "stop", "step"], required: 1, positionalOnly: true });
      const [first = 0, second, step = 1] = numbers;
      if (step === 0) throw new TemplateFault("range() arg 3 must not be zero");
      const [start, stop] = second === undefined ? [0, first] : [first, second];
      const length = Math.max(0, Math.ceil((stop - start) / step));
      if (length > longestRange) throw new TemplateFault(`a range of ${length} items is longer than ${longestRange}`);
      return new Range(Array.from({ length }, (_, i) => start + i * step));
    }),
  ],
  [
    "namespace",
    new Callable((args) => {
      const values = dictOf(args, "namespace");
      const hidden = [...values.keys()].find((name) => name.startsWith("_"));
      if (hidden !== undefined) throw new TemplateFault(`a namespace takes no attribute '${hidden}'`);
      return new Namespace(values);
    }),
  ],
  [
    "raise_exception",
    new Callable((args) => {
      const [message] = bind(args, { of: "raise_exception", names: ["message"], required: 1 });
      throw new TemplateFault(typeof message === "string" ? message : unsupported("an exception that is not text"));
    }),
  ],
  [
    "strftime_now",
    new Callable((args) => {
      const [format] = bind(args, { of: "strftime_now", names: ["format"], required: 1 });
      return strftime(new Date(), textArgument(format, "a format of a date"));
    }),
  ],
]);
