/**
 * Responsible for the making of elements. Whatever comes from outside enters the page as a text node or an
 * attribute value, never as markup.
 */

/**
 * An element with attributes, listeners (`onclick: f`) and children.
 * `true` sets an empty attribute; `false`, `null` and `undefined` leave it out.
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

/** Says in a status line what came of something: `outcome` is `done`, `pending` or `failed`. */
export function report(line, outcome, text) {
  line.dataset.state = outcome;
  line.textContent = text;
}

/** The element with this id, which index.html is known to hold. */
export function byId(id) {
  return document.getElementById(id);
}

/** A link for a web address, plain text for anything else (`javascript:`, `data:`, no address at all). */
export function link(address, label) {
  const url = URL.parse(address.startsWith("//") ? `https:${address}` : address);
  if (!url || !/^https?:$/.test(url.protocol)) return element("span", {}, label);
  return element("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, label);
}

/** Draws again and gives the focus back to the control of the same id, so that the keyboard user stays in place. */
export function keepingFocus(draw) {
  const { id } = document.activeElement;
  draw();
  if (id && document.activeElement === document.body) byId(id)?.focus();
}

/** `draw`, run once before the next paint however often it is asked for: a flood of patches is one drawing. */
export function beforePaint(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw();
    });
  };
}
