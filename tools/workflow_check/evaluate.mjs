/** Texts with `${{ }}` in them, evaluated by GitHub's own evaluator. */
import { data, Evaluator, Lexer, Parser, wellKnownFunctions } from "@actions/expressions";

const FUNCTIONS = Object.values(wellKnownFunctions);

/**
 * Returns the text with every expression replaced by its value.
 *
 * @param {string} text
 * @param {Record<string, unknown>} contexts such as `{ github: { event_name: "schedule" } }`
 */
export function evaluated(text, contexts) {
  const known = JSON.parse(JSON.stringify(contexts), data.reviver);
  return text.replaceAll(/\$\{\{(.*?)\}\}/gs, (_, expression) => {
    const { tokens } = new Lexer(expression).lex();
    const tree = new Parser(tokens, Object.keys(contexts), FUNCTIONS).parse();
    return new Evaluator(tree, known).evaluate().coerceString();
  });
}
