// Signs this browser in to /codec, or out again, and says what came of it.
"use strict";
const told = document.getElementById("told");
const form = document.getElementById("sign-in");

async function ask(method, body) {
  const answer = await fetch("/codec/session", {
    method,
    credentials: "same-origin",
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  return answer.ok ? null : (await answer.json()).detail;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const refused = await ask("POST", Object.fromEntries(new FormData(form)));
  told.textContent = refused ?? "Signed in. Reload the Temporal UI; its codec settings must include credentials.";
  if (!refused) form.reset();
});
document.getElementById("sign-out").addEventListener("click", async () => {
  told.textContent = (await ask("DELETE")) ?? "Signed out.";
});
