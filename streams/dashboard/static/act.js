// Acting: a POST with the header that no form or link on another site can send.

// Who may only read is told so once, at the foot of the page, and sees no button that acts.
export async function showRole(line) {
  const answer = await fetch("/api/me").catch(() => null);
  if (!answer?.ok) return;
  const { role, who } = await answer.json();
  document.documentElement.dataset.role = role;
  line.firstElementChild.textContent = `You may read, as ${who}.`;
  line.hidden = role !== "read";
}

export async function act(path, wish) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Wirebell": "act" },
      body: JSON.stringify(wish),
    });
    const text = await answer.text();
    dispatchEvent(new Event("wirebell-acted"));
    return { ok: answer.ok, text: text.trim(), value: answer.ok ? JSON.parse(text) : null };
  } catch {
    return { ok: false, text: "The page's server does not answer.", value: null };
  }
}
