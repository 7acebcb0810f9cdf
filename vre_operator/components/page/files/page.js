// Shows state.json (the operator's words and the services' health) and /hub/me (the person's own sessions).
// Every text is put in as text: whoever writes it, it is never markup.
"use strict";

const PERIOD = 30000;
const HEALTH = { up: "works", down: "does not answer", unknown: "elsewhere: not watched from here" };
const OWN_LOGO = "/page/logo.svg";
const at = (id) => document.getElementById(id);

function element(name, text, kind) {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function link(text, address) {
  const made = element("a", text);
  made.href = address;
  return made;
}

function show(id, text) {
  at(id).textContent = text;
  at(id).hidden = !text;
}

function fill(id, items) {
  const made = JSON.stringify(items.map((item) => item.outerHTML));
  // Only when it differs: what has the focus keeps it, and a screen reader stays silent.
  if (at(id).dataset.shown === made) return;
  at(id).replaceChildren(...items);
  at(id).dataset.shown = made;
}

function service(told) {
  const made = document.createElement("li");
  const name = told.url ? link(told.name, told.url) : element("span", told.name);
  name.className = "name";
  made.append(name, element("p", HEALTH[told.health], told.health));
  if (told.address) made.append(element("p", told.address));
  return made;
}

function session(told) {
  const made = document.createElement("li");
  const name = link([told.environment || "Notebook", told.name].filter(Boolean).join(": "), told.url);
  name.className = "name";
  const since = told.started ? `since ${new Date(told.started).toLocaleString()}` : "";
  made.append(name, element("p", told.ready ? `runs ${since}` : "is starting"));
  return made;
}

function own(person) {
  const sessions = person.sessions || [];
  show("person", person.name ? `You are logged in as ${person.name}.` : "You are not logged in here yet.");
  fill("sessions", sessions.map(session));
  at("start").textContent = !person.name ? "Log in" : sessions.length ? "Back to your notebook" : "Start a notebook";
  at("own").hidden = false;
}

function tell(state) {
  document.title = state.title;
  at("title").textContent = state.title;
  show("description", state.description);
  show("message", state.message);
  // Once for each address: one that does not load is not tried again and again.
  if (state.logo !== at("logo").dataset.wanted) {
    at("logo").dataset.wanted = state.logo;
    at("logo").src = state.logo || OWN_LOGO;
  }
  fill("services", state.services.map(service));
  at("services").setAttribute("aria-busy", "false");
  fill("links", state.links.map((each) => {
    const made = document.createElement("li");
    made.append(link(each.title, each.url));
    return made;
  }));
  at("help").hidden = !state.links.length;
}

async function json(address) {
  const answer = await fetch(address, { cache: "no-store", credentials: "same-origin" });
  if (!answer.ok) throw new Error(`${address} answers ${answer.status}`);
  return answer.json();
}

async function look() {
  try {
    const state = await json("/page/state.json");
    tell(state);
    show("trouble", "");
    const notebooks = state.services.find((each) => each.url === "/hub/");
    if (notebooks && notebooks.health === "up") own(await json("/hub/me"));
    else at("own").hidden = true;
  } catch (error) {
    show("trouble", "This page could not be brought up to date; it tries again.");
  }
}

at("logo").addEventListener("error", () => {
  if (at("logo").getAttribute("src") !== OWN_LOGO) at("logo").src = OWN_LOGO;
});
document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
setInterval(() => { if (!document.hidden) look(); }, PERIOD);
look();
