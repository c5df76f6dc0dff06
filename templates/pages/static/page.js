// The pages work without this. It fills the lists that complete what is typed, sorts tables, and follows runs.
"use strict";

async function complete(list) {
  const answer = await fetch(list.dataset.from);
  if (!answer.ok) return;
  for (const item of (await answer.json()).items) {
    const option = document.createElement("option");
    option.value = (list.dataset.prefix || "") + item.name;
    list.append(option);
  }
}

function sortBy(table, column, button) {
  const body = table.tBodies[0];
  const descending = button.getAttribute("aria-sort") !== "descending";
  const key = (row) => {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent.trim();
    return value !== "" && !Number.isNaN(Number(value)) ? Number(value) : value.toLowerCase();
  };
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1;
    return (x < y ? -1 : x > y ? 1 : 0) * (descending ? -1 : 1);
  });
  body.append(...rows);
  for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  button.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    cell.tabIndex = 0;
    cell.setAttribute("role", "columnheader");
    const sort = () => sortBy(table, column, cell);
    cell.addEventListener("click", sort);
    cell.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); } });
  });
}

function filterRules(input) {
  const wanted = input.value.toLowerCase();
  let found = 0;
  for (const section of document.querySelectorAll("main section")) {
    let here = 0;
    for (const rule of section.querySelectorAll("article.rule")) {
      rule.hidden = !rule.textContent.toLowerCase().includes(wanted);
      here += rule.hidden ? 0 : 1;
    }
    section.hidden = here === 0;
    found += here;
  }
  document.querySelector("#rules-found").textContent = wanted ? `${found} found` : "";
}

function follow(log) {
  const events = new EventSource(log.dataset.events);
  const lines = [];
  let last = null;
  events.addEventListener("progress", (message) => {
    const event = JSON.parse(message.data);
    const share = event.fraction === null ? "" : ` ${Math.round(100 * event.fraction)} %`;
    const line = `${new Date(1000 * event.at).toLocaleTimeString()}  ${event.step}  ${event.state}  ${event.message}${share}`;
    const goesOn = last && last.fraction !== null && event.fraction !== null && last.step === event.step && last.state === event.state;
    if (goesOn) lines[lines.length - 1] = line; else lines.push(line);
    last = event;
    log.textContent = lines.join("\n");
  });
  events.addEventListener("end", () => { events.close(); location.reload(); });
}

async function act(form, event) {
  event.preventDefault();
  const token = form.elements.token.value;
  const answer = await fetch(form.getAttribute("action"), {
    method: "POST",
    headers: { "Authorization": `Bearer ${token}`, "Content-Type": "application/json" },
    body: form.dataset.body || "{}",
  });
  const told = await answer.json();
  if (answer.ok) { location.href = `/runs/${told.run_id}`; return; }
  const notice = form.querySelector("[role=alert]");
  notice.hidden = false;
  notice.textContent = told.fix ? `${told.detail}. To fix: ${told.fix}` : told.detail;
}

// An empty field says nothing, so it does not lengthen the address either.
function dropEmpty(form) {
  for (const input of form.elements) if (input.name && input.value === "") input.disabled = true;
}

// Back from the next page, the fields are as they were.
addEventListener("pageshow", () => document.querySelectorAll("form.ask :disabled").forEach((input) => { input.disabled = false; }));
document.querySelectorAll("form.ask textarea").forEach((text) => text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
}));
document.querySelectorAll("datalist[data-from]").forEach(complete);
document.querySelectorAll("table.sortable").forEach(makeSortable);
document.querySelectorAll("form.ask").forEach((form) => form.addEventListener("submit", () => dropEmpty(form)));
document.querySelectorAll("form.act").forEach((form) => form.addEventListener("submit", (event) => act(form, event)));
// The report is one page with ours, not a window with a bar of its own.
document.querySelectorAll("iframe.report").forEach((frame) => {
  const fit = () => { frame.style.height = `${frame.contentDocument.documentElement.scrollHeight + 2}px`; };
  frame.addEventListener("load", () => { fit(); addEventListener("resize", fit); });
});
document.querySelectorAll("[data-events]").forEach(follow);
const search = document.querySelector("#search-rules");
if (search) search.addEventListener("input", () => filterRules(search));
