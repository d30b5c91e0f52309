// Acting: a POST with the header that no form or link on another site can send.

export async function act(path, wish) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Wirebell": "act" },
      body: JSON.stringify(wish),
    });
    const text = await answer.text();
    return { ok: answer.ok, text: text.trim(), value: answer.ok ? JSON.parse(text) : null };
  } catch {
    return { ok: false, text: "The page's server does not answer.", value: null };
  }
}
