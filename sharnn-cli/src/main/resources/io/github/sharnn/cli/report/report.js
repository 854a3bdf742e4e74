"use strict";
// Draws the curves and the attention of a report from the JSON in the page. While a run goes on,
// its own server names an interval, and the page fetches itself again.
(() => {
  Object.freeze(Object.prototype); // uPlot before 1.6.31 copies options without a check: CVE-2024-21489
  const COLORS = 6;
  const FEW = 40; // a curve with at most so many points marks each
  const MANY = 50; // a curve with at least so many points has a steep start, its first twentieth
  const page = document.documentElement;
  const axis = document.getElementById("x");
  const hidden = new Set(); // names of runs
  let runs = [];
  let charts = [];

  const css = name => getComputedStyle(page).getPropertyValue(name).trim();
  const color = i => css("--c" + i % COLORS);
  const number = value => value == null ? "–" : value.toLocaleString("en", {maximumSignificantDigits: 5});

  function make(name, text, parent) {
    const element = document.createElement(name);
    element.textContent = text;
    parent.append(element);
    return element;
  }

  /** Returns the values of the horizontal axis in a unit that a person reads, and its title. */
  function horizontal() {
    if (axis.value === "step") {
      return [1, "step"];
    }
    if (axis.value === "bytes") {
      return [1e6, "data trained on (MB)"];
    }
    const longest = Math.max(...runs.map(run => run.train.seconds.at(-1)));
    return longest < 300 ? [1, "seconds"] : longest < 10800 ? [60, "minutes"] : [3600, "hours"];
  }

  /** Returns the curves of a figure, two of each run for the bits per character. */
  function curves(figure) {
    const found = [];
    runs.forEach((run, i) => {
      for (const part of ["train", "valid"]) {
        if (run[part][figure] && !hidden.has(run.name)) {
          const both = figure === "bits";
          const name = [runs.length > 1 ? run.name : "", both ? part : ""].filter(Boolean).join(", ");
          found.push({
            steps: run[part],
            figure: run[part][figure],
            label: name || "value",
            stroke: color(both && runs.length === 1 && part === "valid" ? 1 : i),
            width: part === "valid" ? 2.5 : 1.25,
            dash: both && runs.length > 1 && part === "train" ? [5, 3] : [],
          });
        }
      }
    });
    return found;
  }

  /** Returns the range of the vertical axis: everything in view, but not the whole start. */
  function vertical(figure) {
    return (u, low, high) => {
      if (low == null) {
        return [0, 1];
      }
      const x = u.data[0];
      const [from, to] = u.series[0].idxs;
      const whole = from === 0 && to === x.length - 1;
      if (figure !== "bits") {
        return whole ? [Math.min(0, low), high * 1.05 || 1] : uPlot.rangeNum(low, high, 0.1, true);
      }
      if (whole && x.length >= MANY) {
        const start = x[0] + (x[x.length - 1] - x[0]) / 20;
        const rest = u.data.slice(1).flatMap(ys => ys.filter((y, i) => y != null && x[i] >= start));
        high = rest.length ? Math.max(...rest) : high;
      }
      const margin = (high - low) / 20 || 0.1;
      return [low - margin, high + margin];
    };
  }

  /** Tells screen readers about a chart, which is a picture to them. */
  function describe(u) {
    const title = u.root.closest("figure").querySelector("figcaption").textContent;
    const lines = u.series.slice(1).filter(line => line.class !== "bound").map(line => line.label);
    u.root.setAttribute("role", "img");
    u.root.setAttribute("aria-label", title + " from " + number(u.scales.y.min) + " to "
        + number(u.scales.y.max) + " by " + u.series[0].label + ": " + lines.join("; "));
  }

  function chart(holder, figure, unit) {
    const lines = curves(figure);
    holder.parentNode.hidden = lines.length === 0;
    if (lines.length === 0) {
      return;
    }
    const [xUnit, xTitle] = horizontal();
    const series = [{label: xTitle, value: (u, value) => number(value)}];
    const bands = [];
    const scaled = values => values.map(value => value == null ? null : value / unit);
    const tables = lines.map(line => {
      const table = [line.steps[axis.value].map(x => x / xUnit), scaled(line.figure.mean)];
      series.push({
        label: line.label,
        stroke: line.stroke,
        width: line.width,
        dash: line.dash,
        value: (u, value) => number(value),
        points: {show: line.figure.mean.filter(value => value != null).length <= FEW, size: 6, fill: line.stroke},
      });
      if (line.figure.low) {
        table.push(scaled(line.figure.high), scaled(line.figure.low));
        const bound = {class: "bound", stroke: "transparent", points: {show: false}};
        bands.push({series: [series.length, series.length + 1], fill: line.stroke + "33"});
        series.push(bound, {...bound});
      }
      return table;
    });
    const style = {
      stroke: css("--text"),
      grid: {stroke: css("--line"), width: 1},
      ticks: {stroke: css("--line"), width: 1},
      font: "13px system-ui, sans-serif",
      values: (u, values) => values.map(number),
    };
    const u = new uPlot({
      width: holder.clientWidth,
      height: 280,
      series,
      bands,
      scales: {x: {time: false}, y: {range: vertical(figure)}},
      axes: [{...style, label: xTitle, labelFont: style.font, labelSize: 22}, {...style, size: 76}],
      cursor: {sync: {key: "report"}, y: false},
      legend: {markers: {dash: (u, i) => (u.series[i].dash || []).length ? "dashed" : "solid"}},
      hooks: {draw: [describe]},
    }, uPlot.join(tables), holder);
    charts.push(u);
  }

  function draw() {
    const old = charts.find(u => u.scales.x.min > u.data[0][0] || u.scales.x.max < u.data[0].at(-1));
    const zoom = old && old.axis === axis.value && {min: old.scales.x.min, max: old.scales.x.max};
    charts.forEach(u => u.destroy());
    charts = [];
    for (const figure of document.querySelectorAll("figure[data-figure]")) {
      chart(figure.lastElementChild, figure.dataset.figure, Number(figure.dataset.unit || 1));
    }
    charts.forEach(u => {
      u.axis = axis.value;
      if (zoom) {
        u.setScale("x", zoom);
      }
    });
  }

  /** Shows a button for each run, which hides its curves. */
  function legend() {
    const place = document.getElementById("runs");
    place.replaceChildren();
    runs.forEach((run, i) => {
      if (runs.length > 1) {
        const button = make("button", "", place);
        make("span", "", button).className = "swatch";
        button.firstChild.style.background = color(i);
        make("span", run.name, button);
        button.setAttribute("aria-pressed", !hidden.has(run.name));
        button.addEventListener("click", () => {
          hidden.delete(run.name) || hidden.add(run.name);
          legend();
          draw();
        });
      }
    });
  }

  /** Shows one layer's attention: the token that reads shades the tokens that it attends to. */
  function layer(box, run, {layer, thousandths}) {
    make("h4", "Attention of layer " + layer, box);
    const text = make("div", "", box);
    text.className = "tokens";
    text.classList.toggle("apart", run.tokens.some(token => token.length > 2));
    text.tabIndex = 0;
    const spans = run.tokens.map(token => make("span", token === "\n" ? "⏎\n" : token, text));
    const note = make("p", "", box);
    note.className = "note";
    const quoted = t => "“" + run.tokens[t].replace("\n", "⏎") + "”";
    const weight = (t, j) => thousandths[t][j] == null ? "not finite" : (thousandths[t][j] / 1000).toFixed(3);
    let reader = -1;
    let kept = false; // a click keeps the reader

    function read(t) {
      reader = t;
      const row = thousandths[t];
      const largest = Math.max(...row, 1);
      spans.forEach((span, j) => {
        const share = j <= t ? (row[j] || 0) / largest : 0;
        span.style.background = share > 0 ? "rgba(" + css("--shade") + ", " + (0.75 * share).toFixed(3) + ")" : "";
        span.className = j === t ? "reader" : "";
        span.title = j <= t ? "weight " + weight(t, j) : "";
      });
      const most = row.map((w, j) => j).sort((a, b) => (row[b] || 0) - (row[a] || 0)).slice(0, 5);
      note.textContent = "Token " + (t + 1) + ", " + quoted(t) + ", attends to: "
          + most.map(j => quoted(j) + " (" + (j + 1) + ") " + weight(t, j)).join(", ");
    }

    text.addEventListener("pointerover", event => {
      const t = spans.indexOf(event.target);
      if (t >= 0 && !kept) {
        read(t);
      } else if (t >= 0 && t <= reader) {
        note.textContent = "Token " + (reader + 1) + ", " + quoted(reader) + ", attends to token "
            + (t + 1) + ", " + quoted(t) + ": " + weight(reader, t);
      }
    });
    text.addEventListener("click", event => {
      const t = spans.indexOf(event.target);
      if (t >= 0) {
        kept = !(kept && t === reader);
        read(t);
      }
    });
    text.addEventListener("keydown", event => {
      const t = reader + {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (spans[t]) {
        read(t);
        event.preventDefault();
      }
    });
    read(spans.length - 1);
  }

  function show() {
    runs = JSON.parse(document.getElementById("data").textContent);
    legend();
    draw();
    for (const box of document.querySelectorAll("[data-attention]")) {
      const run = runs[box.dataset.attention];
      box.replaceChildren();
      run.layers.forEach(each => layer(box, run, each));
    }
  }

  let last = ""; // the page as it was fetched
  async function refresh() {
    const state = document.getElementById("state");
    try {
      const response = await fetch(location.href, {cache: "no-store"});
      const text = await response.text();
      const next = new DOMParser().parseFromString(text, "text/html");
      const main = next.querySelector("main"); // none in an error's page
      if (main && text !== last) {
        last = text;
        const open = new Set([...document.querySelectorAll("details[open] summary")].map(each => each.textContent));
        main.querySelectorAll("summary").forEach(each => each.parentNode.open ||= open.has(each.textContent));
        document.querySelector("main").replaceWith(main);
        show();
      }
      const ended = main && !(next.documentElement.dataset.refresh > 0);
      state.textContent = ended ? "The run has ended." : "live";
      if (!ended) {
        setTimeout(refresh, 1000 * page.dataset.refresh);
      }
    } catch (e) { // the server has gone with the run
      state.textContent = "The run has ended. This page shows its last known state.";
    }
  }

  axis.addEventListener("change", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  addEventListener("resize", () => charts.forEach(u =>
      u.setSize({width: u.root.parentNode.clientWidth, height: u.height})));
  show();
  if (page.dataset.refresh > 0) {
    setTimeout(refresh, 1000 * page.dataset.refresh);
  }
})();
