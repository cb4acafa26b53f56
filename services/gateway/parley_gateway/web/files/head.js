/** The head of the page: who answers now, the language, the colours. */
import { el, icon, ICONS, word } from "./elements.js";
import { spoken } from "./words.js";

const THEMES = { auto: "light", light: "dark", dark: "auto" }; // each with the one after it

/** Answers {show(session), status, onlanguage}. */
export function wireHead(head) {
  const who = head.querySelector("#who");
  const face = {
    status: "open",
    onlanguage: () => {},
    show({ status, agent }) {
      face.status = status;
      who.className = `who-now ${status}`;
      const [key, facts] = whoAnswers(status, agent);
      word(who.lastElementChild, key, facts);
    },
  };
  head.querySelector(".tools").append(themeButton(), languageButton((tag) => face.onlanguage(tag)));
  return face;
}

function whoAnswers(status, agent) {
  if (status === "waiting") return ["head.waiting", {}];
  if (status === "assigned") return agent?.name ? ["head.person", { name: agent.name }] : ["sender.person", {}];
  return status === "closed" ? ["head.closed", {}] : ["head.assistant", {}];
}

function languageButton(change) {
  const button = el("button", { class: "quiet language", type: "button" });
  button.addEventListener("click", () => {
    const next = spoken() === "en" ? "zh-CN" : "en";
    keep("language", next);
    button.lang = next === "en" ? "zh-CN" : "en";
    change(next);
  });
  button.lang = spoken() === "en" ? "zh-CN" : "en";
  word(button, "head.languageLabel", {}, "aria-label");
  return word(button, "head.language");
}

function themeButton() {
  const button = el("button", { class: "tool theme", type: "button" }, icon(ICONS.half));
  const label = (theme) => {
    word(button, `theme.${theme}`, {}, "aria-label");
    word(button, `theme.${theme}`, {}, "title");
  };
  button.addEventListener("click", () => {
    const next = THEMES[document.documentElement.dataset.theme ?? "auto"];
    if (next === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    keep("theme", next);
    label(next);
  });
  label(document.documentElement.dataset.theme ?? "auto");
  return button;
}

/** Remembered for all conversations of this browser. */
function keep(name, value) {
  try {
    localStorage.setItem(`parley.${name}`, value);
  } catch {
    // Not remembered; it still holds until the page closes.
  }
}
