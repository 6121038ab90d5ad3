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

  // Sorting: rows without a value stay last in both directions.
  const cellAt = (row, column) => [...row.cells].find((cell) => (column -= cell.colSpan) < 0);
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  for (const table of all("table[data-sortable]")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const key = head.querySelector("button");
      key.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const numeric = key.dataset.type === "number";
        const keyed = [...table.tBodies[0].rows].map((row, place) => ({ row, place, value: cellAt(row, column).dataset.v }));
        keyed.sort((a, b) => {
          if (a.value === "" || b.value === "") return (a.value === "") - (b.value === "") || a.place - b.place;
          const order = numeric ? a.value - b.value : collator.compare(a.value, b.value);
          return (down ? -order : order) || a.place - b.place;
        });
        table.tBodies[0].append(...keyed.map((item) => item.row));
      });
    });
  }

  // Filtering.
  const controls = Object.fromEntries(all("[data-filter]").map((node) => [node.dataset.filter, node]));
  if (controls.text) {
    const rows = all("table[data-sortable] tbody tr");
    const apply = () => {
      const words = controls.text.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const keep = words.every((word) => row.dataset.words.includes(word))
          && (!controls.status.value || row.dataset.status === controls.status.value)
          && (!controls.severity.value || row.dataset.severity === controls.severity.value)
          && (!controls.full.checked || "full" in row.dataset);
        if (row.hidden === keep) row.hidden = !keep;
        shown += keep;
      }
      controls.count.textContent = shown === rows.length ? `${rows.length} rows` : `${shown} of ${rows.length} rows`;
      for (const table of all("table[data-sortable]")) {
        table.closest(".scroll").nextElementSibling.hidden = [...table.tBodies[0].rows].some((row) => !row.hidden);
      }
    };
    for (const node of [controls.text, controls.status, controls.severity, controls.full]) node.addEventListener("input", apply);
    apply();
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
