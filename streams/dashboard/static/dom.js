// The few DOM tools of the page. Text from outside only ever becomes text nodes.

export function byId(id) {
  return document.getElementById(id);
}

export function el(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  const { className, attributes = {} } = options;
  if (className) node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}

// Touches the DOM only when something changed: live regions must not speak every second.
export function setText(node, text) {
  const wanted = String(text ?? "");
  if (node.textContent !== wanted) node.textContent = wanted;
}

export function setData(node, name, value) {
  if (node.dataset[name] !== String(value)) node.dataset[name] = String(value);
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) node.hidden = hidden;
}

// Keeps one child per item, in order, and keeps nodes (and focus) over updates.
export function keyed(parent, items, keyOf, make, update) {
  const old = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  let previous = null;
  for (const item of items) {
    const key = String(keyOf(item));
    let node = old.get(key);
    old.delete(key);
    if (!node) {
      node = make(item);
      node.dataset.key = key;
    }
    update(node, item);
    const expected = previous ? previous.nextElementSibling : parent.firstElementChild;
    if (expected !== node) parent.insertBefore(node, expected);
    previous = node;
  }
  for (const node of old.values()) node.remove();
}

// A table row of cells; `cells` are class names, "" for none. The first is the row's header.
export function makeRow(cells) {
  const row = el("tr");
  cells.forEach((className, index) => {
    const cell = index === 0 ? el("th", { attributes: { scope: "row" } }) : el("td");
    if (className) cell.className = className;
    row.append(cell);
  });
  return row;
}

export function fillRow(row, texts) {
  texts.forEach((text, index) => setText(row.children[index], text));
}

// Only http and https lead anywhere; whatever else an outside URL holds stays text.
export function safeLink(url, text) {
  if (!/^https?:\/\//i.test(url)) return el("span", {}, text);
  return el("a", { attributes: { href: url, rel: "noopener noreferrer nofollow", target: "_blank" } }, text);
}

// A quiet button; `name` is what a screen reader says where the words alone are not enough. One
// that acts is not there for who may only read.
export function quietButton(words, press, { name = "", acts = true } = {}) {
  const button = el("button", { className: acts ? "quiet acts" : "quiet", attributes: { type: "button" } }, words);
  if (name) button.setAttribute("aria-label", name);
  button.addEventListener("click", async () => {
    button.disabled = true;
    await press(button);
    button.disabled = false;
  });
  return button;
}
