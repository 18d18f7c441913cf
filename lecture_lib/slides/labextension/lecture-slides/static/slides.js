// The open notebook as slides, by the `slideshow` metadata of its cells (marks.py gives the rules).
// Nothing is built: JupyterLab loads this file as it is, and the last lines are what it asks an extension for.
(() => {
  const HIDDEN = ["skip", "notes"];
  const KEYS = "Space, PgDn: on   ←, PgUp: back   Shift+Enter: run   R: run up to here   C: code   N: notes   F: full screen   Esc: end";
  const BARS = ["jp-top-panel", "jp-menu-panel", "jp-header-panel", "jp-bottom-panel", "jp-left-stack", "jp-right-stack"];
  const STYLE = `
.lecture-slides { --lecture-type: calc(max(18px, 2.45vh) * var(--lecture-fit, 1)); --jp-content-font-size1: var(--lecture-type);
  --jp-code-font-size: calc(.82 * var(--lecture-type)); --jp-content-font-size0: calc(.77 * var(--lecture-type)); }
.lecture-slides .jp-NotebookPanel-toolbar, .lecture-slides .jp-Notebook-footer, .lecture-slides .jp-Toolbar,
.lecture-slides .jp-Collapser, .lecture-slides .jp-InputPrompt, .lecture-slides .jp-OutputPrompt,
.lecture-slides .lecture-off, .lecture-slides .jp-cell-toolbar { display: none !important; }
.lecture-slides .jp-NotebookPanel-notebook { inset: 0 !important; width: 100% !important; height: 100% !important; }
.lecture-slides .jp-WindowedPanel-outer { padding: 2vh 0 3em; }
.lecture-slides .jp-Notebook .jp-Cell { padding: 2px 0; content-visibility: visible; outline: 0 !important; border-color: transparent !important; box-shadow: none !important;
  width: min(94vw, 1500px); margin: 0 auto; }
body.lecture-slides .lecture-widget { font-size: calc(.91 * var(--lecture-type)); max-width: min(52em, calc(84vh * var(--lecture-fit, 1))); margin: 0 auto; }
body.lecture-slides .lecture-widget.lw-presenter { font-size: calc(1.2 * var(--lecture-type)); max-width: min(52em, calc(94vh * var(--lecture-fit, 1))); }
body.lecture-slides .lecture-widget:has(.lw-question) { margin-left: 0; }
.lecture-slides .jp-RenderedHTMLCommon table { font-size: .85em; }
.lecture-slides .jp-Cell :is(.jp-InputArea-editor, .jp-InputArea, .jp-MarkdownOutput) { border: 0; outline: 0 !important; }
.lecture-slides .jp-OutputArea-output img { max-height: calc(78vh * var(--lecture-fit, 1)); object-fit: contain; }
.lecture-slides .jp-RenderedImage img { zoom: 1.25; max-height: calc(62vh * var(--lecture-fit, 1) * var(--lecture-fit, 1)); }
.lecture-slides .jp-RenderedHTMLCommon { padding-right: 0; }
.lecture-slides:not(.lecture-code) .jp-CodeCell:not(.jp-mod-noOutputs) > .jp-Cell-inputWrapper,
.lecture-slides:not(.lecture-notes) .lecture-head .jp-RenderedMarkdown:not(:has(> h1)) > :has(~ h2),
.lecture-slides:not(.lecture-notes) .lecture-head .jp-RenderedMarkdown:not(:has(> :is(h1, h2))) > :has(~ h3) { display: none; }
.lecture-slides .lecture-aside { border-left: 4px solid var(--jp-border-color1); padding-left: .8em; opacity: .8; }
.lecture-bar { position: fixed; inset: auto 0 0 0; z-index: 10; display: flex; justify-content: space-between;
  padding: .2em 1em; font: 14px system-ui, sans-serif; color: var(--jp-ui-font-color2); background: var(--jp-layout-color1); }
.lecture-bar span:first-child { white-space: pre; }
`;

  const SMALLEST = 0.6; // how far a slide that is too long is made smaller

  const typeOf = (cell) => cell.model.getMetadata("slideshow")?.slide_type ?? "-";
  const isCode = (cell) => cell.model.type === "code";
  const waits = (cell) => isCode(cell) && cell.model.executionCount === null && cell.model.sharedModel.source.trim();

  /** Slides, each a list of steps, each a list of cells: those that are hidden belong to a step, too, and run with it. */
  function slidesOf(cells) {
    const slides = [];
    for (const cell of cells) {
      const type = typeOf(cell);
      if (!slides.length || type === "slide" || type === "subslide") slides.push([[]]);
      if (type === "fragment") slides.at(-1).push([]);
      slides.at(-1).at(-1).push(cell);
    }
    return slides;
  }

  class Show {
    constructor(app, panel) {
      [this.app, this.panel, this.slide, this.step, this.size, this.message] = [app, panel, 0, 0, 1, ""];
      const bar = (this.bar = document.createElement("div"));
      bar.className = "lecture-bar";
      bar.append(document.createElement("span"), document.createElement("output"));
      this.style = Object.assign(document.createElement("style"), { textContent: STYLE });
      this.onKey = (event) => this.key(event);
      this.watch = new ResizeObserver(() => this.fit());
    }

    get cells() { return this.panel.content.widgets; }

    get slides() { return slidesOf(this.cells); }

    /** The cells up to the step that is shown, on this slide or, `from` the first, on all. */
    upToHere(from = this.slide) {
      const slides = this.slides.slice(from, this.slide + 1);
      return slides.flatMap((steps, i) => (i < slides.length - 1 ? steps : steps.slice(0, this.step + 1))).flat();
    }

    begin() {
      this.hidden = widgetsOf(this.app.shell).filter((w) => BARS.includes(w.id) || w.hasClass?.("jp-SideBar"));
      this.hidden = this.hidden.filter((w) => !w.isHidden);
      for (const widget of this.hidden) widget.hide();
      document.head.append(this.style);
      document.body.append(this.bar);
      document.body.classList.add("lecture-slides");
      window.addEventListener("keydown", this.onKey, true);
      for (const cell of this.cells) this.watch.observe(cell.node);
      this.go(0, 0);
    }

    end() {
      window.removeEventListener("keydown", this.onKey, true);
      this.watch.disconnect();
      document.body.classList.remove("lecture-slides", "lecture-code", "lecture-notes");
      this.bar.remove();
      this.style.remove();
      for (const cell of this.cells) cell.node.classList.remove("lecture-off", "lecture-aside", "lecture-head");
      for (const widget of this.hidden) widget.show();
    }

    go(slide, step) {
      const slides = this.slides;
      this.slide = Math.max(0, Math.min(slide, slides.length - 1));
      this.step = Math.min(step, slides[this.slide].length - 1);
      this.draw();
      this.choose();
      this.panel.content.outerNode?.scrollTo(0, 0); // a slide begins at its top
    }

    next() {
      if (this.step + 1 >= this.slides[this.slide].length) return this.go(this.slide + 1, 0);
      this.step += 1;
      this.draw();
      const shown = this.choose() ?? this.upToHere().at(-1);
      shown.node.scrollIntoView({ block: "nearest" });
    }

    draw() {
      const here = new Set(this.upToHere());
      const notes = document.body.classList.contains("lecture-notes");
      for (const cell of this.cells) {
        const type = typeOf(cell);
        const shown = here.has(cell) && (!HIDDEN.includes(type) || (notes && type === "notes"));
        cell.node.classList.toggle("lecture-off", !shown);
        cell.node.classList.toggle("lecture-aside", type === "notes");
        cell.node.classList.toggle("lecture-head", type === "slide" || type === "subslide");
      }
      this.bar.firstChild.textContent = KEYS;
      this.bar.lastChild.value = `${this.message} ${this.slide + 1} / ${this.slides.length}`;
      this.size = 1;
      this.fit();
    }

    /** Make a slide that is too long smaller, step by step, until it fits the screen; it grows again with the next one. */
    fit() {
      const room = this.bar.getBoundingClientRect().top;
      const outer = this.panel.content.outerNode;
      const bottom = () => Math.max(...this.cells.map(({ node }) => node.getBoundingClientRect().bottom)) + (outer?.scrollTop ?? 0);
      const show = () => document.body.style.setProperty("--lecture-fit", this.size.toFixed(2));
      for (show(); this.size > SMALLEST && bottom() > room; show()) this.size *= 0.95;
      if (bottom() <= room) outer?.scrollTo(0, 0);
    }

    /** Make the first shown cell that has not run the active one, which Shift+Enter runs. */
    choose() {
      const cell = this.upToHere().find((cell) => waits(cell) && !HIDDEN.includes(typeOf(cell)));
      if (cell) this.panel.content.activeCellIndex = this.cells.indexOf(cell);
      this.panel.content.mode = "command";
      return cell;
    }

    async run(cell) {
      await this.panel.sessionContext.ready;
      await this.panel.sessionContext.session?.kernel?.info; // a cell that runs before is lost
      this.panel.content.deselectAll();
      this.panel.content.activeCellIndex = this.cells.indexOf(cell);
      await this.app.commands.execute("notebook:run-cell");
    }

    /** Run what has not run yet, hidden cells included, up to the step that is shown. */
    async runUpToHere() {
      if (this.message) return;
      const waiting = this.upToHere(0).filter(waits);
      for (const [i, cell] of waiting.entries()) {
        this.message = `running ${i + 1} of ${waiting.length} ·`;
        this.draw();
        await this.run(cell);
        if (cell.model.executionCount === null || failed(cell)) break;
      }
      this.message = "";
      this.draw();
    }

    async runActive() {
      await this.run(this.panel.content.activeCell);
      this.choose();
    }

    key(event) {
      const inside = (selector) => event.target.closest?.(selector);
      const pages = event.key === "PageDown" || event.key === "PageUp"; // a presenter's remote control, wherever the focus is
      if (event.ctrlKey || event.metaKey || event.altKey || inside(".jp-Dialog")) return;
      if (inside(".cm-editor") && !(event.shiftKey && event.key === "Enter") && !pages) return;
      if (inside("input, select, textarea, button, [tabindex] svg, .lecture-widget, .jupyter-widgets") && !pages && event.key !== "Escape") return;
      const act = this.action(event);
      if (!act) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      act();
    }

    action({ key, shiftKey }) {
      const back = () => this.go(this.slide - 1, Infinity);
      const flip = (name) => () => (document.body.classList.toggle(name), this.draw());
      if (key === "Enter") return shiftKey ? () => void this.runActive() : undefined;
      if (key === " ") return shiftKey ? back : () => this.next();
      const plain = {
        PageDown: () => this.next(), ArrowRight: () => this.next(), PageUp: back, ArrowLeft: back,
        Home: () => this.go(0, 0), End: () => this.go(Infinity, Infinity), Escape: () => this.end(),
        c: flip("lecture-code"), n: flip("lecture-notes"), r: () => void this.runUpToHere(),
        f: () => void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()),
      };
      return plain[key.length === 1 ? key.toLowerCase() : key];
    }
  }

  const failed = (cell) => (cell.model.toJSON().outputs ?? []).some((output) => output.output_type === "error");

  /** All widgets of the shell's frame, not those inside of a document. */
  function widgetsOf(parent) {
    const layout = parent.layout?.widgets ?? parent.layout ?? [];
    const children = layout[Symbol.iterator] ? [...layout] : [];
    return children.flatMap((child) => [child, ...(child.hasClass?.("jp-NotebookPanel") ? [] : widgetsOf(child))]);
  }

  function activate(app) {
    const show = (panel) => new Show(app, panel).begin();
    const notebook = () => (app.shell.currentWidget?.hasClass("jp-NotebookPanel") ? app.shell.currentWidget : undefined);
    const idle = () => !document.body.classList.contains("lecture-slides");
    const isEnabled = () => Boolean(notebook()) && idle();
    app.commands.addCommand("lecture:slides", { label: "Show as Slides", isEnabled, execute: () => show(notebook()) });
    app.commands.addKeyBinding({ command: "lecture:slides", keys: ["Alt R"], selector: "body" });
    void app.restored.then(async () => {
      while (!notebook()) await new Promise((resolve) => setTimeout(resolve, 100));
      await notebook().context.ready;
      await notebook().revealed;
      if (idle()) show(notebook());
    });
  }

  const plugin = { id: "lecture-slides:plugin", autoStart: true, activate };
  (window._JUPYTERLAB ??= {})["lecture-slides"] = { init() {}, get: async () => () => ({ default: plugin, __esModule: true }) };
})();
