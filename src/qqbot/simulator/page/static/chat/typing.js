/** Responsible for the line that says that the bot is typing. */

import { byId } from "../dom.js";
import { onLanguage, words } from "../i18n.js";
import { keyOf } from "./viewpoint.js";

export function mountTyping(state, viewpoint) {
  const ends = new Map();
  const keyOfEvent = ({ scene, conversation }) => keyOf({ scene, id: conversation });
  const draw = () => {
    const end = viewpoint.conversation && ends.get(keyOf(viewpoint.conversation));
    byId("typing").textContent = end > performance.now() ? words("typing", { name: state.bot.name }) : "";
  };
  state.addEventListener("typing", ({ detail }) => {
    ends.set(keyOfEvent(detail), performance.now() + 1000 * detail.seconds);
    setTimeout(draw, 1000 * detail.seconds + 20);
    draw();
  });
  // What was being typed has come.
  state.addEventListener("messages", ({ detail }) => {
    if (detail.from === "bot") ends.delete(keyOfEvent(detail));
    draw();
  });
  viewpoint.addEventListener("change", draw);
  onLanguage(draw);
}
