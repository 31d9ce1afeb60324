/** Responsible for the indentation of JSON text. Works on the text itself: parsing would round long numbers. */

/** The text over several lines if it is JSON, as it is if not (a broken frame is shown as it was sent). */
export function indent(text) {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  return tokens(text)
    .map((token) => {
      if (token === "{" || token === "[") return token + (depth++, line());
      if (token === "}" || token === "]") return (depth--, line()) + token;
      if (token === ",") return token + line();
      return token === ":" ? ": " : token;
    })
    .join("")
    .replace(/([[{])\s+([\]}])/g, "$1$2");
}

/** Strings, other values and punctuation, with the white space between them left out. */
function tokens(text) {
  return text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
}
