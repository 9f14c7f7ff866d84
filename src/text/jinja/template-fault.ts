/** What ends the parsing or the rendering of a template. */

/** The template is wrong, or goes wrong with this conversation: Jinja2 would refuse it too. */
export class TemplateFault extends Error {
  constructor(message: string, line?: number) {
    super(line === undefined ? message : `line ${line}: ${message}`);
  }
}

/** Jinja2 has it, Ballast does not: refused, since rendering it differently would be worse. */
export function unsupported(what: string): never {
  throw new TemplateFault(`${what} is not supported`);
}
