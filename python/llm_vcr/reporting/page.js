"use strict";
// The list of tests, and what belongs to one of them. All text is set as text: nothing from the data is ever markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const [list, body, search, verdict, sorting] = ["list", "body", "search", "verdict", "sort"].map(byId);

  // The order of a test's values is that of rows.py.
  const [NAME, VERDICT, OUTCOME, LIVE, REPLAYED, SPENT, SPENT_SHOWN, SAVED, SAVED_SHOWN, BYTES, SIZE, SECONDS, AGE, DETAIL] =
    Array.from({ length: 14 }, (_, place) => place);
  const COLUMNS = [
    { title: "Test", key: NAME, ways: ["from a to z", "from z to a"] },
    { title: "Verdict", key: VERDICT, ways: ["gravest first", "mildest first"] },
    { title: "Live", key: LIVE, down: true, unit: "live" },
    { title: "Replayed", key: REPLAYED, down: true },
    { title: "Spent", key: SPENT, shown: SPENT_SHOWN, down: true },
    { title: "Saved", key: SAVED, shown: SAVED_SHOWN, down: true },
    { title: "Size", key: BYTES, shown: SIZE, down: true },
    { title: "Age", key: SECONDS, shown: AGE, down: true, ways: ["newest first", "oldest first"] },
  ];
  const OVERSCAN = 8; // rows beyond each edge: a wheel's turn shows no gap
  const PRINTED = 1000; // rows on paper

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (key === "on") for (const [event, call] of Object.entries(value)) made.addEventListener(event, call);
      else if (value !== undefined && value !== "") made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
    return made;
  }

  // --- which tests, in which order

  // What can be searched in a test, put together when somebody searches.
  const haystacks = [];
  function haystack(place) {
    const test = data.tests[place];
    return haystacks[place] ??= [test[NAME], data.verdicts[test[VERDICT]][0], test[OUTCOME], ...test[DETAIL].models.map((model) => model[0])]
      .join("\n").toLowerCase();
  }

  const alphabet = new Intl.Collator("en", { numeric: true });
  const state = { column: 1, down: false, group: null, places: [] };
  let sorted = [];

  function sort() {
    const { key } = COLUMNS[state.column];
    const sign = state.down ? -1 : 1;
    // Equal ones stay in the order of the run.
    const compare = key === NAME ? (a, b) => alphabet.compare(data.tests[a][NAME], data.tests[b][NAME])
      : (a, b) => data.tests[a][key] - data.tests[b][key];
    sorted = data.tests.map((_, place) => place).sort((a, b) => sign * compare(a, b));
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = verdict.value === "" ? null : Number(verdict.value);
    const group = state.group === null ? null : new Set(data.groups[state.group][1]);
    state.places = sorted.filter((place) =>
      (wanted === null || data.tests[place][VERDICT] === wanted)
      && (group === null || group.has(place))
      && words.every((word) => haystack(place).includes(word)));
    const [all, some] = [data.tests.length, state.places.length].map((number) => number.toLocaleString("en"));
    byId("count").textContent = all === some ? `${all} tests` : `${some} of ${all} tests`;
    byId("none").hidden = state.places.length > 0;
    byId("clear").hidden = state.group === null;
    if (state.group !== null) byId("clear").textContent = `missed because of ${data.groups[state.group][0]} ✕`;
    list.setAttribute("aria-rowcount", state.places.length + 1);
    for (const row of drawn.values()) row.remove();
    drawn.clear();
    draw();
  }

  function sortBy(column, down) {
    Object.assign(state, { column, down });
    [...byId("heads").children].forEach((head, place) =>
      head.setAttribute("aria-sort", place !== column ? "none" : down ? "descending" : "ascending"));
    sorting.value = `${column} ${down}`;
    sort();
    filter();
  }

  // --- the rows in sight

  const drawn = new Map(); // by their place in state.places
  const [above, under] = [0, 0].map(() => element("tr", { class: "space", "aria-hidden": "true" }, element("td", { colspan: COLUMNS.length })));
  let height = 0;
  let everything = false;

  function draw() {
    const count = state.places.length;
    const top = body.getBoundingClientRect().top;
    const within = (row) => Math.max(0, Math.min(count, row));
    const first = everything ? 0 : within(Math.floor(-top / height) - OVERSCAN);
    const last = everything ? Math.min(count, PRINTED) : within(Math.max(0, Math.ceil((innerHeight - top) / height)) + OVERSCAN);
    for (const [place, row] of drawn) {
      if (place < first || place >= last) {
        row.remove();
        drawn.delete(place);
      }
    }
    above.firstChild.style.height = `${first * height}px`;
    under.firstChild.style.height = everything ? "0" : `${(count - last) * height}px`;
    let before = above;
    for (let place = first; place < last; place++) {
      let row = drawn.get(place);
      if (row === undefined) {
        row = line(place);
        drawn.set(place, row);
        before.after(row);
      }
      before = row;
    }
  }

  function line(place) {
    const number = state.places[place];
    const test = data.tests[number];
    const [word, kind, mark] = data.verdicts[test[VERDICT]];
    const [file, ...names] = test[NAME].split("::");
    const open = element("button", { type: "button", class: "open", title: test[NAME], "data-test": number },
      test[OUTCOME] && element("span", { class: test[OUTCOME] }, test[OUTCOME]),
      names.length ? names.join("::") : file,
      names.length ? element("small", null, file) : null);
    const cells = COLUMNS.slice(2).map(({ key, shown, unit }) =>
      element("td", { role: "cell", class: test[key] > 0 ? "" : "zero", "data-unit": unit },
        shown === undefined ? test[key].toLocaleString("en") : test[shown]));
    return element("tr", { role: "row", class: "test-row", "aria-rowindex": place + 2 },
      element("th", { role: "rowheader", scope: "row" }, open),
      element("td", { role: "cell", class: `verdict ${kind}` },
        element("span", { class: "mark", "aria-hidden": "true" }, mark), element("code", null, word)),
      ...cells);
  }

  function measure() {
    height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
    draw();
  }

  let asked = false;
  function soon() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  }

  // Up and down go from test to test, beyond what is in sight too.
  function move(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const row = event.target.closest("tr.test-row");
    if (step === undefined || row === null) return;
    const place = Number(row.getAttribute("aria-rowindex")) - 2 + step;
    if (place < 0 || place >= state.places.length) return;
    event.preventDefault();
    draw();
    const next = drawn.get(place)?.querySelector(".open");
    if (!next) return;
    next.focus({ preventScroll: true });
    drawn.get(place).scrollIntoView({ block: "nearest", behavior: "instant" });
  }

  // --- one test

  const MISS = ["cause", "path", "call", "now", "recorded", "nearest", "not made", "mend"];

  function table(heads, rows) {
    const head = element("thead", null, element("tr", null, ...heads.map((name) => element("th", { scope: "col" }, name))));
    return element("table", null, head,
      element("tbody", null, ...rows.map((row) => element("tr", null, ...row.map((value) => element("td", null, String(value)))))));
  }

  function part(title, ...children) {
    return [element("h3", null, title), ...children];
  }

  // Mends have code between backticks.
  function prose(text) {
    return text.split("`").map((piece, place) => (place % 2 ? element("code", null, piece) : piece));
  }

  function miss(told) {
    const known = Object.fromEntries(MISS.map((name, place) => [name, told[place]]));
    const rows = MISS.slice(2, 7).filter((name) => known[name]).flatMap((name) =>
      [element("dt", null, name), element("dd", { class: name.replace(" ", "-") }, known[name])]);
    return element("div", { class: "one" },
      element("p", null, element("b", { class: "cause" }, known.cause), known.path && " at ", known.path && element("code", null, known.path)),
      element("dl", { class: "miss" }, ...rows),
      known.mend && element("p", { class: "fix" }, element("b", null, "Mend: "), ...prose(known.mend)));
  }

  function show(number) {
    const test = data.tests[number];
    const { reason, counts, models, cassettes, notes, misses, calls, more } = test[DETAIL];
    const [word, kind, mark, meaning] = data.verdicts[test[VERDICT]];
    const close = element("button", { type: "button", class: "plain", on: { click: () => dialog.close() } }, "Close");
    dialog.replaceChildren(element("div", { class: "detail" },
      element("header", null, element("h2", { id: "detail-name" }, test[NAME]), close),
      element("p", { class: kind },
        element("span", { class: "mark", "aria-hidden": "true" }, mark), " ", element("code", null, word), ` ${meaning}`,
        test[OUTCOME] && element("b", null, `; the test ${test[OUTCOME] === "failed" ? "failed" : "was skipped"}`)),
      reason && element("p", { class: "note" }, reason),
      ...notes.map((note) => element("p", { class: "note" }, note)),
      element("p", null, counts.map(([label, count]) => `${count} ${label}`).join(", ") || "no call",
        `; spent ${test[SPENT_SHOWN]}, saved ${test[SAVED_SHOWN]}`),
      ...(misses.length ? part("Misses", ...misses.map(miss)) : []),
      ...(calls.length ? part("Calls around every cassette",
        table(["host", "from", "seen at"], calls.map(([host, where, via, refused]) => [refused ? `${host} (refused)` : host, where, via]))) : []),
      more ? element("p", { class: "note" }, `… and ${more.toLocaleString("en")} more misses and calls: summary.json has them`) : null,
      ...(models.length ? part("Models", table(["model", "provider", "live", "replayed", "spent", "saved"], models)) : []),
      ...(cassettes.length ? part("Cassettes", table(["cassette", "episodes", "size", "age"], cassettes)) : [])));
    dialog.showModal();
    dialog.scrollTop = 0;
  }

  const dialog = byId("detail");

  function narrow(change) {
    search.value = "";
    verdict.value = "";
    state.group = null;
    change();
    filter();
    byId("tests").scrollIntoView({ behavior: "instant" });
  }

  document.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
    const button = event.target.closest("button");
    if (button?.dataset.test !== undefined) show(Number(button.dataset.test));
    else if (button?.dataset.group !== undefined) narrow(() => { state.group = Number(button.dataset.group); });
    else if (button?.dataset.verdict !== undefined) {
      const place = data.verdicts.findIndex(([word]) => word === button.dataset.verdict);
      narrow(() => { verdict.value = place < 0 ? "" : String(place); });
    }
  });

  // --- light and dark

  const THEMES = ["auto", "light", "dark"];
  const theme = byId("theme");
  theme.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(document.documentElement.dataset.theme ?? "auto") + 1) % THEMES.length];
    document.documentElement.dataset.theme = next;
    theme.textContent = `Theme: ${next}`;
  });
  theme.hidden = false;

  // --- to begin with

  verdict.append(new Option("all", ""), ...data.verdicts.map(([word], place) => new Option(word, place)));
  COLUMNS.forEach((column, place) => {
    const click = () => sortBy(place, state.column === place ? !state.down : Boolean(column.down));
    byId("heads").append(element("th", { role: "columnheader", scope: "col" }, element("button", { type: "button", on: { click } }, column.title)));
    sorting.append(...[Boolean(column.down), !column.down].map((down) =>
      new Option(`${column.title.toLowerCase()}, ${(column.ways ?? ["least first", "most first"])[Number(down)]}`, `${place} ${down}`)));
  });
  sorting.addEventListener("change", () => {
    const [column, down] = sorting.value.split(" ");
    sortBy(Number(column), down === "true");
  });
  search.addEventListener("input", filter);
  verdict.addEventListener("change", filter);
  byId("clear").addEventListener("click", () => { state.group = null; filter(); });
  addEventListener("scroll", soon, { passive: true });
  addEventListener("resize", measure);
  new ResizeObserver(soon).observe(document.body);
  body.addEventListener("keydown", move);
  addEventListener("beforeprint", () => { everything = true; draw(); });
  addEventListener("afterprint", () => { everything = false; draw(); });
  body.append(above, under);
  byId("explorer").hidden = false;
  height = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row"));
  sortBy(1, false);
  performance.mark("llm-vcr-ready");
})();
