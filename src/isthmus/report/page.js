"use strict";
(function () {
  var data = JSON.parse(document.getElementById("rows").textContent);
  var panel = document.getElementById("detail"), chosen = -1;
  function element(name, text, parent, style) {
    var made = document.createElement(name);
    if (text !== null) { made.textContent = text; }
    if (style) { made.className = style; }
    parent.appendChild(made);
    return made;
  }
  function picture(parent, title, text) {
    var box = element("figure", null, parent), canvas = element("canvas", null, box);
    var h = data.shape[0], w = data.shape[1], c = data.shape[2], bytes = atob(text);
    canvas.width = w; canvas.height = h;
    canvas.setAttribute("role", "img"); canvas.setAttribute("aria-label", title);
    var context = canvas.getContext("2d"), image = context.createImageData(w, h);
    for (var i = 0; i < h * w; i++) {
      for (var j = 0; j < 3; j++) { image.data[4 * i + j] = bytes.charCodeAt(c === 1 ? i : c * i + j); }
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    element("figcaption", title, box);
  }
  function show(index) {
    chosen = index;
    document.querySelectorAll(".dot.chosen").forEach(function (dot) { dot.classList.remove("chosen"); });
    document.querySelectorAll('.dot[data-row="' + index + '"]').forEach(function (dot) { dot.classList.add("chosen"); });
    var row = data.rows[index];
    panel.textContent = "";
    element("p", "Row " + row.number + ": error " + row.error + ", PCA's " + row.pca, panel);
    if (data.shape) {
      var pair = element("div", null, panel, "pair");
      picture(pair, "as it is", row.x);
      picture(pair, "rebuilt from its code", row.x_hat);
      return;
    }
    var table = element("table", null, element("div", null, panel, "scroll"));
    var head = element("tr", null, element("thead", null, table)), body = element("tbody", null, table);
    ["column", "as it is", "rebuilt"].forEach(function (name) { element("th", name, head).scope = "col"; });
    row.cells.forEach(function (cell) {
      var line = element("tr", null, body), off = cell[3] ? "off" : "";
      element("td", data.columns[cell[0]], line);
      element("td", cell[1], line);
      element("td", cell[2] + (off ? "  (far off)" : ""), line, off);
    });
  }
  document.querySelectorAll("svg.rows").forEach(function (svg) {
    function over(event) {
      var row = event.target.getAttribute && event.target.getAttribute("data-row");
      if (row !== null && row !== undefined) { show(Number(row)); }
    }
    svg.addEventListener("mouseover", over);
    svg.addEventListener("click", over);
    svg.addEventListener("keydown", function (event) {
      var step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) { return; }
      event.preventDefault();
      show((chosen + step + data.rows.length) % data.rows.length);
    });
  });
  var first = 0;
  data.rows.forEach(function (row, i) { if (Number(row.error) > Number(data.rows[first].error)) { first = i; } });
  if (data.rows.length) { show(first); }
})();
