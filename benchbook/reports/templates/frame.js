
"use strict";
// Sorts a table by the column whose heading is pressed, and filters long ones. It reads and writes text, never markup.
(function () {
  function value(cell) {
    var given = cell.getAttribute("data-v");
    var text = (given === null ? (cell.firstChild ? cell.firstChild.textContent : "") : given).trim();
    var number = parseFloat(text.replace(/[,$^]/g, ""));
    return { text: text, number: /^[-+]?[$^]?\.?\d/.test(text) ? number : NaN };
  }
  function order(a, b, up) {
    var x = value(a), y = value(b), known = isNaN(x.number) - isNaN(y.number);
    if (known) return known;
    var by = isNaN(x.number) ? x.text.localeCompare(y.text) : x.number - y.number;
    return up ? by : -by;
  }
  function sortable(table) {
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) button.appendChild(head.firstChild);
      head.appendChild(button);
      button.addEventListener("click", function () {
        var up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        var body = table.tBodies[0];
        Array.prototype.slice.call(body.rows)
          .sort(function (a, b) { return order(a.cells[column], b.cells[column], up); })
          .forEach(function (row) { body.appendChild(row); });
      });
    });
  }
  function filterable(table) {
    var label = document.createElement("label"), field = document.createElement("input"), count = document.createElement("span");
    label.className = "filter";
    field.type = "search";
    field.setAttribute("autocomplete", "off");
    count.setAttribute("role", "status");
    label.append("Filter rows ", field, count);
    table.parentNode.parentNode.insertBefore(label, table.parentNode);
    field.addEventListener("input", function () {
      var wanted = field.value.toLowerCase(), rows = Array.prototype.slice.call(table.tBodies[0].rows), left = 0;
      rows.forEach(function (row) {
        row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
        left += row.hidden ? 0 : 1;
      });
      count.textContent = wanted ? " " + left + " of " + rows.length : "";
    });
  }
  document.querySelectorAll("table[data-sort]").forEach(sortable);
  document.querySelectorAll("table[data-filter]").forEach(filterable);
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll("details[data-print]").forEach(function (part) { part.open = true; });
  });
  document.documentElement.setAttribute("data-script", "ran");
})();
