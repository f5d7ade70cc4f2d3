"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const colour = (role) => getComputedStyle(document.documentElement).getPropertyValue(`--${role}`).trim();

  const dressed = ({ data, layout }) => {
    const axis = (given = {}) => ({
      ...given, gridcolor: colour("rule"), zerolinecolor: colour("rule"), linecolor: colour("rule"),
      tickfont: { size: 12 }, title: { ...given.title, font: { size: 13 }, standoff: 12 },
    });
    return {
      data: data.map((trace) => ({
        ...trace,
        line: { ...trace.line, color: colour(trace.meta) },
        marker: { ...trace.marker, color: colour(trace.meta) },
        ...(trace.error_x ? { error_x: { ...trace.error_x, color: colour(trace.meta) } } : {}),
      })),
      layout: {
        ...layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
        font: { color: colour("ink"), family: getComputedStyle(document.body).fontFamily, size: 13 },
        xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis), dragmode: false,
        shapes: (layout.shapes || []).map((shape) => ({ ...shape, line: { ...shape.line, color: colour("soft") } })),
      },
    };
  };

  const draw = () => {
    for (const place of document.querySelectorAll("[data-figure]")) {
      const { data, layout } = dressed(figures[place.dataset.figure]);
      Plotly.react(place, data, layout, { responsive: true, displayModeBar: false, scrollZoom: false });
    }
  };

  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
