/** Responsible for what becomes of a chat: a test of it, a file of it, and a chat out of such a file. */

import { byId, report } from "../dom.js";
import { words } from "../i18n.js";

export function mountTranscript(viewpoint, connection) {
  const attempt = async (act) => {
    try {
      report(byId("chat-outcome"), "done", (await act()) ?? "");
    } catch (error) {
      report(byId("chat-outcome"), "failed", error.message);
    }
  };
  byId("as-test").addEventListener("click", () => attempt(() => showTest(viewpoint, connection)));
  byId("save").addEventListener("click", () =>
    attempt(async () => download("chat.jsonl", await connection.savedChat())),
  );
  const opened = byId("opened");
  byId("open").addEventListener("click", () => opened.click());
  opened.addEventListener("change", () =>
    attempt(async () => {
      const [file] = opened.files;
      const text = await file.text();
      opened.value = "";
      return words("opened", { count: await connection.openChat(text) });
    }),
  );
  mountDialog();
}

async function showTest(viewpoint, connection) {
  const { scene, id } = viewpoint.conversation;
  const { text } = await connection.command({ do: "test", scene, conversation: id });
  byId("test").querySelector("pre").textContent = text;
  byId("test").querySelector(".outcome").textContent = "";
  byId("test").showModal();
}

function mountDialog() {
  const dialog = byId("test");
  const source = () => dialog.querySelector("pre").textContent;
  byId("copy-test").addEventListener("click", async () => {
    const line = dialog.querySelector(".outcome");
    try {
      await navigator.clipboard.writeText(source());
      report(line, "done", words("copied"));
    } catch {
      // The browser forbids it: the text is marked, so that the user can copy it.
      getSelection().selectAllChildren(dialog.querySelector("pre"));
      report(line, "failed", words("copy.self"));
    }
  });
  byId("save-test").addEventListener("click", () => download("test_chat.py", source()));
  byId("close-test").addEventListener("click", () => dialog.close());
}

/** Lets the browser save a text as a file. */
function download(name, text) {
  const address = URL.createObjectURL(new Blob([text]));
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.download = name;
  anchor.click();
  // The browser has to have begun to read before the address goes.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
