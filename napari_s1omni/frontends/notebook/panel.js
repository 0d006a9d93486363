// The panel. Its parts are in parts.js, which is loaded before this file.

// Last position by result: a redrawn output and a new view start there.
const lastViews = new Map();

function render({ model, el }) {
  const view = crypto.randomUUID ? crypto.randomUUID() : String(Math.random());
  const ui = makeLayout();
  const state = {
    at: null, picture: null, curtain: 0, opacity: 1, cell: null, previewBox: null, low: null, high: null, span: null,
    grid: null, gridImage: null, output: null,
  };
  const channel = makeChannel(model, view, () => showLost(true));
  const screen = makeScreen(ui, state);
  const inputs = {};
  const timers = {};
  const later = (name, ms, work) => { clearTimeout(timers[name]); timers[name] = setTimeout(work, ms); };
  const showChoices = makeChoices(ui.root, channel.order);
  el.append(ui.root);

  const requestView = () => {
    if (!state.at) return;
    channel.ask({ kind: "view", ...state.at, low: state.low, high: state.high, width: ui.canvas.width, height: ui.canvas.height });
  };
  const requestTiles = () => channel.ask({ kind: "grid", z: state.at?.z ?? 0, t: state.at?.t ?? 0, by: ui.by.value || "state" });
  const remember = (byUser) => {
    const { output } = model.get("scene");
    // Updates reach all views; only a user action in a view sets the last position.
    if (!byUser && (lastViews.get(output)?.view ?? view) !== view) return;
    const { at, low, high, span, curtain, opacity, clicked, picture } = state;
    lastViews.set(output, { view, at: { ...at }, low, high, span, curtain, opacity, clicked, picture });
  };
  const requestViewSoon = () => { screen.draw(); later("view", SETTLE, requestView); };
  const moved = () => { remember(true); requestViewSoon(); };
  const requestTrace = ({ y, x }) => {
    state.clicked = { y, x };
    remember(true);
    channel.ask({ kind: "trace", y, x, z: state.at.z, t: state.at.t });
  };
  const showNotice = (text) => { ui.notice.textContent = text; later("notice", 8000, () => { ui.notice.textContent = ""; }); };

  function showScene() {
    const scene = model.get("scene");
    if (!scene.extent) { ui.notice.textContent = "opening the image ..."; return; }
    ui.notice.textContent = "";
    if (state.output && state.output !== scene.output) {
      // Another run of the job: what was clicked belongs to the one before.
      state.cell = state.clicked = null;
      ui.trace.textContent = NO_TILE;
      ui.trace.dataset.key = "";
    }
    state.output = scene.output;
    ui.mark.textContent = scene.mark;
    const others = Object.entries(scene.sizes).map(([axis, n]) => `${axis} ${n}`);
    ui.about.textContent = `${[...others, `${scene.extent[1]} x ${scene.extent[0]} px`].join(", ")}, ${size(scene.bytes)} → ${scene.output}`;
    if (!state.at) {
      [ui.canvas.width, ui.canvas.height] = scene.screen;
      const before = lastViews.get(scene.output);
      Object.assign(state, before || { at: { ...scene.start, t: 0, c: 0 } });
      state.at = { ...state.at };
      makeSliders(scene);
      if (before) {
        state.result = scene.result;
        if (state.span) showContrast();
        screen.draw();
        if (state.clicked) requestTrace(state.clicked);
      }
      requestView();
    }
    if (state.result !== scene.result) {
      state.result = scene.result;
      showCurtain(scene.result === "image" ? 0.5 : 0);
      requestViewSoon();
    }
  }

  function makeSliders(scene) {
    const rows = [];
    for (const [axis, words] of Object.entries(AXES)) {
      if (!scene.sizes[axis]) continue;
      inputs[axis] = slider(words, { min: 0, max: scene.sizes[axis] - 1, value: state.at[axis] }, (value) => {
        state.at[axis] = value;
        if (axis === "c") { state.low = state.high = state.span = null; }
        moved();
        later("grid", SETTLE, requestTiles);
      });
      inputs[axis].input.dataset.axis = axis;
      rows.push(inputs[axis].row);
    }
    for (const name of ["low", "high"]) {
      inputs[name] = slider(name === "low" ? "Black" : "White", { min: 0, max: 1000, value: name === "low" ? 0 : 1000 }, () => {
        const [first, last] = state.span;
        for (const end of ["low", "high"]) state[end] = first + (Number(inputs[end].input.value) / 1000) * (last - first);
        showContrast();
        moved();
      });
      inputs[name].input.dataset.contrast = name;
      rows.push(inputs[name].row);
    }
    inputs.curtain = slider("Curtain", { min: 0, max: 100, value: 100 * state.curtain }, (value) => {
      state.curtain = value / 100;
      remember(true);
      screen.draw();
    });
    inputs.curtain.input.dataset.curtain = "";
    inputs.opacity = slider("Opacity", { min: 0, max: 100, value: 100 * state.opacity }, (value) => {
      state.opacity = value / 100;
      remember(true);
      screen.draw();
    });
    ui.sliders.replaceChildren(...rows, inputs.curtain.row, inputs.opacity.row, ui.whole);
  }

  function showCurtain(share) {
    state.curtain = share;
    inputs.curtain.input.value = 100 * share;
    inputs.curtain.shown.textContent = inputs.curtain.input.value;
  }

  function showContrast() {
    for (const name of ["low", "high"]) {
      inputs[name].input.value = (1000 * (state[name] - state.span[0])) / (state.span[1] - state.span[0]);
      inputs[name].shown.textContent = Number(state[name].toPrecision(3));
    }
  }

  async function showView(message, buffers) {
    const images = await Promise.all(buffers.map(bitmap));
    const [y0, y1, x0, x1] = message.before;
    state.picture = {
      before: images[0], box: [y0, y1, x0, x1],
      layers: message.layers.map((layer, i) => ({ ...layer, image: images[i + 1] })),
    };
    if (!state.span) {
      const wide = message.high - message.low;
      state.span = [message.low - wide / 2, message.high + wide];
      [state.low, state.high] = [message.low, message.high];
      showContrast();
    }
    // The kernel may have moved the view into the image.
    if (!drag) Object.assign(state.at, { y: message.y, x: message.x, zoom: message.zoom });
    remember();
    screen.draw();
    drawMap();
    ui.root.dataset.bytes = buffers.reduce((sum, buffer) => sum + buffer.byteLength, 0);
    ui.root.dataset.views = Number(ui.root.dataset.views || 0) + 1;
  }

  async function showGrid(message, buffers) {
    state.grid = message.rows ? message : null;
    state.gridImage = buffers.length ? await bitmap(buffers[0]) : null;
    const states = model.get("legend").states || {};
    ui.key.replaceChildren(...Object.entries(states).map(([name, colour]) => {
      const count = message.counts?.[name];
      const swatch = element("i", {});
      swatch.style.background = colour;
      return element("span", {}, swatch, count ? `${name} ${count}` : name);
    }));
    ui.root.dataset.tiles = message.rows * message.cols;
    drawMap();
  }

  function drawMap() {
    const { grid, gridImage } = state;
    ui.tiles.hidden = !grid || !gridImage;
    if (ui.tiles.hidden) return;
    const by = Math.min(300 / grid.cols, 200 / grid.rows, 40);
    ui.map.width = Math.max(24, Math.round(grid.cols * by));
    ui.map.height = Math.max(24, Math.round(grid.rows * by));
    const context = ui.map.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(gridImage, 0, 0, ui.map.width, ui.map.height);
    if (by >= 6) {
      context.fillStyle = "#ffffff";
      for (let i = 1; i < grid.cols; i += 1) context.fillRect(Math.round(i * by), 0, 1, ui.map.height);
      for (let i = 1; i < grid.rows; i += 1) context.fillRect(0, Math.round(i * by), ui.map.width, 1);
    }
    const [y0, y1, x0, x1] = grid.box;
    const place = (box) => [
      ((box[2] - x0) / (x1 - x0)) * ui.map.width, ((box[0] - y0) / (y1 - y0)) * ui.map.height,
      ((box[3] - box[2]) / (x1 - x0)) * ui.map.width, ((box[1] - box[0]) / (y1 - y0)) * ui.map.height,
    ];
    context.lineWidth = 2;
    if (state.cell) { context.strokeStyle = "#f0e442"; context.strokeRect(...place(state.cell)); }
    if (state.picture) { context.strokeStyle = "#19202a"; context.lineWidth = 1; context.strokeRect(...place(state.picture.box)); }
  }

  function showTrace(message) {
    state.cell = message.box || null;
    const head = element("div", { className: "s1o-trace-head" }, message.sentence);
    const body = message.trace
      ? [element("div", { className: "s1o-thought" }, message.trace), ...(message.answer ? [element("p", {}, message.answer)] : [])]
      : [element("p", {}, "No thought is stored for this tile.")];
    ui.trace.replaceChildren(head, ...(message.box ? body : []));
    ui.trace.dataset.key = message.key || "";
    screen.draw();
    drawMap();
  }

  function showStatus() {
    const now = model.get("status");
    if (!now.state) return;
    const share = now.total ? now.done / now.total : now.state === "complete" ? 1 : 0;
    ui.bar.style.width = `${100 * share}%`;
    ui.state.textContent = now.said || STATES[now.state] || now.state;
    ui.state.dataset.state = now.state;
    const words = now.total ? [`${now.done.toLocaleString()} of ${now.total.toLocaleString()} tiles`] : [];
    if (now.eta) words.push(`about ${duration(now.eta)} left`);
    if (now.holes) words.push(`${now.holes} tiles missing`);
    if (now.note) words.push(now.note);
    if (now.error) words.push(now.error);
    ui.progress.textContent = words.join(" · ");
    ui.root.dataset.state = now.state;
    // Nothing is opened any more.
    if (now.state === "failed" && !model.get("scene").extent) ui.notice.textContent = "";
    ui.pause.hidden = !now.alive || now.state === "paused";
    ui.resume.hidden = now.alive ? now.state !== "paused" : !now.resumable;
    ui.cancel.hidden = !now.alive;
    if (!timers.refresh) {
      timers.refresh = setTimeout(() => { timers.refresh = null; requestView(); requestTiles(); }, now.alive ? REFRESH : SETTLE);
    }
  }

  function showForm() {
    const groups = {};
    for (const field of model.get("form")) {
      const made = editor(field, (value) => channel.order("edit", { path: field.path, value }));
      (groups[field.section] ||= []).push(made);
    }
    const unfolded = new Set([...ui.form.querySelectorAll("details[open]")].map((part) => part.dataset.section));
    ui.form.replaceChildren(...Object.entries(groups).map(([section, rows]) => {
      if (!SECTIONS[section]) return element("div", {}, ...rows);
      const part = element("details", { dataset: { section } }, element("summary", {}, SECTIONS[section]), ...rows);
      part.open = unfolded.has(section);
      return part;
    }));
  }

  function showForecast() {
    ui.forecast.textContent = model.get("forecast") || "measuring the image ...";
    ui.forecast.dataset.ready = model.get("ready");
    const request = model.get("request");
    ui.request.textContent = request.line || "";
    ui.request.title = request.why || "";
    ui.request.dataset.doubtful = Boolean(request.why);
    ui.run.disabled = ui.preview.disabled = !model.get("ready");
  }

  function showPreview() {
    const now = model.get("preview");
    const tiles = now.total ? ` (${now.done}/${now.total})` : "";
    ui.previewWords.textContent = now.words ? `${now.words}${now.shown ? "" : tiles}` : "";
    ui.back.hidden = !now.shown && !now.running;
    ui.back.textContent = now.running ? "Cancel preview" : "Hide preview";
    state.previewBox = now.box || null;
    if (now.shown) showCurtain(0.5);
    if (state.at) requestViewSoon();
  }

  function showTarget() {
    const { name, value } = model.get("target");
    if (document.activeElement !== ui.target) ui.target.value = value || "";
    ui.run.textContent = name ? `Run as a new result: ${name}` : "Run as a new result";
  }

  function showResults() {
    const results = model.get("results") || [];
    ui.results.hidden = results.length < 2;
    ui.results.replaceChildren(...results.map(({ path, name }) => element("option", { value: path, title: path }, name)));
    ui.results.value = model.get("scene").output || "";
  }

  // A kernel that was restarted does not know this panel any more.
  function showLost(lost) {
    if (ui.lost.hidden === !lost) return;
    ui.lost.hidden = !lost;
    ui.root.dataset.lost = lost;
    if (!lost) return;
    const code = model.get("attach");
    const copy = element("button", { type: "button" }, "Copy");
    copy.addEventListener("click", () => navigator.clipboard.writeText(code).then(() => { copy.textContent = "Copied"; }));
    ui.lost.replaceChildren(
      "The kernel does not answer: it is busy, or was restarted and does not know this panel any more. The run goes on without it. "
      + "To see it again, run in a new cell: ", element("code", {}, code), " ", copy,
    );
  }

  // A message from the kernel: it is there.
  function heard() {
    showLost(false);
    ui.root.hidden = false;
    hideStill(model.get("key"));
  }

  const checkKernel = () => {
    channel.ask({ kind: "alive" });
    later("alive", ANSWER, () => { if (channel.isOpen("alive")) showLost(true); });
  };

  function showLegend() {
    const by = model.get("legend").by || {};
    ui.by.replaceChildren(...Object.entries(by).map(([value, words]) => element("option", { value }, words.toLowerCase())));
  }

  const shows = { view: showView, grid: showGrid, trace: showTrace };
  const receive = async (message, buffers) => {
    heard();
    if (message.kind === "alive" && message.view === view) channel.answered("alive");
    if (message.kind === "notice" && (!message.view || message.view === view)) {
      showNotice(message.text);
      for (const kind of Object.keys(shows)) channel.answered(kind);
    }
    if (message.view !== view || !shows[message.kind]) return;
    try {
      await shows[message.kind](message, buffers);
      channel.answered(message.kind);
    } catch (error) {
      // The request stays open and is repeated.
      showNotice(String(error));
    }
  };

  let drag = null;
  ui.canvas.addEventListener("pointerdown", (event) => {
    if (!state.at) return;
    drag = { x: event.clientX, y: event.clientY, from: { ...state.at }, moved: false };
    ui.canvas.setPointerCapture(event.pointerId);
  });
  ui.canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const by = ui.canvas.width / ui.canvas.getBoundingClientRect().width / state.at.zoom;
    drag.moved ||= Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > 3;
    state.at.x = drag.from.x - (event.clientX - drag.x) * by;
    state.at.y = drag.from.y - (event.clientY - drag.y) * by;
    if (drag.moved) moved();
  });
  ui.canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) requestTrace(screen.source(event));
    drag = null;
  });
  ui.canvas.addEventListener("wheel", (event) => {
    if (!state.at) return;
    event.preventDefault();
    const fixed = screen.source(event);
    const by = Math.exp(-event.deltaY / 400);
    state.at.zoom *= by;
    state.at.y = fixed.y + (state.at.y - fixed.y) / by;
    state.at.x = fixed.x + (state.at.x - fixed.x) / by;
    moved();
  }, { passive: false });
  ui.map.addEventListener("click", (event) => {
    if (!state.grid) return;
    const area = ui.map.getBoundingClientRect();
    const [y0, y1, x0, x1] = state.grid.box;
    const [height, width] = model.get("scene").extent;
    const y = Math.min(y0 + ((event.clientY - area.top) / area.height) * (y1 - y0), height - 1);
    const x = Math.min(x0 + ((event.clientX - area.left) / area.width) * (x1 - x0), width - 1);
    requestTrace({ y, x });
    if (state.picture && !inside(state.picture.box, y, x)) { Object.assign(state.at, { y, x }); moved(); }
  });
  const inside = ([y0, y1, x0, x1], y, x) => y >= y0 && y < y1 && x >= x0 && x < x1;
  ui.whole.addEventListener("click", () => {
    const [height, width] = model.get("scene").extent;
    Object.assign(state.at, { y: height / 2, x: width / 2, zoom: Math.min(ui.canvas.width / width, ui.canvas.height / height) });
    moved();
  });
  ui.by.addEventListener("change", requestTiles);
  ui.results.addEventListener("change", () => channel.order("show", { path: ui.results.value }));
  ui.target.addEventListener("change", () => channel.order("edit", { path: model.get("target").field, value: ui.target.value }));
  for (const name of ["pause", "resume", "cancel", "run"]) ui[name].addEventListener("click", () => channel.order(name));
  ui.preview.addEventListener("click", () => {
    channel.order("preview", { ...state.at, width: ui.canvas.width, height: ui.canvas.height });
  });
  ui.back.addEventListener("click", () => channel.order("preview", { off: true }));

  const handlers = {
    "change:title": () => { ui.title.textContent = model.get("title"); }, "change:scene": () => { showScene(); showResults(); }, "change:status": showStatus,
    "change:form": showForm, "change:forecast": showForecast, "change:ready": showForecast, "change:request": showForecast, "change:preview": showPreview,
    "change:choices": () => showChoices(model.get("choices") || []), "change:legend": showLegend, "change:target": showTarget, "change:results": showResults, "msg:custom": receive,
    "comm_live_update": checkKernel,
  };
  const events = Object.entries(handlers).map(([event, work]) => [event, event.startsWith("change:") ? () => { heard(); work(); } : work]);
  for (const [event, work] of events) model.on(event, work);
  for (const [event, work] of Object.entries(handlers)) if (event.startsWith("change:")) work();
  // A page made of a notebook has no kernel: there, the still picture is all.
  if (model.widget_manager?.kernel) hideStill(model.get("key"));
  else ui.root.hidden = true;
  return () => {
    for (const [event, work] of events) model.off(event, work);
    Object.values(timers).forEach(clearTimeout);
    channel.close();
  };
}

export default { render };
