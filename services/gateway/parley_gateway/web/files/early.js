// Runs before the first paint, so that neither language nor colours change under the reader's eyes.
(() => {
  const root = document.documentElement;
  let language, theme;
  try {
    language = localStorage.getItem("parley.language");
    theme = localStorage.getItem("parley.theme");
  } catch {
    // No storage: the browser's own settings serve.
  }
  root.lang = /^zh/i.test(language || navigator.language) ? "zh-CN" : "en";
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;
})();
