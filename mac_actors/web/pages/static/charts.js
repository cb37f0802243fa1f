// Draws each <figure class="chart"> from the table that it names (data-table), so that both say the same.
// data-series: columns of the table (0 is the label); data-colours: names of CSS colours, one a column.
"use strict";
(() => {
  const { say } = window;
  const charts = [];
  const { lang } = document.documentElement;
  const decimal = new Intl.NumberFormat(lang).formatToParts(0.5).find((part) => part.type === "decimal").value;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  // Hatching beside the colour: told apart also where colours are not.
  function hatched(base) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.strokeStyle = base;
    pen.lineWidth = 2.5;
    for (const shift of [-8, 0, 8]) {
      pen.moveTo(shift - 1, 9);
      pen.lineTo(shift + 9, -1);
    }
    pen.stroke();
    return pen.createPattern(tile, "repeat");
  }

  function read(figure) {
    const table = document.getElementById(figure.dataset.table);
    const rows = [...table.tBodies[0].rows].slice(0, Number(figure.dataset.rows) || undefined);
    const number = (cell) => {
      const [whole, part] = cell.textContent.split(decimal).map((text) => text.replace(/[^\d−-]/g, "").replace("−", "-"));
      return /\d/.test(whole) ? Number(`${whole}.${part || 0}`) : null;
    };
    return {
      labels: rows.map((row) => row.cells[0].dataset.short || row.cells[0].textContent.trim()),
      series: figure.dataset.series.split(",").map((column) => ({
        label: table.tHead.rows[0].cells[column].textContent.trim(),
        data: rows.map((row) => number(row.cells[column])),
      })),
    };
  }

  function style(figure, index) {
    const base = colour(figure.dataset.colours.split(",")[index]);
    if (figure.classList.contains("line")) {
      return { borderColor: base, backgroundColor: base, borderWidth: 2, borderDash: index ? [5, 4] : [], pointRadius: 2 };
    }
    return { backgroundColor: index ? hatched(base) : base, borderColor: base, borderWidth: index ? 1 : 0, borderRadius: 2 };
  }

  function options(figure, several) {
    const lying = figure.classList.contains("lying");
    const muted = colour("muted"), line = colour("line"), unit = figure.dataset.unit;
    const shorten = (text) => (text.length > 22 ? `${text.slice(0, 21)}…` : text);
    const values = {
      beginAtZero: !figure.classList.contains("line"),
      suggestedMax: figure.dataset.max ? undefined : 1,
      max: Number(figure.dataset.max) || undefined,
      stacked: several && !figure.classList.contains("line"),
      grid: { color: line },
      border: { display: false },
      ticks: { color: muted, callback: (value) => `${lang === "en" ? value : value.toLocaleString(lang)} ${unit}`, maxTicksLimit: lying && innerWidth < 640 ? 4 : 6, maxRotation: 0 },
    };
    const names = {
      stacked: values.stacked,
      grid: { display: false },
      border: { color: line },
      ticks: {
        color: muted, maxRotation: 0, autoSkip: !lying, autoSkipPadding: 14,
        callback(value) { return lying ? shorten(this.getLabelForValue(value)) : this.getLabelForValue(value); },
      },
    };
    if (figure.classList.contains("line")) {
      delete values.suggestedMax;
      values.suggestedMin = -90;
      values.suggestedMax = -40;
    }
    return {
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      indexAxis: lying ? "y" : "x",
      interaction: { mode: "index", intersect: false, axis: lying ? "y" : "x" },
      scales: lying ? { x: values, y: names } : { x: names, y: values },
      plugins: {
        legend: { display: several, labels: { color: colour("text"), boxWidth: 22 } },
        tooltip: { callbacks: { label: (item) => `${item.dataset.label}: ${item.formattedValue} ${unit}` } },
      },
    };
  }

  function draw(figure) {
    const { labels, series } = read(figure);
    figure.hidden = false;
    const box = figure.appendChild(document.createElement("div"));
    box.className = "drawing";
    box.style.setProperty("--bars", labels.length);
    const canvas = box.appendChild(document.createElement("canvas"));
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", say("Picture: {title}. The same is in the table below.", { title: figure.querySelector("figcaption").textContent.trim() }));
    const kind = figure.classList.contains("line") ? "line" : "bar";
    const dress = () => series.forEach((one, index) => Object.assign(one, style(figure, index)));
    const several = series.length > 1;
    dress();
    const chart = new Chart(canvas, { type: kind, data: { labels, datasets: series }, options: options(figure, several) });
    charts.push(() => {
      dress();
      chart.options = options(figure, several);
      chart.update("none");
    });
  }

  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.locale = lang;
  Chart.defaults.font.size = 13;
  document.querySelectorAll("figure.chart").forEach(draw);

  const repaint = () => charts.forEach((paint) => paint());
  // On paper: in light colours, as wide as the page; the browser prints what is painted by the end of this event.
  const canvases = () => [...document.querySelectorAll("figure.chart canvas")].map((canvas) => Chart.getChart(canvas));
  let theme;
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    repaint();
    canvases().forEach((chart) => chart.resize(640, chart.height));
  });
  addEventListener("afterprint", () => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    repaint();
    canvases().forEach((chart) => chart.resize());
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  new MutationObserver(repaint).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
})();
