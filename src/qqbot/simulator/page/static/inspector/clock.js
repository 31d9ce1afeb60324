/** Responsible for the tab Clock: the business time of the simulator, and buttons that let some of it pass at once. */

import { byId, element, report } from "../dom.js";
import { onLanguage, timeOfDay, words } from "../i18n.js";
import { duration } from "../chat/windows.js";

const SKIPS = [60, 360, 3600, 7200, 86400]; // seconds

export function mountClock(state, connection) {
  const now = element("p", { class: "now" });
  const minutes = element("input", { type: "number", name: "minutes", min: "1", max: "500000", value: "10", required: true });
  const line = element("p", { class: "outcome", role: "status" });
  const skip = async (seconds) => {
    try {
      await connection.command({ do: "clock", advance: seconds });
      report(line, "done", words("skipped", { time: duration(seconds) }));
    } catch (error) {
      report(line, "failed", error.message);
    }
  };
  const show = () => {
    const { time, ahead } = state.clock;
    now.textContent = time && words(ahead ? "clock.ahead" : "clock.now", { time: clockTime(state), ahead: duration(ahead) });
  };
  const own = (event) => (event.preventDefault(), skip(60 * minutes.valueAsNumber));
  const draw = () => {
    byId("clock").replaceChildren(
      now,
      element("p", {}, words("clock.what")),
      element("div", { class: "skips" }, ...SKIPS.map((seconds) => button(seconds, skip))),
      element(
        "form",
        { class: "stack", onsubmit: own },
        element("label", {}, element("span", {}, words("clock.minutes")), minutes),
        element("button", { type: "submit" }, words("clock.skip")),
      ),
      line,
    );
    show();
  };
  for (const part of ["snapshot", "clock"]) state.addEventListener(part, show);
  setInterval(show, 1000);
  onLanguage(draw);
  draw();
}

function button(seconds, skip) {
  return element("button", { type: "button", onclick: () => skip(seconds) }, `+ ${duration(seconds)}`);
}

/** The time of day, advanced since the simulator sent it. */
function clockTime(state) {
  const sent = new Date(state.clock.time).getTime();
  return timeOfDay(new Date(sent + 1000 * (state.now() - state.clock.now)));
}
