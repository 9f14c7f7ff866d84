/** Errors that end the parsing or the rendering of a template. */

/** The template is wrong, or fails with this conversation: Jinja2 would refuse it too. */
export class TemplateFault extends Error {
  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`);
  }
}

/** Refuses something that Jinja2 has and Ballast does not, because rendering it differently would be worse. */
export function unsupported(what: string): never {
  throw new TemplateFault(`${what} is not supported`);
}
