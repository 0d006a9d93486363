// Parts of the panel of a job. The kernel holds the state; a view requests only what it shows.

const STATES = {
  starting: "preparing", running: "running", paused: "paused", joining: "joining labels", pyramid: "writing the pyramid",
  complete: "complete", failed: "failed", cancelled: "cancelled", stopped: "stopped",
};
const AXES = { c: "Channel", z: "z", t: "Time" };
const SECTIONS = { tiling: "Tiles", sampling: "Thinking" };
const SETTLE = 60; // ms from the last movement to a request for new pixels
const REFRESH = 1000; // ms between two updates of a running result
const ANSWER = 3000; // ms after which a kernel that was asked whether it is there counts as lost
const NO_TILE = "Click a tile to read its thought.";
const PATIENCE = 15000; // ms without an answer after which a request is repeated

function element(tag, options = {}, ...children) {
  const { dataset, ...rest } = options;
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, dataset || {});
  made.append(...children);
  return made;
}

function duration(seconds) {
  if (seconds < 100) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 1000 && at < units.length - 1) { bytes /= 1000; at += 1; }
  return `${bytes.toFixed(at ? 1 : 0)} ${units[at]}`;
}

function bitmap(data) {
  return createImageBitmap(new Blob([data], { type: "image/png" }));
}

// One open request per kind; of those that come meanwhile, only the newest is kept. A request is repeated while it has no
// answer: a message may be lost when a kernel restarts or an output is redrawn. `onSilence` is called where none arrives.
function makeChannel(model, view, onSilence) {
  const open = new Map();
  const next = new Map();
  const post = (message) => {
    // The channel to a kernel that was restarted is closed, and sending fails.
    try { model.send({ ...message, view }); } catch { onSilence(); }
  };
  const send = (message) => {
    next.delete(message.kind);
    open.set(message.kind, { message, since: Date.now() });
    post(message);
  };
  const repeat = () => {
    for (const [kind, { message, since }] of open) {
      if (Date.now() - since < PATIENCE) continue;
      onSilence();
      send(next.get(kind) || message);
    }
  };
  const timer = setInterval(repeat, PATIENCE);
  return {
    order: (kind, more = {}) => post({ kind, ...more }),
    ask(message) {
      if (open.has(message.kind)) next.set(message.kind, message);
      else send(message);
    },
    isOpen: (kind) => open.has(kind),
    answered(kind) {
      open.delete(kind);
      const waiting = next.get(kind);
      if (waiting) send(waiting);
    },
    close: () => clearInterval(timer),
  };
}

// The picture: the source, and above it the result, right of the curtain.
function makeScreen(ui, state) {
  const { canvas } = ui;
  const context = canvas.getContext("2d");
  const place = ([y0, y1, x0, x1]) => {
    const { y, x, zoom } = state.at;
    return [(x0 - x) * zoom + canvas.width / 2, (y0 - y) * zoom + canvas.height / 2, (x1 - x0) * zoom, (y1 - y0) * zoom];
  };
  const frame = (box, colour, dashed) => {
    context.save();
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.setLineDash(dashed ? [6, 4] : []);
    context.strokeRect(...place(box));
    context.restore();
  };
  function draw() {
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!state.picture) return;
    context.imageSmoothingEnabled = state.at.zoom < 1;
    context.drawImage(state.picture.before, ...place(state.picture.box));
    const curtain = state.curtain * canvas.width;
    for (const layer of state.picture.layers) {
      context.save();
      context.beginPath();
      context.rect(curtain, 0, canvas.width, canvas.height);
      context.clip();
      context.globalAlpha = state.opacity;
      context.imageSmoothingEnabled = state.at.zoom < 1 && layer.kind !== "labels";
      context.drawImage(layer.image, ...place(layer.box));
      context.restore();
    }
    if (state.picture.layers.length && state.curtain > 0 && state.curtain < 1) {
      context.fillStyle = "#ffffff";
      context.fillRect(curtain - 1, 0, 2, canvas.height);
    }
    if (state.previewBox) frame(state.previewBox, "#56b4e9", true);
    if (state.cell) frame(state.cell, "#f0e442", false);
  }
  const source = (event) => {
    const box = canvas.getBoundingClientRect();
    const { y, x, zoom } = state.at;
    return {
      y: y + (((event.clientY - box.top) / box.height) * canvas.height - canvas.height / 2) / zoom,
      x: x + (((event.clientX - box.left) / box.width) * canvas.width - canvas.width / 2) / zoom,
    };
  };
  return { draw, source };
}

function slider(words, options, onInput) {
  const input = element("input", { type: "range", ...options });
  const shown = element("output", { className: "s1o-value" }, String(input.value));
  input.setAttribute("aria-label", words);
  input.addEventListener("input", () => { shown.textContent = input.value; onInput(Number(input.value)); });
  return { row: element("label", { className: "s1o-slider" }, element("span", {}, words), input, shown), input, shown };
}

function editor(field, onChange) {
  let input;
  if (field.kind === "choice") {
    input = element("select");
    if (field.optional) input.append(element("option", { value: "" }, "auto"));
    for (const choice of field.choices) input.append(element("option", { value: String(choice.value) }, choice.label));
    input.value = field.value === null ? "" : String(field.value);
  } else if (field.kind === "boolean") {
    input = element("input", { type: "checkbox", checked: Boolean(field.value) });
  } else if (field.kind === "integer" || field.kind === "number") {
    input = element("input", { type: "number", step: field.kind === "integer" ? 1 : "any" });
    if (field.min !== null) input.min = field.min;
    if (field.max !== null) input.max = field.max;
    input.value = field.value ?? "";
    if (field.optional) input.placeholder = "auto";
  } else {
    input = element("input", { type: "text", value: field.value ?? "" });
    if (field.optional) input.placeholder = "auto";
  }
  if (field.path === "operation.prompt") {
    input = element("textarea", { rows: 2, value: field.value ?? "" });
  }
  input.addEventListener("change", () => {
    if (field.kind === "boolean") onChange(input.checked);
    else if (input.value === "") onChange(null);
    else onChange(field.kind === "integer" || field.kind === "number" ? Number(input.value) : input.value);
  });
  input.title = field.help;
  input.dataset.path = field.path;
  return element("label", { className: `s1o-field s1o-${field.kind}`, title: field.help }, element("span", {}, field.label), input);
}

function makeLayout() {
  const make = (tag, className, ...children) => element(tag, { className: `s1o-${className}` }, ...children);
  const button = (name, words, title) => element("button", { type: "button", className: `s1o-${name}`, title }, words);
  const ui = {
    title: make("strong", "title"), state: make("span", "state"), mark: make("span", "mark"), about: make("span", "about"),
    canvas: element("canvas", { className: "s1o-canvas", tabIndex: 0 }), notice: make("div", "notice"), sliders: make("div", "sliders"),
    form: make("div", "form"), forecast: make("div", "forecast"), request: make("div", "request"), previewWords: make("span", "preview-words"),
    bar: make("div", "bar-fill"), progress: make("span", "progress"), map: element("canvas", { className: "s1o-map" }),
    by: element("select", { className: "s1o-by", title: "Colour tiles by" }), key: make("div", "key"), trace: make("div", "trace"),
    preview: button("preview", "Preview", "Run the tiles in the middle of the view"),
    back: button("back", "Hide preview", "Show the result again"),
    run: button("run", "Run", "Start a run with these settings; this job then is that run"),
    target: element("input", { type: "text", className: "s1o-target", title: "Folder of the new result" }),
    results: element("select", { className: "s1o-results", title: "Result that this panel and the job are", hidden: true }),
    lost: make("div", "lost"),
    pause: button("pause", "Pause", "Pause after the current tiles"), resume: button("resume", "Resume", "Continue the run"),
    cancel: button("cancel", "Cancel", "Stop the run; finished blocks are kept"), whole: button("whole", "Whole image", "Zoom out"),
  };
  ui.notice.setAttribute("role", "status");
  ui.canvas.setAttribute("aria-label", "Image and result: drag to move, scroll to zoom, click a tile for its thought");
  ui.map.setAttribute("aria-label", "Map of tiles: click a tile for its thought");
  ui.trace.textContent = NO_TILE;
  const left = make("div", "left", element("div", { className: "s1o-screen" }, ui.canvas, ui.notice), ui.sliders);
  const right = make("div", "right", ui.form, ui.request, ui.forecast, make("div", "buttons", ui.preview, ui.back), ui.previewWords,
    element("label", { className: "s1o-field" }, element("span", {}, "Save to"), ui.target), make("div", "buttons", ui.run));
  ui.tiles = make("div", "tiles", make("div", "tiles-head", element("span", {}, "Colour tiles by"), ui.by), ui.map, ui.key);
  ui.tiles.hidden = ui.lost.hidden = true;
  ui.lost.setAttribute("role", "alert");
  const below = make("div", "below", ui.tiles, ui.trace);
  const status = make("div", "status", make("div", "bar", ui.bar), ui.progress, ui.pause, ui.resume, ui.cancel);
  ui.root = make("div", "root", ui.lost, make("div", "head", ui.title, ui.state, ui.mark, ui.results, ui.about), make("div", "body", left, right), status, below);
  return ui;
}


// A page hides the still picture of a job while its panel is alive.
function hideStill(key) {
  const id = `s1o-hides-${key}`;
  if (!key || document.getElementById(id)) return;
  document.head.append(element("style", { id }, `.s1o-still-${key} { display: none; }`));
}
