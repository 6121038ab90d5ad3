(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("scripted");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Theme: the system's, until the reader chooses. The choice is kept where the browser allows it.
  const store = {
    get() { try { return localStorage.getItem("scrutiq-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("scrutiq-theme", value); } catch { /* private window */ } },
  };
  const button = document.querySelector("[data-theme-toggle]");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; button.setAttribute("aria-label", `Use ${dark() ? "light" : "dark"} colours`); };
  if (["light", "dark"].includes(store.get())) root.dataset.theme = store.get();
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; store.set(root.dataset.theme); name(); });
  system.addEventListener("change", name);
  name();

  // Sorting, filtering and, in long tables, a limit to the rows on view: the browser lays out those only. Rows without a
  // value stay last in both directions.
  const STEP = 300;
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const cellAt = (row, column) => [...row.cells].find((cell) => (column -= cell.colSpan) < 0);
  const controls = Object.fromEntries(all("[data-filter]").map((node) => [node.dataset.filter, node]));
  const tables = all("table[data-sortable]").map((table) => {
    const scroll = table.closest(".scroll");
    const rows = [...table.tBodies[0].rows];
    return { table, rows, kept: new Set(rows), limit: STEP, nothing: scroll.nextElementSibling, more: scroll.nextElementSibling.nextElementSibling };
  });
  const show = (item) => {
    let left = item.limit;
    for (const row of item.rows) {
      const visible = item.kept.has(row) && left-- > 0;
      if (row.hidden === visible) row.hidden = !visible;
    }
    const rest = item.kept.size - item.limit;
    item.nothing.hidden = item.kept.size > 0;
    item.more.hidden = rest <= 0;
    item.more.firstElementChild.textContent = `Show ${Math.min(rest, STEP)} more of ${rest}`;
  };
  const sort = (item, column, numeric, down) => {
    const keyed = item.rows.map((row, place) => ({ row, place, value: cellAt(row, column).dataset.v }));
    keyed.sort((a, b) => {
      if (a.value === "" || b.value === "") return (a.value === "") - (b.value === "") || a.place - b.place;
      const order = numeric ? a.value - b.value : collator.compare(a.value, b.value);
      return (down ? -order : order) || a.place - b.place;
    });
    item.rows = keyed.map((entry) => entry.row);
    item.limit = STEP;
    for (const row of item.rows) if (!row.hidden) row.hidden = true;
    item.table.tBodies[0].replaceChildren(...item.rows);
    show(item);
  };
  const filter = () => {
    const words = controls.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let kept = 0;
    let total = 0;
    for (const item of tables) {
      item.kept = new Set(item.rows.filter((row) => words.every((word) => row.dataset.words.includes(word))
        && (!controls.status.value || row.dataset.status === controls.status.value)
        && (!controls.severity.value || row.dataset.severity === controls.severity.value)
        && (!controls.full.checked || "full" in row.dataset)));
      item.limit = STEP;
      show(item);
      kept += item.kept.size;
      total += item.rows.length;
    }
    controls.count.textContent = kept === total ? `${total} rows` : `${kept} of ${total} rows`;
  };
  for (const item of tables) {
    const heads = [...item.table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const key = head.querySelector("button");
      key.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(item, column, key.dataset.type === "number", down);
      });
    });
    item.more.firstElementChild.addEventListener("click", () => { item.limit += STEP; show(item); });
  }
  if (tables.length) {
    for (const node of [controls.text, controls.status, controls.severity, controls.full]) node.addEventListener("input", filter);
    filter();
  }

  // A sentence lights up the measurements it rests on, and spells them out below the paragraph.
  const light = (sentence) => {
    const section = sentence.closest(".case");
    all(".lit", section).forEach((node) => node.classList.remove("lit"));
    sentence.classList.add("lit");
    const rows = sentence.dataset.rows.split(" ").filter(Boolean).map((id) => document.getElementById(id));
    const readout = sentence.closest(".report").querySelector(".readout");
    readout.textContent = rows.length ? "Rests on: " : "Rests on no measurement.";
    rows.forEach((row, i) => {
      row.classList.add("lit");
      const value = document.createElement("b");
      const verdict = row.cells[4].textContent.trim();
      value.textContent = `${row.cells[2].textContent} ${row.cells[3].textContent}`.trim();
      readout.append(i ? "; " : "", `${row.cells[1].querySelector("code").textContent} `, value, verdict ? ` (${verdict})` : "");
    });
  };
  for (const sentence of all(".sentence")) {
    for (const event of ["mouseenter", "focusin", "click"]) sentence.addEventListener(event, () => light(sentence));
  }

  // The map over the image, and one place marked in both.
  for (const key of all("[data-overlay]")) {
    key.addEventListener("click", () => {
      const pictures = key.closest(".pictures");
      const target = pictures.querySelector(".main .fit");
      const laid = target.querySelector(".laid");
      if (laid) laid.remove();
      else {
        const copy = pictures.querySelector(".map img").cloneNode();
        copy.className = "laid";
        copy.alt = "";
        copy.removeAttribute("style");
        target.querySelector("img").after(copy);
      }
      key.setAttribute("aria-pressed", String(!laid));
    });
  }
  for (const frame of all("[data-frame] .fit")) {
    const twins = all("[data-frame] .fit", frame.closest(".pictures")).filter((other) => other !== frame);
    if (!twins.length) continue;
    const clear = () => twins.forEach((twin) => all(".cross", twin).forEach((node) => node.remove()));
    frame.addEventListener("pointermove", (event) => {
      const bounds = frame.getBoundingClientRect();
      for (const twin of twins) {
        let cross = twin.querySelector(".cross");
        if (!cross) { cross = document.createElement("span"); cross.className = "cross"; twin.append(cross); }
        cross.style.left = `${(100 * (event.clientX - bounds.left)) / bounds.width}%`;
        cross.style.top = `${(100 * (event.clientY - bounds.top)) / bounds.height}%`;
      }
    });
    frame.addEventListener("pointerleave", clear);
  }

  // Paper shows everything.
  const opened = [];
  addEventListener("beforeprint", () => all("details:not([open])").forEach((node) => { node.open = true; opened.push(node); }));
  addEventListener("afterprint", () => opened.splice(0).forEach((node) => { node.open = false; }));
})();
