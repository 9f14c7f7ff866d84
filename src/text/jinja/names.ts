/** The names that Jinja2 3.1 and transformers know, and the attributes of Python's types: those that Ballast lacks are refused by name. */

const filters =
  "abs attr batch capitalize center count d default dictsort e escape filesizeformat first float forceescape format groupby " +
  "indent int items join last length list lower map max min pprint random reject rejectattr replace reverse round safe select " +
  "selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode urlize wordcount wordwrap xmlattr";

const tests =
  "boolean callable defined divisibleby eq equalto escaped even false filter float ge greaterthan gt in integer iterable le " +
  "lessthan lower lt mapping ne none number odd sameas sequence string test true undefined upper";

/** Global names that a template may use in Jinja2 and that Ballast does not have. */
const globals = "lipsum cycler joiner dict self super caller varargs kwargs";

const attributes = {
  str:
    "capitalize casefold center count encode endswith expandtabs find format format_map index isalnum isalpha isascii isdecimal " +
    "isdigit isidentifier islower isnumeric isprintable isspace istitle isupper join ljust lower lstrip maketrans partition " +
    "removeprefix removesuffix replace rfind rindex rjust rpartition rsplit rstrip split splitlines startswith strip swapcase " +
    "title translate upper zfill",
  int: "as_integer_ratio bit_count bit_length conjugate denominator from_bytes imag is_integer numerator real to_bytes",
  float: "as_integer_ratio conjugate from_number fromhex hex imag is_integer real",
  list: "append clear copy count extend index insert pop remove reverse sort",
  tuple: "count index",
  dict: "clear copy fromkeys get items keys pop popitem setdefault update values",
  range: "count index start step stop",
  loop: "changed cycle depth depth0 first index index0 iterable last length nextitem previtem revindex revindex0",
  macro: "arguments caller catch_kwargs catch_varargs explicit_caller name",
  view: "isdisjoint mapping",
} as const;

export type PythonType = keyof typeof attributes;

const setOf = (names: string): ReadonlySet<string> => new Set(names.split(" "));
const filterNames = setOf(filters);
const testNames = setOf(tests);
const globalNames = setOf(globals);
const attributeNames = new Map(Object.entries(attributes).map(([type, names]) => [type, setOf(names)]));

export const isFilter = (name: string): boolean => filterNames.has(name);
export const isTest = (name: string): boolean => testNames.has(name);
/** Whether Jinja2 has a global that Ballast lacks. */
export const isOtherGlobal = (name: string): boolean => globalNames.has(name);
/** Whether Python's type has this attribute, even if Ballast does not support it. */
export const isAttribute = (type: PythonType, name: string): boolean =>
  attributeNames.get(type)!.has(name) || name.startsWith("__");
